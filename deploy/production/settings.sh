# shellcheck shell=bash
# The settings in /etc/asterisk-admin. What is there stays; what is missing is made.
#   install.env  what this script fills into Asterisk's and nginx' files (root's alone)
#   web.env      the settings of the web and of `asterisk-admin`
#   agent.env    the settings of the agent
#   node.env     what a further node has to know (--allow-node; root's alone)

readonly install_env=$settings/install.env web_env=$settings/web.env agent_env=$settings/agent.env

make_settings() {
    umask 077
    make_file "$install_env"
    make_file "$agent_env"
    if [ "$role" = further ]; then
        take_database
    else
        remember "$install_env" ASTERISK_DB_PASSWORD "$(secret)"
        remember "$install_env" DB_HOST 127.0.0.1
        make_web_settings
    fi
    local name value
    for name in SIP_BIND=0.0.0.0 SIP_PORT=5060 RTP_START=10000 RTP_END=19999; do
        value=${name#*=} name=${name%%=*}
        remember "$install_env" "$name" "${!name:-$value}"
    done
    remember "$agent_env" DATABASE_URL "$database_url"
    remember "$agent_env" NODE "${NODE:-pbx1}"
    remember "$agent_env" AMI_PORT "${AMI_PORT:-5038}"
    remember "$agent_env" AMI_SECRET "$(secret)"
    remember "$agent_env" LOG_LEVEL INFO
    chown root:asterisk "$agent_env"
    chmod 640 "$agent_env"
    chmod 600 "$install_env"
    umask 022
    [ -z "${NODE:-}" ] || [ "$NODE" = "$(setting "$agent_env" NODE)" ] ||
        fail "This server is node $(setting "$agent_env" NODE) already: see $agent_env."
    note_changed_settings
}

make_file() {
    [ -e "$1" ] || touch "$1"
}

make_web_settings() {
    make_file "$web_env"
    remember "$web_env" DATABASE_URL "postgresql://$owner:$(secret)@127.0.0.1:$(postgresql_port)/$database"
    database_url=$(setting "$web_env" DATABASE_URL)
    remember "$install_env" DB_PORT "$(postgresql_port)"
    remember "$web_env" SECRET_KEY "$(secret)$(secret)"
    # A Fernet key: 32 random bytes, in the letters that addresses may hold.
    remember "$web_env" ENCRYPTION_KEY "$(openssl rand -base64 32 | tr '+/' '-_')"
    remember "$web_env" HTTPS true
    remember "$web_env" PROXIES 1
    remember "$web_env" METRICS_TOKEN "$(secret)"
    remember "$web_env" LOG_LEVEL INFO
    # How many processes of gunicorn there are; each has eight threads.
    remember "$web_env" WEB_CONCURRENCY "$(web_processes "$(nproc)")"
    chown root:asterisk-admin "$web_env"
    chmod 640 "$web_env"
    remember "$install_env" HTTP_PORT "${HTTP_PORT:-80}"
    remember "$install_env" HTTPS_PORT "${HTTPS_PORT:-443}"
    remember "$install_env" SERVER_NAME "$(hostname --fqdn 2>/dev/null || hostname)"
    [ -z "$given_name" ] || change "$install_env" SERVER_NAME "$given_name"
    if [ -n "$given_certificate$given_key" ]; then
        [ -r "$given_certificate" ] && [ -r "$given_key" ] || fail "--certificate and --key must both name a file."
        change "$install_env" TLS_CERTIFICATE "$given_certificate"
        change "$install_env" TLS_KEY "$given_key"
    fi
    remember "$install_env" TLS_CERTIFICATE "$settings/tls/certificate.pem"
    remember "$install_env" TLS_KEY "$settings/tls/key.pem"
}

# Two at least, so that one can be busy; more than eight would want more connections than PostgreSQL is set up for.
web_processes() {
    echo $(($1 < 2 ? 2 : $1 > 8 ? 8 : $1))
}

# The address of the first server's database, and what Asterisk's files make of it.
take_database() {
    if [ -n "$given_from" ]; then
        DATABASE_URL=$(setting "$given_from" DATABASE_URL)
        ASTERISK_DB_PASSWORD=$(setting "$given_from" ASTERISK_DB_PASSWORD)
    fi
    DATABASE_URL=${DATABASE_URL:-$(setting "$agent_env" DATABASE_URL)}
    ASTERISK_DB_PASSWORD=${ASTERISK_DB_PASSWORD:-$(setting "$install_env" ASTERISK_DB_PASSWORD)}
    [ -n "$DATABASE_URL" ] || ask DATABASE_URL "DATABASE_URL of the first server"
    [ -n "$ASTERISK_DB_PASSWORD" ] || ask ASTERISK_DB_PASSWORD "ASTERISK_DB_PASSWORD of the first server"
    [[ $DATABASE_URL =~ ^postgresql://[^:@/]+:[^@/]+@([^:/?]+)(:([0-9]+))?/[^?/]+ ]] ||
        fail "DATABASE_URL must be like postgresql://asterisk_admin:PASSWORD@HOST:5432/asterisk_admin"
    database_url=$DATABASE_URL
    change "$install_env" DB_HOST "${BASH_REMATCH[1]}"
    change "$install_env" DB_PORT "${BASH_REMATCH[3]:-5432}"
    change "$install_env" ASTERISK_DB_PASSWORD "$ASTERISK_DB_PASSWORD"
    change "$agent_env" DATABASE_URL "$DATABASE_URL"
}

ask() {
    [ -t 0 ] || fail "$1 is missing: give it in the environment, or name the first server's node.env with --from."
    read -r -s -p "$2: " "${1?}"
    echo
}

# A service starts with its settings, so what they were then is compared with what they are.
note_changed_settings() {
    local each name
    for each in "$web_env" "$agent_env"; do
        [ -e "$each" ] || continue
        name=$(basename "$each" .env)
        if sha256sum "$each" | put "$state/$name.seen" 600 root:root; then note "$name"; fi
    done
}
