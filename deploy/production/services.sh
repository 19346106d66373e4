# shellcheck shell=bash
# systemd's units, and starting anew what has changed: the web and the agent at once, Asterisk without losing a call.

readonly unit_folder=/etc/systemd/system

write_units() {
    PGSSLMODE=require
    # What does not leave the machine need not be encrypted, and each call waits for it.
    [ "$(setting "$install_env" DB_HOST)" != 127.0.0.1 ] || PGSSLMODE=disable
    local unit
    for unit in $(units); do
        if filled "units/$unit" | put "$unit_folder/$unit" 644 root:root; then
            case $unit in
                *-web.*) note web ;;
                *-agent.*) note agent ;;
                asterisk.service) note asterisk && note unit-asterisk ;;
            esac
            note systemd
        fi
    done
}

units() {
    echo asterisk.service asterisk-admin-agent.service
    [ "$role" = further ] || echo asterisk-admin-web.socket asterisk-admin-web.service \
        asterisk-admin-backup.service asterisk-admin-backup.timer
}

# The web first: it refuses nothing while it starts. The agent takes up what it was owed meanwhile.
start_services() {
    if [ "$start" = no ] || ! systemd_runs; then
        enable_units
        return
    fi
    systemctl daemon-reload
    done_with systemd
    enable_units
    if [ "$role" = first ]; then
        systemctl start asterisk-admin-web.socket asterisk-admin-backup.timer
        renew web asterisk-admin-web
        renew_nginx
    fi
    renew_asterisk
    renew agent asterisk-admin-agent
    renew_fail2ban
    if [ "$role" = first ]; then
        wait_for "The web" web_answers
        if noted postgresql; then
            say "PostgreSQL has new settings, which it takes up when it is restarted. New calls are refused for a second or two"
            say "meanwhile, so choose a quiet hour: systemctl restart postgresql"
        fi
    fi
}

enable_units() {
    local unit
    for unit in $(units); do
        [ "$unit" = asterisk-admin-backup.service ] || systemctl enable --quiet "$unit" 2>>"$log"
    done
}

# Starts a service, or starts it anew if something is noted for it.
renew() {
    if noted "$1"; then
        say "Starting $2"
        systemctl restart "$2"
        done_with "$1"
    else
        systemctl start "$2"
    fi
}

renew_nginx() {
    if noted nginx && systemctl is-active --quiet nginx; then systemctl reload nginx; else systemctl enable --now --quiet nginx; fi
    done_with nginx
}

renew_fail2ban() {
    if noted fail2ban; then systemctl restart fail2ban; else systemctl enable --now --quiet fail2ban; fi
    done_with fail2ban
}

web_answers() {
    local said
    said=$(printf 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' |
        timeout 10 openssl s_client -connect "127.0.0.1:$(setting "$install_env" HTTPS_PORT)" -quiet 2>/dev/null) || true
    [[ $said == "HTTP/1.1 200"* ]]
}

farewell() {
    if [ "$role" = first ]; then
        local made
        made=$(program create-admin) || fail "The first administrator could not be made: see above."
        say "Asterisk Admin is installed: https://$(setting "$install_env" SERVER_NAME)/"
        [ -z "$made" ] || say "$made (It is not shown again.)"
    else
        say "Node $(setting "$agent_env" NODE) is installed."
    fi
    if ! systemd_runs; then
        say "systemd is not running: start these by hand, as their files in $unit_folder say: $(units | tr '\n' ' ')"
    elif [ "$start" = no ]; then
        say "Nothing was started: run deploy/install without --no-start."
    fi
}
