# shellcheck shell=bash
# Users, folders, and the name of the machine.

make_users() {
    make_user asterisk-admin "$state"
    make_user asterisk /var/lib/asterisk
    install --directory --mode=755 "$home" "$settings"
    install --directory --mode=755 "$state" "$state/pending"
    install --directory --mode=700 "$backups"
    local folder
    for folder in /var/{lib,log,spool}/asterisk /var/log/asterisk/cdr-{csv,custom} /var/spool/asterisk/{outgoing,tmp} \
        /run/asterisk; do
        install --directory --mode=750 --owner=asterisk --group=asterisk "$folder"
    done
}

make_user() {
    getent passwd "$1" >/dev/null ||
        useradd --system --user-group --home-dir "$2" --no-create-home --shell /usr/sbin/nologin "$1"
}

# Asterisk looks up the machine's own name during calls, and each call waits where nothing answers.
know_host_name() {
    local name
    name=$(hostname)
    # What systemd would answer does not count: an unpacked Asterisk does not ask it.
    getent --service=files hosts "$name" >/dev/null && return
    say "Adding this machine's name, $name, to /etc/hosts"
    printf '127.0.1.1\t%s\n' "$name" >>/etc/hosts
}
