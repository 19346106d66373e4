"""Sessions that can be ended, tries that make wait, and the second step of signing in."""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections.abc import Callable, Iterator

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from deploy.embedded.postgres import Postgres
from tests.calls.exchange import settings
from tests.conftest import PASSWORD, Counting, make_user, signed_in
from tests.web import things
from tests.web.html import alert, error_at
from webapp import create_app, store
from webapp.accounts import second_factor, sessions, tries
from webapp.accounts.models import AuditEntry, KnownAddress, SecondFactor, SignInTry, User, UserSession
from webapp.ext import db
from webapp.providers.models import Provider

HERE, THERE = "192.0.2.1", "198.51.100.7"


@pytest.fixture
def stranger(app: Flask, client: FlaskClient) -> FlaskClient:
    """A browser in which nobody is signed in, that wants English."""
    return browser(app, HERE)


def browser(app: Flask, address: str) -> FlaskClient:
    found = app.test_client()
    found.environ_base.update(HTTP_ACCEPT_LANGUAGE="en", REMOTE_ADDR=address)
    return found


def enter(browser: FlaskClient, username: str = "olga", password: str = PASSWORD, **more: str) -> tuple[int, str]:
    """The status of a try to sign in, and what the page says."""
    answer = browser.post("/login", data={"username": username, "password": password, **more})
    return answer.status_code, alert(answer.text) if answer.status_code != 302 else str(answer.location)


WRONG = (422, "The user name or the password is wrong.")
WAIT = (429, "Too many tries. Wait a few minutes and try again.")
IN = (302, "/")


def is_in(browser: FlaskClient) -> bool:
    return browser.get("/").status_code == 200


def earlier(**ago: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) - dt.timedelta(**ago)


# ---- sessions


def test_a_session_is_a_row_that_can_be_deleted(client: FlaskClient) -> None:
    assert is_in(client)
    row = things.one(UserSession)
    assert (row.address, row.user_agent) == ("127.0.0.1", "Werkzeug/" + row.user_agent.partition("/")[2])
    store.note(UserSession.__table__.delete())  # type: ignore[attr-defined]  # a model's table is a Table
    assert not is_in(client)


@pytest.mark.parametrize(
    ("column", "hours_ago", "lives"),
    [("seen_at", 11.5, True), ("seen_at", 12.5, False), ("expires_at", -0.5, True), ("expires_at", 0.5, False)],
    ids=["used today", "not used for long", "almost a week old", "a week old"],
)
def test_a_session_ends_by_age(client: FlaskClient, column: str, hours_ago: float, lives: bool) -> None:
    store.note(update(UserSession).values({column: earlier(hours=hours_ago)}))
    assert is_in(client) == lives
    assert dt.timedelta(days=7) == sessions.LONGEST
    assert dt.timedelta(hours=12) == sessions.IDLE


def test_it_is_noted_once_a_minute_that_a_session_is_used(client: FlaskClient, counting: Counting) -> None:
    long_ago = earlier(hours=2)
    store.note(update(UserSession).values(seen_at=long_ago))
    with counting() as first:
        client.get("/login/token")
    with counting() as second:
        client.get("/login/token")
    assert things.one(UserSession).seen_at > long_ago
    assert len([statement for statement in first if statement.startswith("UPDATE sessions")]) == 1
    assert len(second) == 1, second


def test_who_signs_in_gets_a_new_session(app: Flask, stranger: FlaskClient) -> None:
    """What somebody else may have put into the browser before is worth nothing then."""
    with stranger.session_transaction() as planted:
        planted["_user_id"], planted["csrf_token"] = str(uuid.uuid4()), "planted"
    assert enter(stranger) == IN
    with stranger.session_transaction() as now:
        first = now["_user_id"]
        assert first != planted["_user_id"]
        assert now.get("csrf_token") != "planted"
    stranger.post("/logout")
    enter(stranger)
    with stranger.session_transaction() as now:
        assert now["_user_id"] != first


def test_a_cookie_of_before_signing_out_is_worth_nothing(app: Flask, stranger: FlaskClient) -> None:
    enter(stranger)
    with stranger.session_transaction() as session:
        kept = dict(session)
    stranger.post("/logout")
    with stranger.session_transaction() as session:
        session.update(kept)
    assert not is_in(stranger)
    assert things.count(UserSession, address=HERE) == 0


def test_old_sessions_are_cleared_away_when_somebody_signs_in(client: FlaskClient, stranger: FlaskClient) -> None:
    store.note(update(UserSession).values(expires_at=earlier(days=1)))
    assert enter(stranger) == IN
    assert things.one(UserSession).address == HERE


