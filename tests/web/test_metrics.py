"""What Prometheus reads: who may, in which form, and that the figures are right."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy.session import Session
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.orm import scoped_session
from werkzeug.test import TestResponse

from tests.calls.exchange import settings
from tests.conftest import Counting
from tests.web import things
from tests.web.test_health import held
from webapp import create_app
from webapp.ext import db
from webapp.monitoring import operations

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"
TIMES = "asterisk_admin_request_seconds"
TOKEN = "hush-hush-hush-hush"
NOWHERE = "postgresql://nobody:nothing@127.0.0.1:9/nowhere"

Samples = dict[tuple[tuple[str, str], ...], float]  # By labels.


def parse(exposition: str) -> dict[str, Samples]:
    """The samples of each metric; it takes nothing that the format does not allow."""
    assert exposition.endswith("\n")
    found: dict[str, Samples] = {}
    name = ""
    for line in exposition.removesuffix("\n").split("\n"):
        if helped := re.fullmatch(r"# HELP ([a-z_]+) (?:[^\\]|\\\\|\\n)+", line):
            name = helped[1]
            assert name not in found
            found[name] = {}
        elif typed := re.fullmatch(r"# TYPE ([a-z_]+) gauge", line):
            assert typed[1] == name
        else:
            sample = re.fullmatch(r"([a-z_]+)(?:\{(.+)\})? (-?[0-9]+(?:\.[0-9]+)?|\+Inf)", line)
            assert sample, line
            assert sample[1] == name
            labels = _labels(sample[2] or "")
            assert labels not in found[name]
            found[name][labels] = float(sample[3])
    return found


def _labels(source: str) -> tuple[tuple[str, str], ...]:
    pair = r'([a-z_]+)="((?:[^"\\]|\\["\\n])*)"'
    assert re.fullmatch(rf"(?:{pair}(?:,{pair})*)?", source), source
    plain = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
    return tuple((name, re.sub(r"\\.", lambda sign: plain[sign[0]], value)) for name, value in re.findall(pair, source))


@pytest.fixture
def stranger(app: Flask, session: scoped_session[Session]) -> FlaskClient:
    """Prometheus on this machine."""
    return app.test_client()


def _write(statement: str, **values: object) -> None:
    db.session.execute(text(statement), values)
    db.session.commit()


def _read(browser: FlaskClient) -> dict[str, Samples]:
    answer = browser.get("/metrics")
    assert answer.status_code == 200, answer.text
    return parse(_ours(answer.text))


def _ours(exposition: str) -> str:
    """Without what a library writes."""
    return exposition.partition(f"# HELP {TIMES}")[0]


# ---- the figures


def test_it_works(stranger: FlaskClient) -> None:
    answer = stranger.get("/metrics")
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    found = parse(_ours(answer.text))
    assert found["asterisk_admin_gateways_enabled"] == {(): 0}
    assert len(found["asterisk_admin_calls_today"]) == 8, "two for each direction, calls or not"
    assert set(found["asterisk_admin_calls_today"].values()) == {0}


def test_the_calls_of_today(stranger: FlaskClient) -> None:
    now = dt.datetime.now(dt.UTC)
    things.call(now, answered_at=now, price=Decimal("0.30"), cost=Decimal("0.00000012"), billsec=65)
    things.call(now, answered_at=now, price=Decimal("0.20"), billsec=5)
    things.call(now, disposition="CONGESTION", sip_status=503, billsec=0)
    things.call(now, answered_at=now, direction="inbound", billsec=10)
    things.call(now - dt.timedelta(1), answered_at=now - dt.timedelta(1), price=Decimal(7))
    answer = stranger.get("/metrics").text
    found = parse(_ours(answer))
    outbound, inbound = ("direction", "outbound"), ("direction", "inbound")
    calls = found["asterisk_admin_calls_today"]
    assert calls[outbound, ("outcome", "answered")] == 2
    assert calls[outbound, ("outcome", "unanswered")] == 1
    assert calls[inbound, ("outcome", "answered")] == 1
    assert sum(calls.values()) == 4
    assert found["asterisk_admin_talk_seconds_today"][outbound,] == 70
    assert found["asterisk_admin_price_today"][outbound,] == 0.5
    assert found["asterisk_admin_price_today"][inbound,] == 0
    assert 'asterisk_admin_cost_today{direction="outbound"} 0.00000012\n' in answer


def _live() -> None:
    """Calls, a gateway and a phone at a node that is watched, and at one that is not."""
    gateway, phone = things.gateway("GW"), things.extension(things.office())
    _write("INSERT INTO live_nodes (node, looked_at) VALUES ('pbx1', now()), ('pbx2', now() - interval '1 minute')")
    _write(
        "INSERT INTO live_channels (node, uniqueid, direction, state, started_at) VALUES"
        " ('pbx1', '1', 'inbound', 'ringing', now()), ('pbx1', '2', 'inbound', 'answered', now()),"
        " ('pbx2', '3', 'inbound', 'ringing', now())"
    )
    _write(
        "INSERT INTO live_contacts (node, aor, uri, thing_id, state, rtt, since) VALUES"
        " ('pbx1', 'g', 'sip:1', :gateway, 'reachable', 12.5, now()),"
        " ('pbx1', 'p', 'sip:2', :phone, 'unchecked', NULL, now()),"
        " ('pbx2', 'g', 'sip:1', :gateway, 'unreachable', NULL, now())",
        gateway=gateway.id,
        phone=phone.id,
    )
    _write(
        "INSERT INTO live_registrations (node, name, thing_id, state, since)"
        " VALUES ('pbx1', 'g', :gateway, 'rejected', now())",
        gateway=gateway.id,
    )


def test_what_goes_on_now_and_who_is_there(stranger: FlaskClient) -> None:
    _live()
    found = _read(stranger)
    node = ("node", "pbx1")
    calls = found["asterisk_admin_calls_now"]
    assert len(calls) == 4, "the directions of the node that is watched"
    assert calls[node, ("direction", "inbound")] == 2
    assert calls[node, ("direction", "outbound")] == 0
    which = (node, ("gateway", "GW"))
    assert found["asterisk_admin_gateway_up"] == {which: 1}
    assert found["asterisk_admin_gateway_rtt_seconds"] == {which: 0.0125}
    assert found["asterisk_admin_gateway_registered"] == {which: 0}
    assert found["asterisk_admin_phones_registered"] == {(node,): 1}


def test_the_nodes(stranger: FlaskClient) -> None:
    _write(
        "INSERT INTO nodes (name, enabled, seen_at, asterisk_up) VALUES"
        " ('busy', true, clock_timestamp() - interval '40 seconds', true),"
        " ('fine', true, clock_timestamp(), true), ('down', true, clock_timestamp(), false),"
        " ('new', true, NULL, false), ('off', false, NULL, false)"
    )
    _write(
        "INSERT INTO outbox (node, action, created_at, done_at) VALUES"
        " ('busy', 'reload', clock_timestamp() - interval '90 seconds', NULL),"
        " ('busy', 'reload', clock_timestamp() - interval '30 seconds', NULL),"
        " ('fine', 'reload', clock_timestamp() - interval '500 seconds', clock_timestamp())"
    )
    found = _read(stranger)
    seen, up, owed, lag = (
        {labels[0][1]: value for labels, value in found[f"asterisk_admin_{name}"].items()}
        for name in ("node_seen_seconds", "asterisk_up", "sync_owed", "sync_lag_seconds")
    )
    assert 40 <= seen["busy"] < 60
    assert 0 <= seen["fine"] < 20
    assert seen["new"] == math.inf
    assert up == {"busy": 1, "down": 0, "fine": 1, "new": 0}
    assert owed == {"busy": 2, "down": 0, "fine": 0, "new": 0}
    assert 90 <= lag.pop("busy") < 110
    assert set(lag.values()) == {0}


def test_what_there_is_and_what_is_not_in_the_books(stranger: FlaskClient) -> None:
    things.gateway()
    things.gateway("GW2", "10.0.0.2", enabled=False)
    things.call(unrated="no_tariff")
    things.call(unrated="no_price_plan")
    things.call()
    _write("INSERT INTO unrated_cdrs (cdr_id, reason) VALUES (7, 'no time'), (8, 'no time'), (9, 'no time')")
    found = _read(stranger)
    assert found["asterisk_admin_gateways_enabled"] == {(): 1}
    assert found["asterisk_admin_calls_without_price"] == {(): 2}
    assert found["asterisk_admin_unrated_cdrs"] == {(): 3}


def test_what_is_without_a_price_is_counted_so_far(stranger: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "MOST", 2)
    for _ in range(3):
        things.call(unrated="no_tariff")
    assert _read(stranger)["asterisk_admin_calls_without_price"] == {(): 2}


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", 'a\\"\n\\nb', '"} 1\nevil{x="', "<script>", "ü é 日本", ""])
def test_a_name_cannot_break_out_of_its_label(stranger: FlaskClient, name: str) -> None:
    _write("INSERT INTO nodes (name, seen_at) VALUES (:name, clock_timestamp())", name=name)
    assert set(_read(stranger)["asterisk_admin_asterisk_up"]) == {(("node", name),)}


def test_a_thousand_servers_are_no_more_statements(stranger: FlaskClient, counting: Counting) -> None:
    _write("INSERT INTO nodes (name) SELECT 'pbx' || n FROM generate_series(1, 1000) AS n")
    with counting() as statements:
        found = _read(stranger)
    assert len(found["asterisk_admin_sync_owed"]) == 1000
    assert len(statements) == 9, statements
    assert "statement_timeout" in statements[0]


# ---- who may


def _ask(
    browser: FlaskClient, authorization: str | None = None, address: str = "127.0.0.1", **headers: str
) -> TestResponse:
    if authorization is not None:
        headers["Authorization"] = authorization
    return browser.get("/metrics", headers=headers, environ_overrides={"REMOTE_ADDR": address})


def test_who_has_the_token_may_read(stranger: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stranger.application.config, "METRICS_TOKEN", TOKEN)
    assert _ask(stranger, f"Bearer {TOKEN}", "203.0.113.7").status_code == 200
    assert _ask(stranger, f"bearer {TOKEN}", **{"X-Forwarded-For": "203.0.113.7"}).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong-wrong-wrong-wrong",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN.upper()}",
        f"Token {TOKEN}",
        f"Basic {TOKEN}",
        "Basic aHVzaA==",
        TOKEN,
        f"Bearer token={TOKEN}",
        "Bearer caf\xe9-caf\xe9-caf\xe9-caf\xe9",
        "Bearer \x00",
        "Bearer " + "x" * 100_000,
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_wrong_token_is_refused(
    stranger: FlaskClient, authorization: str | None, monkeypatch: pytest.MonkeyPatch, counting: Counting
) -> None:
    monkeypatch.setitem(stranger.application.config, "METRICS_TOKEN", TOKEN)
    with counting() as statements:
        answer = _ask(stranger, authorization)
    assert (answer.status_code, statements) == (403, [])
    assert "asterisk_admin" not in answer.text
    assert TOKEN not in answer.text


def test_without_a_token_only_this_machine_may_read(stranger: FlaskClient) -> None:
    for address in ("127.0.0.1", "127.8.8.8", "::1"):
        assert _ask(stranger, address=address).status_code == 200, address
    for address in ("203.0.113.7", "10.0.0.1", "::2", "", "x", "127.0.0.1, 203.0.113.7"):
        assert _ask(stranger, address=address).status_code == 403, address
    assert _ask(stranger, "Bearer ", "203.0.113.7").status_code == 403


@pytest.mark.parametrize("said", ["203.0.113.7", "127.0.0.1", ""])
def test_a_reverse_proxy_on_this_machine_is_not_this_machine(stranger: FlaskClient, said: str) -> None:
    assert _ask(stranger, **{"X-Forwarded-For": said}).status_code == 403


def test_the_token_comes_from_the_settings() -> None:
    app = create_app(settings(NOWHERE).model_copy(update={"metrics_token": SecretStr(TOKEN)}))
    assert app.config["METRICS_TOKEN"] == TOKEN


# ---- a database that does not answer


def test_a_database_that_is_away() -> None:
    stranger = create_app(settings(NOWHERE)).test_client()
    answer = stranger.get("/metrics")
    assert (answer.status_code, answer.text) == (503, "The database does not answer.\n")
    assert stranger.get("/healthz").status_code == 200


def test_a_database_that_is_busy(stranger: FlaskClient, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "PATIENCE", "50ms")
    with held(database_url, "call_totals"):
        assert stranger.get("/metrics").status_code == 503
    assert stranger.get("/metrics").status_code == 200


# ---- how long requests take


def _requests(browser: FlaskClient, endpoint: str, status: str) -> float:
    labels = re.escape(f'endpoint="{endpoint}",status="{status}"')
    found = re.search(rf"^{TIMES}_count{{{labels}}} ([0-9.]+)$", browser.get("/metrics").text, re.M)
    return float(found[1]) if found else 0


def test_each_request_is_counted_by_what_was_asked(stranger: FlaskClient) -> None:
    before = [_requests(stranger, *which) for which in (("monitoring.healthz", "2xx"), ("none", "4xx"))]
    for path in ("/healthz", "/healthz", "/no-such-page", "/another-one?secret=hush"):
        stranger.get(path)
    after = [_requests(stranger, *which) for which in (("monitoring.healthz", "2xx"), ("none", "4xx"))]
    assert [now - then for now, then in zip(after, before, strict=True)] == [2, 2]
    assert "hush" not in stranger.get("/metrics").text
    assert f"# TYPE {TIMES} histogram" in stranger.get("/metrics").text


def test_all_processes_are_told_of_together(tmp_path: Path) -> None:
    count = "from webapp.monitoring import times; times.tell('a.b', 200, 0.2)"
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", count], env=environment, check=True)
    told = "from webapp.monitoring import times; print(times.exposition())"
    text = subprocess.run(
        [sys.executable, "-c", told], env=environment, check=True, capture_output=True, text=True
    ).stdout
    assert f'{TIMES}_count{{endpoint="a.b",status="2xx"}} 2.0' in text
    assert f'{TIMES}_bucket{{endpoint="a.b",le="0.1",status="2xx"}} 0.0' in text
    assert f'{TIMES}_bucket{{endpoint="a.b",le="0.25",status="2xx"}} 2.0' in text


# ---- what comes along for Prometheus and Grafana


@pytest.mark.parametrize("file", ["alerts.yml", "dashboard.json"])
def test_rules_and_dashboard_name_what_there_is(stranger: FlaskClient, file: str) -> None:
    _write("INSERT INTO nodes (name) VALUES ('here')")
    _live()
    source = (MONITORING / file).read_text()
    asked = set(re.findall(r"\basterisk_admin_\w+", source))
    found = _read(stranger)
    assert len(asked) > 5
    histogram = {f"{TIMES}_{part}" for part in ("bucket", "sum", "count")}
    assert asked <= set(found) | histogram
    labels = {name for samples in found.values() for pairs in samples for name, _ in pairs}
    matched = re.findall(r'[{,](\w+)=\\*"', source)
    labels |= {"endpoint", "status", "le"}
    assert set(matched) <= labels | {"job"}
    assert set(", ".join(re.findall(r"\bby ?\(([\w, ]+)\)", source)).split(", ")) <= labels
    assert set(re.findall(r"{{ ?\$?(?:labels\.)?(\w+)", source)) <= labels | {"value"}


def test_everything_there_is_is_on_the_dashboard(stranger: FlaskClient) -> None:
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    asked = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    assert {name for name in _read(stranger) if not re.search(rf"\b{name}\b", asked)} == set()
