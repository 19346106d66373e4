"""Secrets that Asterisk need not read lie encrypted, and of those of phones it reads digests."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from alembic import context, op
from alembic.util.exc import CommandError
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import TableClause, bindparam, column, select, table, update

from webapp.encryption import decrypt, encrypt

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

PAGE = 1000

EXTENSIONS = table("extensions", column("id"), column("secret"), schema="public")
GATEWAYS = table("gateways", column("id"), column("password"), schema="public")
SECOND_FACTORS = table("second_factors", column("user_id"), column("secret"), schema="public")

# Phones are known by what their secret makes of it in this realm (default_realm in pjsip.conf).
DIGESTS = """
    UPDATE asterisk.ps_auths a
    SET auth_type = 'md5', md5_cred = md5(a.username || ':asterisk:' || e.secret), password = NULL
    FROM public.extensions e WHERE a.owner = 'extension:' || e.id
"""
# As res_config_pgsql has to find it, which takes ; and ^ for signs of its own.
PASSWORDS = """
    UPDATE asterisk.ps_auths a
    SET auth_type = 'userpass', md5_cred = NULL, password = replace(replace(e.secret, '^', '^5E'), ';', '^3B')
    FROM public.extensions e WHERE a.owner = 'extension:' || e.id
"""
# What each Asterisk has in its caches is as right as before, but it is no longer what the rows say.
READ_ANEW = "INSERT INTO public.outbox (node, action) SELECT name, 'start_afresh' FROM public.nodes WHERE enabled"


def upgrade() -> None:
    _alone()
    op.execute(DIGESTS)
    op.execute(READ_ANEW)
    _rewrite(EXTENSIONS, encrypt)
    _rewrite(GATEWAYS, encrypt)
    _rewrite(SECOND_FACTORS, lambda stored: encrypt(secret) if (secret := _app_secret(stored)) else "")


def downgrade() -> None:
    _alone()
    _rewrite(EXTENSIONS, decrypt)
    _rewrite(GATEWAYS, decrypt)
    _rewrite(SECOND_FACTORS, lambda stored: _earlier_cipher().encrypt(decrypt(stored).encode()).decode())
    op.execute(PASSWORDS)
    op.execute(READ_ANEW)


def _alone() -> None:
    """Nobody saves meanwhile; a program of before would take for the secret what it finds afterwards."""
    op.execute("SELECT pg_advisory_xact_lock(hashtext('asterisk-admin save'))")


def _rewrite(things: TableClause, change: Callable[[str], str]) -> None:
    id, secret = things.c
    statement = update(things).where(id == bindparam("thing")).values({secret.name: bindparam("changed")})
    for page in _pages(things):
        op.get_bind().execute(statement, [{"thing": key, "changed": change(stored)} for key, stored in page])


def _pages(things: TableClause) -> Iterator[Sequence[Any]]:
    id, secret = things.c
    query = select(id, secret).where(secret != "").order_by(id).limit(PAGE)
    page = op.get_bind().execute(query).all()
    while page:
        yield page
        page = op.get_bind().execute(query.where(id > page[-1][0])).all()


def _app_secret(stored: str) -> str:
    """Empty if SECRET_KEY was another one then: no code of the app was right before, and recovery codes still are."""
    try:
        return _earlier_cipher().decrypt(stored).decode()
    except InvalidToken:
        return ""


def _earlier_cipher() -> Fernet:
    """The secrets of authenticator apps were the only ones that were encrypted, under a key made of SECRET_KEY."""
    secret_key = context.config.attributes["secret_key"]
    if not secret_key:
        raise CommandError(
            "users sign in with an authenticator app, whose secrets are encrypted under SECRET_KEY: set it for this "
            "command as the web process has it. If it is lost, any other will do: their app codes are then wrong and "
            "their recovery codes right."
        )
    derived = HKDF(SHA256(), length=32, salt=None, info=b"asterisk-admin second factor")
    return Fernet(base64.urlsafe_b64encode(derived.derive(secret_key.encode())))
