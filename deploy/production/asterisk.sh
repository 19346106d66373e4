# shellcheck shell=bash
# Asterisk's command, its configuration, and what must be done for it to take up what has changed.

readonly etc=/etc/asterisk

# An unpacked Asterisk runs through its own loader and libraries. The name it is given is that of the command, so that
# Asterisk finds itself when it starts anew.
install_asterisk_command() {
    ASTERISK=/usr/sbin/asterisk
    libraries=/usr/lib/$(uname --machine)-linux-gnu
    data=/usr/share/asterisk
    has_asterisk && return
    ASTERISK=/usr/local/sbin/asterisk
    LIBRARIES=$(dirname "$(dirname "$(echo "$home"/asterisk/usr/lib/*/asterisk/modules)")")
    LOADER=$(echo "$LIBRARIES"/ld-linux-*.so.*)
    libraries=$LIBRARIES
    data=$home/asterisk/usr/share/asterisk
    PROGRAM=$home/asterisk/usr/sbin/asterisk
    filled asterisk | put "$ASTERISK" 755 root:root || true
}

configure_asterisk() {
    local fresh file changed=()
    fresh=$(mktemp --directory)
    fill_asterisk_conf "$fresh" || fail "Asterisk's configuration could not be written: see above."
    for file in "$fresh"/*.conf; do
        cmp --silent "$file" "$etc/${file##*/}" || changed+=("${file##*/}")
    done
    if [ ${#changed[@]} -gt 0 ]; then
        keep_configuration
        say "Writing $etc: ${changed[*]}"
        install --directory --mode=750 --owner=root --group=asterisk "$etc"
        for file in "${changed[@]}"; do
            install --mode=640 --owner=root --group=asterisk "$fresh/$file" "$etc/$file"
            note_asterisk "$file"
        done
    fi
    rm -rf "$fresh"
}

fill_asterisk_conf() (
    set -a
    # shellcheck source=/dev/null
    . "$agent_env"
    # shellcheck source=/dev/null
    . "$install_env"
    DB_PASSWORD=$ASTERISK_DB_PASSWORD DB_NAME=$(sed 's|.*/\([^/?]*\).*|\1|' <<<"$DATABASE_URL")
    ETC_DIR=$etc MODULE_DIR=$libraries/asterisk/modules VARLIB_DIR=/var/lib/asterisk DB_DIR=/var/lib/asterisk
    DATA_DIR=$data SPOOL_DIR=/var/spool/asterisk RUN_DIR=/run/asterisk LOG_DIR=/var/log/asterisk
    cd /
    "$releases/$release/venv/bin/asterisk-admin" asterisk-conf "$1"
)

# What was in /etc/asterisk before, with the date.
keep_configuration() {
    [ -d "$etc" ] || return 0
    local kept
    kept=$backups/etc-asterisk-$(date +%Y-%m-%dT%H%M%S)
    cp --archive "$etc" "$kept"
    chmod 700 "$kept"
    say "What was in $etc is kept in $kept"
}

# Most files can be read anew while calls go on.
note_asterisk() {
    case $1 in
        extensions.conf) note "asterisk-dialplan reload" ;;
        logger.conf) note "asterisk-logger reload" ;;
        manager.conf) note "asterisk-manager reload" ;;
        cdr.conf) note "asterisk-module reload cdr" ;;
        cdr_custom.conf) note "asterisk-module reload cdr_custom.so" ;;
        cdr_pgsql.conf) note "asterisk-module reload cdr_pgsql.so" ;;
        res_pgsql.conf) note "asterisk-module reload res_config_pgsql.so" ;;
        rtp.conf) note "asterisk-module reload res_rtp_asterisk.so" ;;
        acl.conf) note "asterisk-module reload acl" ;;
        confbridge.conf) note "asterisk-module reload app_confbridge.so" ;;
        *) note asterisk ;;
    esac
}

asterisk_answers() {
    "$ASTERISK" -rx "core waitfullybooted" >/dev/null 2>&1
}

# Calls go on: what can be reloaded is, and for the rest Asterisk starts anew when there is no call.
renew_asterisk() {
    local each command
    if ! asterisk_answers; then
        say "Starting Asterisk"
        systemctl restart asterisk
        rm -f "$state/pending/asterisk"* "$state/pending/unit-asterisk"
        return
    fi
    if noted asterisk; then
        say "Asterisk must start anew for this, and will as soon as no call goes on. At once, ending the calls: systemctl"
        say "restart asterisk. To call it off: asterisk -rx 'core abort shutdown'"
        command=restart
        # What is new in its unit it gets from systemd alone, which starts it when it has stopped.
        if noted unit-asterisk; then command=stop; fi
        "$ASTERISK" -rx "core $command when convenient" >/dev/null
        rm -f "$state/pending/asterisk"* "$state/pending/unit-asterisk"
        return
    fi
    for each in "$state/pending/asterisk-"*; do
        [ -e "$each" ] || continue
        command=${each##*/asterisk-}
        say "Asterisk: $command"
        "$ASTERISK" -rx "$command" >/dev/null
        rm "$each"
    done
}