def test_signing_in_is_in_the_audit_log_and_signing_in_in_vain_is_not(stranger: FlaskClient) -> None:
    enter(stranger, password="wrong")
    enter(stranger)
    entry = things.one(AuditEntry, action="sign in", after={"address": HERE, "proof": "password"})
    assert (entry.username, entry.label, entry.kind) == ("olga", "olga", "users")
    assert things.count(AuditEntry, action="sign in") == 2  # The other one is of the fixture.


def test_the_cookie_is_for_this_site_and_no_script(app: Flask, database_url: str, stranger: FlaskClient) -> None:
    answer = stranger.post("/login", data={"username": "olga", "password": PASSWORD})
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("asterisk_admin=")
    assert "; HttpOnly; " in cookie
    assert cookie.endswith("; SameSite=Lax")
    assert "Secure" not in cookie

    safe = create_app(settings(database_url).model_copy(update={"https": True}))
    safe.config["WTF_CSRF_ENABLED"] = False
    cookie = safe.test_client().post("/language", data={"language": "en"}).headers["Set-Cookie"]
    assert cookie.startswith("__Host-asterisk_admin=")
    assert "; Secure; HttpOnly; Path=/; SameSite=Lax" in cookie
    assert "Domain" not in cookie


def test_a_new_csrf_token_for_a_form_that_was_open(
    app: Flask, client: FlaskClient, stranger: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert enter(stranger) == IN
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)
    answer = stranger.get("/login/token")
    assert answer.headers["Cache-Control"] == "no-store"
    form = {"name": "Norte", "type": "both", "csrf_token": answer.json["csrf_token"]}  # type: ignore[index]  # it is JSON
    assert stranger.post("/providers/new", data=form).status_code == 302
    assert things.count(Provider) == 1


def test_nothing_managed_is_stored_without_its_audit(client: FlaskClient) -> None:
    db.session.add(Provider(name="Norte"))
    with pytest.raises(RuntimeError):
        store.note()
    db.session.rollback()


# ---- tries


def test_after_five_tries_one_waits_and_another_does_not(app: Flask, stranger: FlaskClient) -> None:
    make_user("nina", "operator")
    db.session.commit()
    assert [enter(stranger, password="wrong") for _ in range(5)] == [WRONG] * 5
    answer = stranger.post("/login", data={"username": " OLGA", "password": PASSWORD})
    assert (answer.status_code, alert(answer.text)) == WAIT
    assert 890 <= int(answer.headers["Retry-After"]) <= 900
    assert enter(stranger, "nina") == IN
    assert enter(browser(app, THERE)) == IN


def test_waiting_ends_by_itself_and_does_not_grow_by_trying(stranger: FlaskClient) -> None:
    for _ in range(9):
        enter(stranger, password="wrong")
    assert things.count(SignInTry) == 5
    store.note(update(SignInTry).values(at=earlier(minutes=5)))
    assert enter(stranger) == WAIT
    store.note(update(SignInTry).values(at=earlier(hours=1)))
    assert enter(stranger) == IN
    assert things.count(SignInTry) == 0


def test_the_sixth_try_waits_for_the_first_to_be_forgotten(stranger: FlaskClient) -> None:
    for _ in range(5):
        enter(stranger, password="wrong")
    ids = list(db.session.scalars(select(SignInTry.id).order_by(SignInTry.id)))
    store.note(update(SignInTry).where(SignInTry.id == ids[0]).values(at=earlier(minutes=10)))
    answer = stranger.post("/login", data={"username": "olga", "password": PASSWORD})
    assert 0 < int(answer.headers["Retry-After"]) < 600


def test_signing_in_forgets_the_tries_before(stranger: FlaskClient) -> None:
    for _ in range(3):
        for _ in range(4):
            assert enter(stranger, password="wrong") == WRONG
        assert enter(stranger) == IN
        stranger.post("/logout")


def test_a_name_that_nobody_has_waits_as_one_that_somebody_has(stranger: FlaskClient) -> None:
    answers = {name: [enter(stranger, name, "wrong") for _ in range(6)] for name in ("olga", "nobody")}
    assert answers["olga"] == answers["nobody"] == [WRONG] * 5 + [WAIT]


def test_an_address_that_tries_many_names_waits(app: Flask, stranger: FlaskClient) -> None:
    for n in range(30):
        assert enter(stranger, f"user{n}", "wrong") == WRONG
    assert enter(stranger, "somebody else", "wrong") == WAIT
    assert enter(stranger) == WAIT
    assert enter(browser(app, THERE)) == IN


def test_nobody_locks_the_owner_out_by_trying_from_everywhere(app: Flask, stranger: FlaskClient) -> None:
    assert enter(stranger) == IN
    stranger.post("/logout")
    for n in range(20):
        assert enter(browser(app, f"203.0.113.{n}"), password="wrong") == WRONG
    assert enter(browser(app, THERE)) == WAIT  # Even with the right password: it might be guessed.
    assert enter(stranger) == IN


