"""How often somebody tried to sign in in vain, and who has to wait: guessing is slow, and nobody is locked out.

A try is counted before the password is looked at, so that many at once gain nothing, and forgotten when it succeeds.
Where a user has signed in before, only his own tries from there count: no stranger can make him wait.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import math

from sqlalchemy import ColumnElement, and_, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from webapp import store
from webapp.accounts.models import KnownAddress, SignInTry, User
from webapp.ext import db

WINDOW = dt.timedelta(minutes=15)
OF_ONE_USER_FROM_ONE_ADDRESS = 5
FROM_ONE_ADDRESS = 30
OF_ONE_USER = 20
REMEMBERED = dt.timedelta(days=30)


class TooManyTries(Exception):
    """Wait so many seconds."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def begin(username: str, address: str) -> None:
    """Count a try, whether there is such a user or not; TooManyTries if there have been too many of late."""
    address = _network(address)
    db.session.execute(select(func.pg_advisory_xact_lock(func.hashtext("asterisk-admin sign-in"))))
    db.session.execute(delete(SignInTry).where(SignInTry.at <= func.now() - WINDOW))
    seconds = _seconds_to_wait(username, address)
    if not seconds:
        db.session.add(SignInTry(username=username, address=address))
    store.note()
    if seconds:
        raise TooManyTries(seconds)


def forget(user: User, address: str) -> None:
    """A try succeeded: it and those before it no longer count, and the address is known. Stored with the next note."""
    address = _network(address)
    mine = (KnownAddress.user_id == user.id, KnownAddress.seen_at < func.now() - REMEMBERED)
    known = insert(KnownAddress).values(user_id=user.id, address=address)
    db.session.execute(delete(SignInTry).where(SignInTry.username == user.username, SignInTry.address == address))
    db.session.execute(delete(KnownAddress).where(*mine))
    db.session.execute(known.on_conflict_do_update(index_elements=["user_id", "address"], set_={"seen_at": func.now()}))


def _seconds_to_wait(username: str, address: str) -> int:
    of_user, from_here = SignInTry.username == username, SignInTry.address == address
    limits = [(and_(of_user, from_here), OF_ONE_USER_FROM_ONE_ADDRESS)]
    if not _is_known(username, address):
        limits += [(from_here, FROM_ONE_ADDRESS), (of_user, OF_ONE_USER)]
    return max(_seconds_until_fewer(tries, most) for tries, most in limits)


def _is_known(username: str, address: str) -> bool:
    found = select(KnownAddress.user_id).join(User, User.id == KnownAddress.user_id)
    recent = KnownAddress.seen_at > func.now() - REMEMBERED
    return bool(db.session.scalar(found.where(User.username == username, KnownAddress.address == address, recent)))


def _seconds_until_fewer(tries: ColumnElement[bool], most: int) -> int:
    """How long until there are fewer than `most` of these tries within the window."""
    left = func.extract("epoch", SignInTry.at + WINDOW - func.now())
    seconds = db.session.scalar(select(left).where(tries).order_by(SignInTry.at.desc()).offset(most - 1).limit(1))
    return math.ceil(seconds or 0)


def _network(address: str) -> str:
    """Whoever has one IPv6 address has the other 2^64 of its network, so they count as one."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # A socket in the file system has none.
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    return str(found.ipv4_mapped or ipaddress.ip_network((int(found), 64), strict=False))
