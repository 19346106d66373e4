# shellcheck shell=bash
# Debian's packages, and an Asterisk where the system has none.

check_system() {
    [ "$(id -u)" = 0 ] || fail "This must be run as root: sudo deploy/install"
    local id version
    id=$(. /etc/os-release && echo "$ID")
    version=$(. /etc/os-release && echo "${VERSION_ID:-}")
    case $id:$version in
        debian:12 | debian:13 | ubuntu:24.04) ;;
        *) fail "This is $id $version; Debian 12, Debian 13 or Ubuntu 24.04 is needed." ;;
    esac
    touch "$log"
    chmod 600 "$log"
}

installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# An Asterisk of this system serves if it is 20 or newer and can read PostgreSQL.
has_asterisk() {
    local version
    version=$(/usr/sbin/asterisk -V 2>/dev/null | grep --only-matching --max-count=1 '[0-9]\+' | head -n 1) || return 1
    [ "${version:-0}" -ge 20 ] && ls /usr/lib/*/asterisk/modules/res_config_pgsql.so >/dev/null 2>&1
}

# Whether the system has a package of the version that all of this is tried with. (Ubuntu 24.04 has 20.6, in which calls
# wait while the addresses of trunks are read anew.)
offers_asterisk() {
    local version
    version=$(apt-cache policy asterisk | sed --quiet 's/.*Candidate: \([0-9]*:\)\?\([0-9]*\)\..*/\2/p')
    [ "${version:-0}" -ge 22 ]
}

install_packages() {
    local wanted=(python3 python3-venv ca-certificates openssl fail2ban python3-systemd nftables logrotate util-linux)
    [ "$role" = further ] || wanted+=(postgresql nginx)
    install_missing "${wanted[@]}"
    if has_asterisk || [ -d "$home/asterisk" ]; then return; fi
    if offers_asterisk; then
        install_missing asterisk asterisk-modules
    else
        install_missing mmdebstrap debian-archive-keyring
        unpack_asterisk
    fi
}

install_missing() {
    local package missing=()
    for package in "$@"; do
        installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "Installing packages: ${missing[*]}"
    quietly apt-get update || say "The lists of packages could not be brought up to date; trying with the old ones."
    quietly env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}" ||
        fail "The packages could not be installed: see above and $log. Is the network there?"
}

unpack_asterisk() {
    say "Downloading Asterisk to $home/asterisk"
    mkdir -p "$home"
    rm -rf "$home/asterisk.unfinished"
    # It comes from Debian's unstable branch, unpacked and not installed: no script of a package runs, which is what newer
    # versions of mmdebstrap fear for the system in this mode. A mirror of that branch may lag beyond its expiry date.
    quietly mmdebstrap --mode=chrootless --skip=check/chrootless --variant=extract --include=asterisk \
        --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Check-Valid-Until "false"' \
        --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
        sid "$home/asterisk.unfinished" ||
        fail "Asterisk could not be downloaded: see above and $log. Is the network there?"
    # What the package's script would do: these are the English prompts.
    ln -s en_US_f_Allison "$home/asterisk.unfinished/usr/share/asterisk/sounds/en"
    rm -rf "$home/asterisk.unfinished"/usr/share/{doc,man,locale,perl}
    chmod 755 "$home/asterisk.unfinished"
    mv "$home/asterisk.unfinished" "$home/asterisk"
}