def test_an_owner_behind_an_address_that_others_misuse_is_let_in(app: Flask, stranger: FlaskClient) -> None:
    assert enter(stranger) == IN
    stranger.post("/logout")
    for n in range(30):
        enter(stranger, f"user{n}", "wrong")
    assert enter(stranger, "user31", "wrong") == WAIT
    assert enter(stranger) == IN


def test_an_address_is_known_for_thirty_days(app: Flask, stranger: FlaskClient) -> None:
    assert enter(stranger) == IN
    stranger.post("/logout")
    for n in range(20):
        enter(browser(app, f"203.0.113.{n}"), password="wrong")
    store.note(update(KnownAddress).values(seen_at=earlier(days=31)))
    assert enter(stranger) == WAIT


def test_the_addresses_of_an_ipv6_network_count_as_one(app: Flask, stranger: FlaskClient) -> None:
    for n in range(5):
        assert enter(browser(app, f"2001:db8::{n}:1"), password="wrong") == WRONG
    assert enter(browser(app, "2001:db8::ffff")) == WAIT
    assert enter(browser(app, "2001:db8:0:1::1")) == IN
    assert tries._network("::ffff:192.0.2.1") == "192.0.2.1"
    assert tries._network("") == ""


def test_no_log_line_holds_a_password(stranger: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(6):
        enter(stranger, password="hush-hush-hush")
    logged = capsys.readouterr().err
    assert "hush-hush" not in logged
    assert '"event": "sign-in refused"' in logged
    assert '"event": "sign-in has to wait"' in logged
    assert f'"address": "{HERE}"' in logged


@pytest.fixture(scope="module")
def elsewhere(cluster: Postgres, empty_database: str) -> Iterator[Flask]:
    """The application on a database where what is done at once really is."""
    cluster.create_database("at_once", template=empty_database)
    app = create_app(settings(cluster.url("at_once")))
    with app.app_context():
        make_user("olga", "operator")
    yield app
    with app.app_context():
        db.engine.dispose()


def at_once(app: Flask, count: int, action: Callable[[], object]) -> list[object]:
    """What each of several threads comes to that begin together; of an exception its class."""
    results: list[object] = []
    together = threading.Barrier(count)

    def run() -> None:
        with app.app_context():
            together.wait()
            try:
                results.append(action())
            except tries.TooManyTries as error:
                results.append(type(error))

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_many_tries_at_once_are_no_more_tries(elsewhere: Flask) -> None:
    results = at_once(elsewhere, 12, lambda: tries.begin("olga", HERE))
    assert results.count(None) == 5
    assert results.count(tries.TooManyTries) == 7


# ---- the second step


def test_a_code_is_good_once_even_for_many_at_once(elsewhere: Flask) -> None:
    with elsewhere.app_context():
        olga = db.session.scalars(select(User)).one()
        second_factor.begin(olga)
        secret = second_factor.secret(db.session.scalars(select(SecondFactor)).one())
        codes = second_factor.confirm(olga, now(secret, -1))
        code = now(secret)

    def use(code: str) -> str:
        used = second_factor.accept(db.session.scalars(select(User)).one(), code)
        store.note()
        return used

    assert sorted(at_once(elsewhere, 6, lambda: use(code)), key=str) == ["", "", "", "", "", "app"]
    assert sorted(at_once(elsewhere, 6, lambda: use(codes[0])), key=str) == ["", "", "", "", "", "recovery code"]


@pytest.fixture
def secret(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> str:
    """The secret in olga's app; she is asked for its codes. Time stands still, lest a test straddle two steps."""
    step = second_factor.step_now()
    monkeypatch.setattr(second_factor, "step_now", lambda: step)
    olga = things.one(User, username="olga")
    second_factor.begin(olga)
    secret = second_factor.secret(things.one(SecondFactor))
    assert second_factor.confirm(olga, now(secret, -1))
    db.session.commit()
    return secret


def now(secret: str, steps: int = 0) -> str:
    return pyotp.TOTP(secret).generate_otp(second_factor.step_now() + steps)


def test_the_second_step(app: Flask, stranger: FlaskClient, secret: str) -> None:
    assert enter(stranger, next="/dids/") == (302, "/login/code?next=/dids/")
    assert not is_in(stranger)
    page = stranger.get("/login/code?next=/dids/").text
    assert 'autocomplete="one-time-code"' in page
    code = now(secret)
    answer = stranger.post("/login/code", data={"code": f" {code[:3]} {code[3:]}", "next": "/dids/"})
    assert (answer.status_code, answer.location) == (302, "/dids/")
    assert is_in(stranger)
    assert things.one(AuditEntry, after={"address": HERE, "proof": "app"}).username == "olga"


@pytest.mark.parametrize("code", ["000000", "", "x", "\x00", "' OR 1=1 --", "٠٠٠٠٠٠", "0" * 40, "0" * 41])
def test_a_wrong_code(stranger: FlaskClient, secret: str, code: str) -> None:
    enter(stranger)
    answer = stranger.post("/login/code", data={"code": code})
    assert answer.status_code == 422
    assert alert(answer.text) == "The code is wrong, or it was used before." or error_at(answer.text, "code")
    assert not is_in(stranger)


def test_a_code_is_good_once(app: Flask, stranger: FlaskClient, secret: str) -> None:
    enter(stranger)
    code = now(secret)
    assert stranger.post("/login/code", data={"code": code}).status_code == 302
    other = browser(app, THERE)
    enter(other)
    assert other.post("/login/code", data={"code": code}).status_code == 422
    assert other.post("/login/code", data={"code": now(secret, -1)}).status_code == 422, "an older one neither"


@pytest.mark.parametrize(("steps", "good"), [(-2, False), (0, True), (1, True), (2, False)])
def test_clocks_may_differ_by_a_step(stranger: FlaskClient, secret: str, steps: int, good: bool) -> None:
    store.note(update(SecondFactor).values(last_step=0))
    enter(stranger)
    assert (stranger.post("/login/code", data={"code": now(secret, steps)}).status_code == 302) == good


def test_a_recovery_code_is_good_once(app: Flask, stranger: FlaskClient, secret: str) -> None:
    codes = second_factor.confirm(things.one(User, username="olga"), now(secret))
    db.session.commit()
    assert len(set(codes)) == 10
    assert not any(code in str(things.one(SecondFactor).recovery_codes) for code in codes)
    enter(stranger)
    assert stranger.post("/login/code", data={"code": codes[3].upper()}).status_code == 302
    assert "A recovery code was used up. Left: 9." in stranger.get("/").text
    other = browser(app, THERE)
    enter(other)
    assert other.post("/login/code", data={"code": codes[3]}).status_code == 422
    assert other.post("/login/code", data={"code": codes[4]}).status_code == 302


def test_codes_cannot_be_guessed_at_leisure(stranger: FlaskClient, secret: str) -> None:
    enter(stranger)
    answers = [stranger.post("/login/code", data={"code": "000000"}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [422] * 4
    answer = stranger.post("/login/code", data={"code": now(secret)})
    assert (answer.status_code, alert(answer.text)) == WAIT
    assert int(answer.headers["Retry-After"]) > 0


def test_without_the_password_nobody_gets_to_the_second_step(
    stranger: FlaskClient, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stranger.get("/login/code?next=/dids/").location == "/login?next=/dids/"
    assert stranger.post("/login/code", data={"code": now(secret)}).location == "/login"
    enter(stranger)
    soon = time.time()
    monkeypatch.setattr(time, "time", lambda: soon + 301)
    assert stranger.post("/login/code", data={"code": now(secret)}).location == "/login"


def test_what_changes_an_account_begins_the_sign_in_anew(stranger: FlaskClient, secret: str) -> None:
    enter(stranger)
    olga = db.session.scalars(select(User).where(User.username == "olga")).one()
    olga.set_password("another password")
    store.save(olga)
    db.session.commit()
    assert stranger.post("/login/code", data={"code": now(secret)}).location == "/login"


def test_under_another_key_only_recovery_codes_are_right(
    stranger: FlaskClient, secret: str, other_key: Callable[[], None]
) -> None:
    recovery = second_factor.confirm(things.one(User, username="olga"), now(secret))
    db.session.commit()
    other_key()
    assert second_factor.secret(db.session.scalars(select(SecondFactor)).one()) == ""
    db.session.commit()
    enter(stranger)
    assert stranger.post("/login/code", data={"code": now(secret)}).status_code == 422
    assert stranger.post("/login/code", data={"code": recovery[0]}).status_code == 302


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "/\\evil.example/"])
def test_the_second_step_leads_nowhere_else(stranger: FlaskClient, secret: str, target: str) -> None:
    enter(stranger, next=target)
    answer = stranger.post("/login/code", data={"code": now(secret), "next": target})
    assert answer.location == "/"


def test_tokens_and_sign_in_know_each_other_not(app: Flask, client: FlaskClient) -> None:
    """A session's id is no password: it opens nothing without the signature of the cookie."""
    id = things.one(UserSession).id
    stranger = app.test_client()
    stranger.set_cookie("asterisk_admin", str(id))
    assert not is_in(stranger)
    assert is_in(signed_in(app, "olga"))
