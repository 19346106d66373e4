"""What role `asterisk` and the owner may do in the database: what schema/sql/role.sql says, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import psycopg2
from psycopg2 import sql

from schema import migrate
from webapp.doctor import conf
from webapp.doctor.findings import Finding, NotLooked, fault, listed, ok, warning
from webapp.doctor.place import Place, first_line

# Grants are compared as texts such as "INSERT (dialed) on asterisk.call_requests".
_GRANT = re.compile(r"GRANT\s+([^;]+?)\s+ON\s+(SCHEMA\s|FUNCTION\s|SEQUENCE\s|TABLE\s)?([^;]+?)\s+TO\s+asterisk;")
_PRIVILEGE = re.compile(r"(\w+)\s*(?:\(([^)]*)\))?")
_SETTING = re.compile(r"ALTER ROLE asterisk IN DATABASE %I SET (\w+) = (?:'')?(\w+)")


@cache
def _role_sql() -> str:
    lines = (migrate.SQL / "role.sql").read_text().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("--"))


def wanted_grants() -> set[str]:
    """Those of role.sql, to relations, their columns, schemas and functions."""
    wanted = set()
    for privileges, kind, names in _GRANT.findall(_role_sql()):
        prefix = f"{kind.strip().lower()} " if kind.strip() in ("SCHEMA", "FUNCTION") else ""
        for privilege, columns in _PRIVILEGE.findall(privileges):
            for name in re.split(r"\s*,\s*", names):
                thing = f"{prefix}{name}"
                for column in re.split(r"\s*,\s*", columns) if columns else [""]:
                    wanted.add(f"{privilege} ({column}) on {thing}" if column else f"{privilege} on {thing}")
    return wanted


def role_asterisk(place: Place) -> Iterator[Finding]:
    """It is there and nobody special."""
    rows = place.ask(
        "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls, rolcanlogin, "
        "ARRAY(SELECT roleid::regrole::text FROM pg_auth_members m WHERE m.member = r.oid), "
        "EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid) "
        "FROM pg_roles r WHERE rolname = 'asterisk'"
    )
    if not rows:
        yield fault("Role asterisk", "it is not there, so Asterisk cannot read anything", place.migrate)
        return
    [(special, may_sign_in, groups, owns)] = rows
    if special:
        yield fault(
            "Role asterisk",
            "it may do more than read and store calls",
            place.psql("ALTER ROLE asterisk NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS"),
        )
    if groups:
        yield fault(
            "Role asterisk",
            f"it has the rights of {listed(groups)}, too",
            place.psql(f"REVOKE {groups[0]} FROM asterisk"),
        )
    if owns:
        yield fault(
            "Role asterisk",
            "tables belong to it, which it may change",
            place.psql(f"REASSIGN OWNED BY asterisk TO {_owner(place)}"),
        )
    if not may_sign_in:
        yield fault("Role asterisk", "it may not sign in", place.psql("ALTER ROLE asterisk LOGIN"))
    if not (special or groups or owns) and may_sign_in:
        yield ok("Role asterisk", "nobody special")


def _owner(place: Place) -> str:
    [(name,)] = place.ask("SELECT current_user::text")
    return str(name)


def grants(place: Place) -> Iterator[Finding]:
    """What role asterisk may do with tables and functions. Those of extensions are everybody's."""
    rows = place.ask(
        """
        WITH who AS (SELECT oid FROM pg_roles WHERE rolname = 'asterisk'),
        ours AS (SELECT oid, nspname, nspacl FROM pg_namespace
                 WHERE nspname NOT IN ('pg_catalog', 'information_schema') AND nspname !~ '^pg_')
        SELECT a.privilege_type || ' on ' || n.nspname || '.' || c.relname
        FROM pg_class c JOIN ours n ON n.oid = c.relnamespace, aclexplode(c.relacl) a, who
        WHERE a.grantee IN (0, who.oid)
        UNION SELECT a.privilege_type || ' (' || t.attname || ') on ' || n.nspname || '.' || c.relname
        FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN ours n ON n.oid = c.relnamespace,
             aclexplode(t.attacl) a, who
        WHERE a.grantee IN (0, who.oid) AND NOT t.attisdropped
        UNION SELECT a.privilege_type || ' on schema ' || n.nspname FROM ours n, aclexplode(n.nspacl) a, who
        WHERE a.grantee IN (0, who.oid)
        UNION SELECT format('EXECUTE on function %s.%s(%s)', n.nspname, p.proname, oidvectortypes(p.proargtypes))
        FROM pg_proc p JOIN ours n ON n.oid = p.pronamespace,
             aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a, who
        WHERE a.grantee IN (0, who.oid)
          AND NOT EXISTS (SELECT FROM pg_depend d
                          WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
        """
    )
    there, wanted = {row[0] for row in rows}, wanted_grants()
    missing, more = sorted(wanted - there), sorted(there - wanted)
    if missing:
        yield fault("Its grants", f"missing: {listed(missing)}; calls or call records fail", place.migrate)
    if more:
        yield fault(
            "Its grants",
            f"more than it needs: {listed(more)}",
            place.psql(f"REVOKE {more[0].replace(' on ', ' ON ', 1)} FROM asterisk, PUBLIC"),
        )
    if not missing and not more:
        yield ok("Its grants", f"{len(wanted)}, exactly those of role.sql")


