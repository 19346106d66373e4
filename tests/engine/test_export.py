"""Files of many rows, sent when the request that asked for them is over: here its connection really ends with it."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg2.errors import DataError
from sqlalchemy import literal_column, select, text

from tests.conftest import make_user, signed_in
from webapp import store
from webapp.dids.models import Did
from webapp.dids.operations import create_range
from webapp.dids.schemas import DidRangeSchema
from webapp.export import _copied
from webapp.ext import db
from webapp.providers.models import Provider

MANY = 2_500


@pytest.fixture
def client(real_app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """An operator's browser, where there are more numbers and entries of the log than are read at a time."""
    with real_app.app_context():
        provider = Provider(name="Norte")
        store.save(provider)
        create_range(DidRangeSchema(number="551140001000", count=MANY, provider_id=provider.id))
        for n in range(MANY):
            store.record("create", "dids", provider.id, f"number {n}")
        store.save()
        make_user("olga", "operator")
    monkeypatch.setitem(real_app.config, "WTF_CSRF_ENABLED", False)
    yield signed_in(real_app, "olga")
    with real_app.app_context():
        assert _connections_in_use() == 0, "whoever sent a file let go of its connection"
        db.session.execute(text("TRUNCATE providers, audit_log, users CASCADE"))
        db.session.commit()


def _connections_in_use() -> int:
    pool: Any = db.engine.pool
    return int(pool.checkedout())


@pytest.mark.parametrize("path", ["/dids/export.csv", "/audit/export.csv"])
def test_all_rows_arrive(client: FlaskClient, path: str) -> None:
    answer = client.get(path, buffered=False)
    lines = b"".join(answer.iter_encoded()).decode("utf-8-sig").splitlines()
    answer.close()
    assert len(list(csv.DictReader(lines))) >= MANY


def test_a_reader_may_go_away(client: FlaskClient) -> None:
    answer = client.get("/dids/export.csv", buffered=False)
    pieces = answer.iter_encoded()
    assert b"number" in next(pieces)
    assert b"551140001000" in next(pieces)
    answer.close()


def test_what_goes_wrong_on_the_way_is_told(client: FlaskClient, real_app: Flask) -> None:
    with real_app.app_context(), pytest.raises(DataError, match="division by zero"):
        list(
            _copied(
                select((100 / literal_column("(number::bigint - 551140002000)")).label("c")).select_from(Did),
                ["c"],
                comma=False,
            )
        )
