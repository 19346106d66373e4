# shellcheck shell=bash
# nginx with TLS, fail2ban, and the rotation of logs.

configure_nginx() {
    make_certificate
    local site=/etc/nginx/sites-available/asterisk-admin enabled=/etc/nginx/sites-enabled
    SERVER_NAME=$(setting "$install_env" SERVER_NAME)
    TLS_CERTIFICATE=$(setting "$install_env" TLS_CERTIFICATE)
    TLS_KEY=$(setting "$install_env" TLS_KEY)
    HTTP_PORT=$(setting "$install_env" HTTP_PORT)
    HTTPS_PORT=$(setting "$install_env" HTTPS_PORT)
    # Without IPv6 on this machine nginx could not listen for it.
    local left=''
    [ -e /proc/net/if_inet6 ] || left='/listen \[::\]/d'
    if filled nginx.conf | sed "$left" | put "$site" 644 root:root; then note nginx; fi
    link "$site" "$enabled/asterisk-admin"
    # nginx' welcome page, if nobody has changed it.
    local touched
    touched=$(dpkg --verify nginx-common 2>/dev/null || true)
    if [ -L "$enabled/default" ] && [[ $touched != *sites-available/default* ]]; then
        rm "$enabled/default"
        note nginx
    fi
    quietly nginx -t || fail "nginx does not take its configuration: see above."
}

# Until there is one that browsers know.
make_certificate() {
    local folder=$settings/tls name
    if [ -e "$folder/certificate.pem" ]; then return; fi
    name=$(setting "$install_env" SERVER_NAME)
    say "Making a TLS certificate for $name"
    install --directory --mode=700 "$folder"
    (
        umask 077
        quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=${name:0:64}" \
            -addext "subjectAltName=DNS:$name" -keyout "$folder/key.pem" -out "$folder/certificate.pem"
    ) || fail "The certificate could not be made: see above."
}

configure_fail2ban() {
    local written=0
    put /etc/fail2ban/filter.d/asterisk-admin-sip.conf 644 root:root <"$templates/fail2ban/sip.conf" && written=1
    if [ "$role" = first ]; then
        put /etc/fail2ban/filter.d/asterisk-admin-web.conf 644 root:root <"$templates/fail2ban/web.conf" && written=1
    fi
    SIP_PORT=$(setting "$install_env" SIP_PORT)
    DATABASE_AWAY=$home/app/deploy/production/database-away
    BANACTION=nftables-multiport
    {
        filled fail2ban/jail-sip.conf
        if [ "$role" = first ]; then filled fail2ban/jail-web.conf; fi
    } | put /etc/fail2ban/jail.d/asterisk-admin.conf 644 root:root && written=1
    # Debian's own jail for sshd reads a file that is not there without rsyslog, and with it fail2ban would not start.
    if [ ! -e /var/log/auth.log ]; then
        printf '[sshd]\nbackend = systemd\n' | put /etc/fail2ban/jail.d/asterisk-admin-sshd.conf 644 root:root && written=1
    fi
    # fail2ban refuses to start without the file that it is to read.
    if [ ! -e /var/log/asterisk/security ]; then
        install --mode=640 --owner=asterisk --group=asterisk /dev/null /var/log/asterisk/security
    fi
    [ "$written" = 0 ] || note fail2ban
}

configure_logrotate() {
    ASTERISK=${ASTERISK:?}
    filled logrotate.conf | put /etc/logrotate.d/asterisk-admin 644 root:root || true
    # The package's own would turn the same files.
    rm -f /etc/logrotate.d/asterisk
    # An example, which nothing reads.
    RTP_START=$(setting "$install_env" RTP_START)
    RTP_END=$(setting "$install_env" RTP_END)
    filled nftables.conf | put "$settings/nftables-example.conf" 644 root:root || true
}
