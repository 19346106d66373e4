# shellcheck shell=bash
# PostgreSQL on this server: its settings, the roles, the database, and further servers that may use it.

# "15 main 5432": the cluster that the settings name by its port, else the newest.
cluster() {
    local port
    port=$(setting "$settings/install.env" DB_PORT)
    pg_lsclusters --no-header | awk -v port="$port" '$1 >= 15 && (port == "" || $3 == port) {print $1, $2, $3}' |
        sort --numeric-sort | tail --lines=1
}

postgresql_port() {
    local found
    found=$(cluster)
    [ -n "$found" ] || fail "PostgreSQL 15 or newer has no cluster here: see pg_lsclusters and pg_createcluster."
    echo "${found##* }"
}

start_postgresql() {
    local version name port
    read -r version name port < <(cluster)
    local folder=/etc/postgresql/$version/$name
    install --directory --mode=755 --owner=postgres --group=postgres "$folder/conf.d"
    local memory
    memory=$(awk '/^MemTotal/ {print int($2 / 1024)}' /proc/meminfo)
    if "$templates/postgresql-settings" "$memory" "$(nproc)" |
        put "$folder/conf.d/asterisk-admin.conf" 644 root:root; then
        note postgresql
    fi
    if ! postgresql_answers; then
        say "Starting PostgreSQL"
        if systemd_runs; then
            systemctl enable --now --quiet "postgresql@$version-$name" postgresql
        else
            pg_ctlcluster "$version" "$name" start
        fi
        done_with postgresql
    elif noted postgresql && ! is_database; then
        restart_postgresql
    fi
    wait_for "PostgreSQL" postgresql_answers
}

restart_postgresql() {
    local version name port
    read -r version name port < <(cluster)
    say "Restarting PostgreSQL"
    if systemd_runs; then
        systemctl restart "postgresql@$version-$name"
    else
        pg_ctlcluster "$version" "$name" restart
    fi
    done_with postgresql
}

# Runs one of PostgreSQL's programs as its superuser.
as_postgres() {
    (cd / && PGPORT=$(postgresql_port) runuser --user postgres -- "$@")
}

# What statements on standard input answer. (Passwords come this way: arguments can be read by everybody.)
sql() {
    as_postgres psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "$@"
}

postgresql_answers() {
    as_postgres pg_isready --quiet
}

is_database() {
    [ "$(echo "SELECT 1 FROM pg_database WHERE datname = '$database'" | sql)" = 1 ]
}

make_database() {
    local url password
    url=$(setting "$settings/web.env" DATABASE_URL)
    password=$(sed 's|^[^:]*://[^:]*:\([^@]*\)@.*|\1|' <<<"$url")
    sql <<END
DO \$\$ BEGIN CREATE ROLE $owner LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END \$\$;
SET log_min_error_statement = panic;
SET log_statement = none;
ALTER ROLE $owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '$password';
END
    is_database || create_database "$database"
}

# Text is sorted as in Brazil.
create_database() {
    as_postgres createdb --owner="$owner" --template=template0 --encoding=UTF8 --locale-provider=icu \
        --icu-locale=pt-BR --locale=C.UTF-8 "$1"
    sql <<<"REVOKE CONNECT, TEMPORARY ON DATABASE $1 FROM PUBLIC;"
}

is_migrated() {
    [ "$(echo "SELECT to_regclass('public.alembic_version_asterisk_admin') IS NOT NULL" | sql "$database")" = t ]
}

# Migrations make the role asterisk. The right to do so is more than the web should have (with PostgreSQL 15 it is nearly
# a superuser's), so the owner has it only meanwhile.
migrate() {
    if [ "$(current_release)" = "$release" ] && [ -e "$releases/$release/migrated" ]; then return; fi
    say "Bringing the database to the newest schema"
    trap end_migration EXIT
    sql <<END
ALTER ROLE $owner CREATEROLE;
DO \$\$ BEGIN
    -- Since PostgreSQL 16 that right alone is not enough for a role that somebody else made.
    IF current_setting('server_version_num')::int >= 160000 AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'asterisk') THEN
        EXECUTE 'GRANT asterisk TO $owner WITH ADMIN TRUE, INHERIT FALSE, SET FALSE';
    END IF;
END \$\$;
END
    local tries
    # It gives up at once when a table is in use, so that no call waits for it.
    for tries in {1..20}; do
        if quietly program migrate; then break; fi
        [ "$tries" -lt 20 ] || fail "The database could not be migrated: see above. The old version goes on running."
        say "Trying again in three seconds"
        sleep 3
    done
    sql <<<"GRANT CONNECT ON DATABASE $database TO asterisk;"
    ASTERISK_DB_PASSWORD=$(setting "$settings/install.env" ASTERISK_DB_PASSWORD) quietly program asterisk-password
    end_migration
    trap - EXIT
    touch "$releases/$release/migrated"
}

end_migration() {
    sql <<<"ALTER ROLE $owner NOCREATEROLE;"
}

# A backup of what the old version left, before the new one changes it.
backup_before_upgrade() {
    if [ "$(current_release)" = "$release" ] || ! is_migrated; then return; fi
    say "Making a backup first"
    quietly deploy/production/backup || fail "The backup failed, so nothing was changed: see above and $log."
}

# Lets an Asterisk server at an address use the database, over TLS and with the passwords, and writes down for it how.
allow_node() {
    local address=$1 version name port folder
    [[ $address =~ ^[0-9a-fA-F.:]+$ ]] || fail "--allow-node needs an IP address."
    read -r version name port < <(cluster)
    folder=/etc/postgresql/$version/$name
    local mask=32
    [[ $address != *:* ]] || mask=128
    local line="hostssl $database $owner,asterisk $address/$mask scram-sha-256"
    if ! grep --quiet --line-regexp --fixed-strings "$line" "$folder/pg_hba.conf"; then
        printf '%s\n' "$line" >>"$folder/pg_hba.conf"
        sql <<<"SELECT pg_reload_conf();" >/dev/null
    fi
    if echo "listen_addresses = '*' # for further Asterisk servers; pg_hba.conf says which" |
        put "$folder/conf.d/asterisk-admin-nodes.conf" 644 root:root; then
        say "PostgreSQL listens for other servers from its next restart on. Calls in progress go on meanwhile, new ones are"
        say "refused for a second or two: systemctl restart postgresql@$version-$name"
    fi
    local ours
    ours=$(ip -oneline route get "$address" | sed --quiet 's/.* src \([^ ]*\).*/\1/p')
    (
        umask 077
        sed --quiet "s|@127.0.0.1:\(.*\)|@$ours:\1?sslmode=require|; /^DATABASE_URL=/p" "$web_env"
        grep '^ASTERISK_DB_PASSWORD=' "$install_env"
    ) | put "$settings/node.env" 600 root:root || true
    say "Copy $settings/node.env to the other server and run there: deploy/install --node NAME --from node.env"
}

# Waits up to a minute for something to be so.
wait_for() {
    local what=$1 end=$((SECONDS + 60))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || fail "$what does not answer."
        sleep 0.2
    done
}
