"""What large files take, beside a bare COPY of the same rows in the same run: python -m tests.bench.imports"""

from __future__ import annotations

import io
import resource
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from schema import migrate
from tests.calls.exchange import production_postgres, settings
from tests.conftest import make_user, signed_in
from webapp import create_app, store
from webapp.customers.models import Customer
from webapp.ext import db
from webapp.imports.models import WORKING, Import
from webapp.providers.models import Provider
from webapp.tariffs.models import PricePlan

DIDS = 100_000
TARIFFS = 300_000
Row = tuple[str, float]


def rows(url: str, dids: int = DIDS, tariffs: int = TARIFFS) -> Iterator[Row]:
    """Name and seconds of each measurement, in a migrated database that nothing is in."""
    app = create_app(settings(url))
    app.config.update(WTF_CSRF_ENABLED=False)
    with app.app_context():
        make_user("bench", "operator")
        provider, plan = Provider(name="Norte"), PricePlan(name="Retail")
        customer = Customer(code="padaria", name="Padaria", type="trunk", trunk_ip=["192.0.2.1"])
        store.save(provider)
        db.session.add(plan)
        store.save(customer)
        provider_id, plan_id = provider.id, plan.id
        db.session.remove()
    client = signed_in(app, "bench")
    yield from _dids(app, client, provider_id, dids)
    yield from _given(app, client, dids)
    yield from _tariffs(app, client, plan_id, tariffs)


def _dids(app: Flask, client: FlaskClient, provider_id: uuid.UUID, count: int) -> list[Row]:
    numbers = [str(551140000000 + n) for n in range(count)]
    bare = "".join(f"{number}\t{provider_id}\tBench\n" for number in numbers)
    copied = _copy(app, "dids", "number, provider_id, description", bare)
    file = "number,provider,description\n" + "".join(f"{number},Norte,Bench\n" for number in numbers)
    return [("rival: bare COPY of DIDs", copied), *_imported(app, client, "DIDs", "dids", file)]


def _given(app: Flask, client: FlaskClient, count: int) -> list[Row]:
    lines = "".join(f"{551140000000 + n},Norte,padaria\n" for n in range(count))
    return _imported(app, client, "DIDs given to a customer", "dids", "number,provider,customer\n" + lines)


def _tariffs(app: Flask, client: FlaskClient, plan_id: uuid.UUID, count: int) -> list[Row]:
    prefixes = [str(1_000_000 + n) for n in range(count)]
    bare = "".join(f"{plan_id}\t{prefix}\tDestination {prefix}\t0.0123\t0.0456\t30\t6\n" for prefix in prefixes)
    columns = (
        "price_plan_id, prefix, description, cost_per_minute, price_per_minute, minimum_seconds, increment_seconds"
    )
    copied = _copy(app, "tariffs", columns, bare)
    file = "Prefixo;Destino;Custo;Tarifa;Mínimo;Incremento\n"
    file += "".join(f"{prefix};Destination {prefix};0,0123;0,0456;30;6\n" for prefix in prefixes)
    found = _imported(app, client, "tariffs", "tariffs", file, target_id=str(plan_id))
    changed = file.replace("0,0456", "0,0567")
    dearer = _imported(app, client, "tariffs, all dearer", "tariffs", changed, target_id=str(plan_id))
    return [("rival: bare COPY of tariffs", copied), *found, *dearer]


def _copy(app: Flask, table: str, columns: str, lines: str) -> float:
    """Seconds of a COPY into an empty table, which is empty again afterwards."""
    with app.app_context(), db.engine.connect() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        cursor = connection.connection.cursor()
        seconds = _timed(lambda: cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN", io.StringIO(lines)))
        connection.rollback()
    with app.app_context(), db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"VACUUM FULL ANALYZE {table}"))
    return seconds


def _imported(app: Flask, client: FlaskClient, name: str, kind: str, content: str, **values: str) -> list[Row]:
    """Seconds from the upload to the preview, and from there until all is stored."""
    data: dict[str, Any] = {"file": (io.BytesIO(content.encode()), "bench.csv"), **values}
    before = _peak()

    def read() -> None:
        answer = client.post(f"/imports/new?kind={kind}", data=data)
        assert answer.status_code == 302, answer.text
        _wait(app, "ready")

    def apply() -> None:
        client.post(f"/imports/{_latest(app).id}/apply")
        _wait(app, "applied")

    reading = _timed(read)
    preview = _timed(lambda: client.get(f"/imports/{_latest(app).id}"))
    applying = _timed(apply)
    size = len(content) // 1024 // 1024
    return [
        (f"{name} ({size} MB): upload, read, compare", reading),
        (f"{name}: the page of the preview", preview),
        (f"{name}: apply", applying),
        (f"{name}: growth of memory at its peak, MB", _peak() - before),
    ]


def _wait(app: Flask, state: str) -> None:
    while (import_ := _latest(app)).state in WORKING:
        time.sleep(0.1)
    assert import_.state == state, (import_.state, import_.error, import_.counts)


def _latest(app: Flask) -> Import:
    with app.app_context():
        return db.session.scalars(select(Import).order_by(Import.created_at.desc()).limit(1)).one()


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def main() -> None:
    print(f"{'Seconds, of files of 100 000 DIDs and of 300 000 tariffs':<72}{'once':>10}")
    with production_postgres() as cluster:
        cluster.create_database("imports")
        migrate.upgrade(cluster.url("imports"))
        for name, seconds in rows(cluster.url("imports")):
            print(f"{name:<72}{seconds:>10.2f}", flush=True)


if __name__ == "__main__":
    main()
