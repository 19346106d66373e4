"""A new ENCRYPTION_KEY while the old one is still there, and what is done when it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from tests.calls.exchange import ENCRYPTION_KEY
from tests.engine.tables import value
from tests.factories import make_customer, make_extension, make_gateway
from webapp import encryption, rotation, store
from webapp.accounts import second_factor
from webapp.accounts.models import SecondFactor, User
from webapp.asterisk.check import check
from webapp.encryption import WrongKey
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway
from webapp.providers.models import Provider
from webapp.rotation import Stored

NEW = Fernet.generate_key().decode()
PHONES = "SELECT string_agg(secret, ' ' ORDER BY extension) FROM extensions"


@pytest.fixture
def stored(provider: Provider, operator: User) -> Iterator[None]:
    """Two phones, two gateways of which one has a password, and an app: under the key of the tests."""
    customer = make_customer()
    store.save(customer)
    store.save(*(make_extension(number, customer, secret=f"hush-{number}") for number in ("100", "101")))
    store.save(make_gateway("A", provider_id=provider.id, username="us", password="hush-gateway;^"))
    store.save(make_gateway("B", provider_id=provider.id, ip_address="192.0.2.11"))
    second_factor.begin(operator)
    yield
    encryption.use(f"{ENCRYPTION_KEY},{NEW}")
    rotation.rotate()
    encryption.use(ENCRYPTION_KEY)


def counts() -> list[tuple[int, int, int]]:
    """Of apps, gateways and phones: those under the first key, under another, under none."""
    found = {each.name: each for each in rotation.look()}
    names = ("second_factors.secret", "gateways.password", "extensions.secret")
    assert set(found) == set(names)
    return [(found[name].first, found[name].older, found[name].unreadable) for name in names]


@pytest.mark.usefixtures("stored")
def test_it_is_not_stored_as_it_is() -> None:
    assert "hush" not in value(PHONES)
    assert "hush" not in value("SELECT string_agg(password, ' ') FROM gateways")
    assert value("SELECT password FROM gateways WHERE name = 'B'") == "", "that there is none is no secret"


@pytest.mark.usefixtures("stored")
def test_all_is_brought_under_the_new_key_while_the_old_one_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "PAGE", 1)
    before = value("SELECT array_agg((version, updated_at, name) ORDER BY id)::text FROM extensions")
    encryption.use(f"{NEW}, {ENCRYPTION_KEY}")
    assert counts() == [(0, 1, 0), (0, 1, 0), (0, 2, 0)]
    assert check(db.session()) == []

    assert Stored("second_factors.secret", first=1) in rotation.rotate()

    encryption.use(NEW)
    assert counts() == [(1, 0, 0), (1, 0, 0), (2, 0, 0)]
    assert check(db.session()) == []
    db.session.expire_all()
    assert {phone.secret for phone in db.session.scalars(select(Extension))} == {"hush-100", "hush-101"}
    assert {gateway.password for gateway in db.session.scalars(select(Gateway))} == {"hush-gateway;^", ""}
    assert len(second_factor.secret(db.session.scalars(select(SecondFactor)).one())) == 32
    after = value("SELECT array_agg((version, updated_at, name) ORDER BY id)::text FROM extensions")
    assert after == before, "whoever has a form open may save it"
    under_new = value(PHONES)
    rotation.rotate()
    assert value(PHONES) == under_new, "what is right is left alone"


@pytest.mark.usefixtures("stored")
def test_a_secret_that_somebody_changes_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    encryption.use(f"{NEW},{ENCRYPTION_KEY}")
    phone = db.session.scalars(select(Extension).where(Extension.extension == "100")).one()
    encrypt = encryption.encrypt

    def meanwhile(secret: str) -> str:
        monkeypatch.setattr(encryption, "encrypt", encrypt)
        phone.secret = "hush-anew"
        store.save(phone)
        return encrypt(secret)

    [column] = [each for each in rotation._columns() if each.table.name == "extensions"]
    [page] = rotation._pages(column)
    monkeypatch.setattr(encryption, "encrypt", meanwhile)
    rotation._write(column, page)

    db.session.expire_all()
    assert phone.secret == "hush-anew"


@pytest.mark.usefixtures("stored")
def test_what_is_under_none_of_the_keys_is_left_and_counted(other_key: Callable[[], None]) -> None:
    before = value(PHONES)
    other_key()

    rotation.rotate()

    assert counts() == [(0, 0, 1), (0, 0, 1), (0, 0, 2)]
    assert value(PHONES) == before
    with pytest.raises(WrongKey):
        check(db.session())


@pytest.mark.usefixtures("stored")
def test_when_the_key_is_lost(provider: Provider) -> None:
    """Asterisk's table has passwords of gateways, but for those that are disabled; phones get new secrets as asked."""
    disabled = make_gateway("C", provider_id=provider.id, ip_address="192.0.2.12", enabled=False, registration=True)
    disabled.username, disabled.password = "us", "hush-disabled"
    store.save(disabled)
    encryption.use(NEW)

    assert sorted(rotation.take_back_passwords()) == [("A", True), ("C", False)]
    [(user, secret)] = rotation.renew_phones(["acme-100", "acme-999"])

    assert counts() == [(0, 0, 1), (1, 0, 0), (1, 0, 1)]
    db.session.expire_all()
    gateways = {gateway.name: gateway.password for gateway in db.session.scalars(select(Gateway))}
    assert gateways == {"A": "hush-gateway;^", "B": "", "C": ""}
    assert (user, len(secret)) == ("acme-100", 20)
    rotation.renew_phones(["acme-101"])
    assert check(db.session()) == []


def test_a_process_without_keys_reads_secrets_as_they_are_stored_and_writes_none(stored: None) -> None:
    """Such as an agent: what it has learnt gives nothing away."""
    encryption._keys.clear()
    assert db.session.scalars(select(Extension.secret).where(Extension.extension == "100")).one().startswith("gAAAA")
    with pytest.raises(RuntimeError, match="ENCRYPTION_KEY"):
        encryption.encrypt("hush")
