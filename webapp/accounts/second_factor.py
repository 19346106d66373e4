"""Signing in in two steps: an app that shows a new code every 30 seconds (TOTP), and codes for when it is lost."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time

import pyotp
import segno
import structlog
from sqlalchemy import Update, delete, func, update
from sqlalchemy.dialects.postgresql import insert

from webapp import store
from webapp.accounts.models import SecondFactor, User
from webapp.encryption import WrongKey
from webapp.ext import db

RECOVERY_CODES = 10
STEP = 30  # Seconds that a code is shown.
APP, RECOVERY = "app", "recovery code"  # What somebody may sign in with.

log = structlog.get_logger()


def of(user: User) -> SecondFactor | None:
    return db.session.get(SecondFactor, user.id)


def is_on(user: User) -> bool:
    """Whether this user is asked for a code."""
    factor = of(user)
    return factor is not None and factor.confirmed


def begin(user: User) -> None:
    """A new secret for the user's app. Nobody is asked for codes until a first one has confirmed it."""
    fresh = {"secret": pyotp.random_base32(), "last_step": 0}
    begun = insert(SecondFactor).values(user_id=user.id, **fresh)
    store.note(begun.on_conflict_do_update(index_elements=["user_id"], set_=fresh, where=~SecondFactor.confirmed))


def confirm(user: User, code: str) -> list[str]:
    """From now on, ask for codes. The recovery codes, which are not stored and cannot be shown again; none: wrong code.

    It takes a code of the app: proof that the app has the secret.
    """
    if _used_up(user, code) != APP:
        return []
    codes = [base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)]
    store.record("second factor on", "users", user.id, user.username)
    mine = SecondFactor.user_id == user.id
    store.note(update(SecondFactor).where(mine).values(confirmed=True, recovery_codes=[_hash(code) for code in codes]))
    return ["-".join(re.findall("....", code)) for code in codes]


def remove(user: User) -> None:
    """From now on the password is enough."""
    store.record("second factor off", "users", user.id, user.username)
    store.note(delete(SecondFactor).where(SecondFactor.user_id == user.id))


def accept(user: User, code: str) -> str:
    """APP or RECOVERY if the code is one, which is used up with the next note; empty if it is wrong."""
    return _used_up(user, code) if is_on(user) else ""


def secret(factor: SecondFactor) -> str:
    """What the app needs to know, as text; empty if it was encrypted under a key that we do not have."""
    try:
        return factor.secret
    except WrongKey as error:
        log.error("a second factor cannot be read", reason=str(error))
        return ""


def picture(user: User, secret: str) -> str:
    """A QR code that the app reads, as SVG without styles. On white in a dark page too, for cameras want it so."""
    address = pyotp.TOTP(secret).provisioning_uri(name=user.username, issuer_name="Asterisk Admin")
    return segno.make(address, error="m", micro=False).svg_inline(scale=5, dark="#000", light="#fff")


def _used_up(user: User, code: str) -> str:
    """The kind of a right code. Each statement takes what it uses up, so that of two at once one is too late."""
    factor = of(user)
    if factor is None:
        return ""
    typed = re.sub(r"[^0-9a-z]", "", code.lower())
    mine = SecondFactor.user_id == user.id
    known = secret(factor)
    if known and (step := _step(known, typed)):
        taken = update(SecondFactor).where(mine, SecondFactor.last_step < step).values(last_step=step)
        return APP if _changes(taken) else ""
    hashed = _hash(typed)
    left = func.array_remove(SecondFactor.recovery_codes, hashed)
    taken = update(SecondFactor).where(mine, SecondFactor.recovery_codes.contains([hashed])).values(recovery_codes=left)
    return RECOVERY if _changes(taken) else ""


def _changes(statement: Update) -> bool:
    return db.session.scalar(statement.returning(SecondFactor.user_id)) is not None


def _step(secret: str, typed: str) -> int:
    """The step whose code was typed: this one, or the one before or after it, for clocks differ. 0: none of them."""
    now, codes = step_now(), pyotp.TOTP(secret)
    return max(step if hmac.compare_digest(codes.generate_otp(step), typed) else 0 for step in range(now - 1, now + 2))


def step_now() -> int:
    return int(time.time()) // STEP


def _hash(code: str) -> str:
    """A fast one is enough: nobody guesses 80 random bits."""
    return hashlib.sha256(code.encode()).hexdigest()
