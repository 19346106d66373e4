"""Who may sign in, and what was only meant to be looked at."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from webapp.accounts.models import User
from webapp.customers.models import Customer
from webapp.demonstration import CUSTOMER
from webapp.doctor.findings import Finding, fault, listed, ok, warning
from webapp.doctor.place import Place
from webapp.ext import db

MOST = 5  # To try a password takes a quarter of a second.
DEFAULTS = ("admin", "password")


def administrators(place: Place) -> Iterator[Finding]:
    """There is one, and nobody guesses a password."""
    place.require_database()
    query = select(User).where(User.role == "admin", User.enabled).order_by(User.username)
    admins = db.session.scalars(query.limit(MOST)).all()
    if not admins:
        yield fault("Administrator", "there is none", "Run: asterisk-admin create-admin")
        return
    with ThreadPoolExecutor() as pool:
        guessed = [user.username for user, is_weak in zip(admins, pool.map(_is_weak, admins), strict=True) if is_weak]
    if guessed:
        yield fault(
            "Administrator",
            f"anybody guesses the password of {listed(guessed)}",
            f"Run: asterisk-admin reset-password {guessed[0]}",
        )
    else:
        yield ok("Administrator", listed([user.username for user in admins]))


def _is_weak(user: User) -> bool:
    return any(user.has_password(password) for password in {user.username, *DEFAULTS})


def demonstration(place: Place) -> Iterator[Finding]:
    """It has no place among customers."""
    if not place.in_production:
        return
    place.require_database()
    if db.session.scalar(select(Customer.id).where(Customer.code == CUSTOMER)):
        yield warning(
            "Demonstration",
            f"customer {CUSTOMER} and what belongs to it is still there",
            "Delete its customers, routes, DIDs, gateways and provider; each page says what is in the way.",
        )
    else:
        yield ok("Demonstration", "none of it is there")