def time_limits(place: Place) -> Iterator[Finding]:
    """A query that hangs would hold up every call of a node."""
    rows = place.ask(
        "SELECT lower(setting) FROM pg_db_role_setting s, unnest(s.setconfig) AS setting "
        "WHERE s.setrole = to_regrole('asterisk') "
        "AND s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    there = {row[0] for row in rows}
    missing = sorted(f"{name} = {value}" for name, value in _SETTING.findall(_role_sql()))
    missing = [each for each in missing if each.lower().replace(" = ", "=") not in there]
    if missing:
        yield fault("Its limits", f"not set in this database: {listed(missing)}", place.migrate)
    else:
        yield ok("Its limits", "time limits and search_path as in role.sql")


def owner(place: Place) -> Iterator[Finding]:
    """Who finds a hole in the web must not rule the database server."""
    [(name, is_super, may_make_roles)] = place.ask(
        "SELECT rolname, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user"
    )
    if is_super:
        yield fault(
            "Owner",
            f"{name}, whom the web uses, is a superuser",
            f'Run: sudo -u postgres psql -c "ALTER ROLE {name} NOSUPERUSER"',
        )
    elif may_make_roles and place.in_production:
        yield warning(
            "Owner",
            f"{name}, whom the web uses, may make roles, which only a migration needs",
            f'Run: sudo -u postgres psql -c "ALTER ROLE {name} NOCREATEROLE"',
        )
    else:
        yield ok("Owner", f"{name} is no superuser")
    [(may_make,)] = place.ask("SELECT has_schema_privilege('public', 'public', 'CREATE')")
    if may_make:
        yield fault(
            "Schema public", "everybody may make tables and functions in it, which ours would then use", place.migrate
        )


def login_of_asterisk(place: Place) -> Iterator[Finding]:
    """Asterisk's own name and password, from its own file: whether it gets in, and reads what extconfig.conf names."""
    if not place.node:
        return
    values = conf.installed(place.etc).values
    try:
        host, port, name, password = (
            next(iter(values[key])) for key in ("DB_HOST", "DB_PORT", "DB_NAME", "DB_PASSWORD")
        )
    except KeyError as missing:
        raise NotLooked(f"{place.etc}/res_pgsql.conf does not say {str(missing.args[0]).lower()}") from None
    try:
        connection = psycopg2.connect(
            host=host, port=port, dbname=name, user="asterisk", password=password, connect_timeout=5
        )
    except psycopg2.OperationalError as error:
        reason = first_line(error)
        if "password" in reason:
            to_do = (
                f"Give role asterisk the password of {place.etc}/res_pgsql.conf: "
                "ASTERISK_DB_PASSWORD=... asterisk-admin asterisk-password"
            )
        elif "pg_hba.conf" in reason:
            to_do = "Let role asterisk in from this machine: a line in pg_hba.conf, and systemctl reload postgresql"
        else:
            to_do = f"Look whether the database runs there, and at {place.etc}/res_pgsql.conf."
        yield fault("Asterisk's login", reason, to_do)
        return
    try:
        connection.set_session(readonly=True, autocommit=True)
        unread = []
        for table in conf.tables(place.etc):
            if table == "asterisk.call_requests":
                continue  # It is written, and read through call_answers.
            with connection.cursor() as cursor:
                try:
                    query = sql.SQL("SELECT * FROM {} LIMIT 1").format(sql.Identifier(*table.split(".")))
                    cursor.execute(query)
                except psycopg2.Error:
                    unread.append(table)
    finally:
        connection.close()
    if unread:
        yield fault("Asterisk's login", f"it cannot read {listed(unread)}, named in extconfig.conf", place.migrate)
    else:
        yield ok("Asterisk's login", "signs in, and reads what extconfig.conf names")
