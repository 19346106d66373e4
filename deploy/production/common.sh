# shellcheck shell=bash
# What the parts of deploy/install and deploy/restore share: places, and small helpers.

readonly settings=/etc/asterisk-admin
readonly home=/opt/asterisk-admin
readonly state=/var/lib/asterisk-admin
readonly backups=/var/backups/asterisk-admin
readonly database=asterisk_admin
readonly owner=asterisk_admin # The role that the database belongs to.
readonly templates=$PWD/deploy/production
readonly log=/var/log/asterisk-admin-install.log

say() {
    echo "$*"
}

fail() {
    echo "$*" >&2
    exit 1
}

# Runs a command that talks much; what it said is in the log, and its end is shown if it failed.
quietly() {
    printf '\n# %s\n' "$1" >>"$log"
    local begin
    begin=$(wc -l <"$log")
    "$@" </dev/null >>"$log" 2>&1 || {
        tail -n "+$((begin + 1))" "$log" | tail -n 20 >&2
        return 1
    }
}

systemd_runs() {
    [ -d /run/systemd/system ]
}

# Writes standard input to a file unless that is what the file holds. True: it was written.
put() {
    local path=$1 mode=$2 whose=$3 new
    new=$(mktemp "$path.XXXXXX")
    cat >"$new"
    chown "$whose" "$new"
    chmod "$mode" "$new"
    if cmp --silent "$new" "$path" && [ "$(stat --format=%a:%U:%G "$path")" = "$(stat --format=%a:%U:%G "$new")" ]; then
        rm "$new"
        return 1
    fi
    mv "$new" "$path"
}

# Makes a symbolic link, unless it is there.
link() {
    [ "$(readlink "$2" || true)" = "$1" ] || ln --symbolic --force --no-dereference "$1" "$2"
}

# A file of deploy/production with each @NAME@ replaced by the variable of that name.
filled() {
    local text name
    text=$(<"$templates/$1")
    while [[ $text =~ @([A-Z_]+)@ ]]; do
        name=${BASH_REMATCH[1]}
        text=${text//"@$name@"/"${!name}"}
    done
    printf '%s\n' "$text"
}

# The value that a settings file gives a name; empty: none.
setting() {
    sed --quiet "s/^$2=//p" "$1" 2>/dev/null | tail -n 1
}

# Gives a name a value in a settings file that has none for it.
remember() {
    grep --quiet "^$2=" "$1" || printf '%s=%s\n' "$2" "$3" >>"$1"
}

# Gives a name a value in a settings file, whatever it had.
change() {
    [ "$(setting "$1" "$2")" != "$3" ] || return 0
    local rest
    rest=$(grep --invert-match "^$2=" "$1" || true)
    printf '%s\n%s=%s\n' "$rest" "$2" "$3" >"$1"
}

# Notes that a service must take up what has changed. It stays noted until that was done, also if this run is broken off.
note() {
    touch "$state/pending/$1"
}

noted() {
    [ -e "$state/pending/$1" ]
}

done_with() {
    rm -f "$state/pending/$1"
}

# 24 random bytes, in letters and digits.
secret() {
    openssl rand -hex 24
}
