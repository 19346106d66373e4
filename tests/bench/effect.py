"""From the click to the first call that behaves anew, while 50 calls a second are made.

The click is the form that a browser sends to the web process. From then on calls (or registrations) are tried one after
the other until one goes as it should now; what is told is when that one was begun.

python -m tests.bench effect measures it; CHANGES=20 makes fewer changes of each kind, RIVALS=no leaves out the rival.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from deploy.embedded.process import free_port
from tests.bench import rivals, table
from tests.bench.browser import Browser, filled, operators, web
from tests.bench.capacity import Exchange, exchange, ways
from tests.bench.carrier import PROVIDER, Carrier, Size, carrier, from_environment, owed, trunk_address
from tests.bench.probe import Probe
from tests.bench.sipp import Calls, answering
from tests.calls.exchange import query, until

CHANGES = int(from_environment("CHANGES", 40))  # Of each kind.
RATE = from_environment("RATE", 50)  # Calls a second meanwhile, in and out by halves.
PATIENCE = 20.0


@dataclass
class Kind:
    """One thing to change back and forth, and how a call tells which of both is in effect."""

    name: str
    change: Callable[[bool], Callable[[], None]]  # Prepares the click for the new or the old state, and returns it.
    is_new: Callable[[], bool]
    taken: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Stage:
    """What the changes are made to: chosen so that none of the other calls meets them."""

    carrier: Carrier
    operator: Browser
    provider: Probe
    customer: Probe
    phone: Probe

    def id(self, kind: str, name: str, value: str) -> str:
        statement = f"SELECT id FROM {kind} WHERE {name} = :value"  # noqa: S608 - names of ours
        return str(query(self.carrier.url, statement, value=value)[0][0])

    def edit(self, path: str, field: str, **values: str | None) -> Callable[[], None]:
        """The form as it is now, and the click that sends it with other values."""
        form = filled(self.operator.form(path, field), **values)

        def click() -> None:
            status = self.operator.post(path, form)
            if status != 302:
                raise RuntimeError(f"{path} answered {status}")

        return click


SECRETS = {True: "the-new-secret-of-a-phone", False: "the-old-secret-of-a-phone"}
NUMBER, OTHER, MOVING = "551140000000", "551140000001", "551149999999"
SPECIAL, SWITCHED = "5511987654321", "5511987654322"
# A customer and a gateway that are always busy, and a customer that moves from a free port to the busy one.
EXTRA = """
INSERT INTO customers (code, name, type, trunk_ip, trunk_port, qualify_frequency)
    VALUES ('busy', 'Busy', 'trunk', '{127.240.9.1}', %(busy)s, 0),
           ('moving', 'Moving', 'trunk', '{127.240.9.2}', %(port)s, 0);
INSERT INTO gateways (name, provider_id, ip_address, port, qualify_frequency)
    SELECT 'busy', id, '127.241.0.99', %(busy)s, 0 FROM providers LIMIT 1;
INSERT INTO routes (name, pattern, gateway_id, priority)
    SELECT 'To the busy gateway', %(special)s, id, 500 FROM gateways WHERE name = 'busy'
    UNION ALL SELECT 'To it as well', %(switched)s, id, 1 FROM gateways WHERE name = 'busy';
INSERT INTO dids (number, provider_id, status) SELECT %(moving)s, id, 'allocated' FROM providers LIMIT 1;
INSERT INTO customer_dids (did_id, customer_id, customer_code)
    SELECT d.id, c.id, c.code FROM dids d, customers c WHERE d.number = %(moving)s AND c.code = 'moving';
"""


def kinds(stage: Stage, busy_port: int) -> list[Kind]:
    """Five kinds of changes. Who is busy answers 486, all others 200."""
    made = stage.carrier
    did, route = stage.id("dids", "number", NUMBER), stage.id("routes", "name", "To the busy gateway")
    switched = stage.id("routes", "name", "To it as well")
    phone, moving = stage.id("extensions", "name", "Phone 0"), stage.id("customers", "code", "moving")
    holders = (
        "SELECT c.id, c.code FROM customer_dids a JOIN dids d ON d.id = did_id JOIN customers c ON c.id = customer_id"
    )
    [[_, first]] = query(made.url, f"{holders} WHERE d.number = :number", number=NUMBER)
    [[second, _]] = query(made.url, f"{holders} WHERE d.number = :number", number=OTHER)
    ports = {True: busy_port, False: made.port}
    return [
        Kind(
            "DID to another customer",
            lambda new: stage.edit(f"/dids/{did}/allocate", "customer_id", customer_id="busy" if new else first),
            lambda: stage.provider.call(NUMBER) == 486,
        ),
        Kind(
            "route before all others",
            lambda new: stage.edit(f"/routes/{route}/edit", "priority", priority="1" if new else "500"),
            lambda: stage.customer.call(SPECIAL) == 486,
        ),
        Kind(
            "route disabled (and enabled)",
            lambda new: stage.edit(f"/routes/{switched}/edit", "priority", enabled=None if new else "y"),
            lambda: stage.customer.call(SWITCHED) == 200,
        ),
        Kind(
            "secret of a phone",
            lambda new: stage.edit(f"/extensions/{phone}/edit", "secret", secret=SECRETS[new]),
            lambda: stage.phone.register("o1-100", SECRETS[True]) == 200,
        ),
        Kind(
            "customer disabled (and enabled)",
            lambda new: stage.edit(f"/customers/{second}/edit", "trunk_ip", enabled=None if new else "y"),
            lambda: stage.provider.call(OTHER) == 403,
        ),
        Kind(
            "port of a trunk",
            lambda new: stage.edit(f"/customers/{moving}/edit", "trunk_port", trunk_port=str(ports[new])),
            lambda: stage.provider.call(MOVING) == 486,
        ),
    ]


def change(kind: Kind, new: bool) -> float:
    """Milliseconds from the click until a call was begun that behaved anew."""
    click = kind.change(new)
    if kind.is_new() == new:
        raise RuntimeError(f"{kind.name}: nothing would change")
    failed: list[BaseException] = []

    def press() -> None:
        try:
            click()
        except BaseException as error:  # told where it is waited for
            failed.append(error)

    thread = threading.Thread(target=press)
    began = time.monotonic()
    thread.start()
    while True:
        placed = time.monotonic()
        as_wished = kind.is_new() == new
        if failed:
            raise failed[0]
        if as_wished:
            break
        if placed - began > PATIENCE:
            raise RuntimeError(f"{kind.name}: no effect within {PATIENCE:.0f} s")
    thread.join()
    return (placed - began) * 1000


def background(place: Exchange, seconds: float) -> list[Calls]:
    """Calls that go on meanwhile; those of our own numbers are left alone."""
    return [place.calls(way, RATE / 2, seconds) for way in ways(place.carrier).values()]


def ended(calls: Sequence[Calls]) -> tuple[int, int]:
    """How many of them there were, and how many failed."""
    seen = [each.seen() for each in calls]
    for each in calls:
        each.stop()
    return sum(made for made, _ in seen), sum(failed for _, failed in seen)


def measure(place: Exchange, busy_port: int) -> None:
    made = place.carrier
    [name] = operators(made, 1)
    with (
        web(made.url, made.folder) as (host, _),
        Probe(PROVIDER, place.address) as provider,
        Probe(trunk_address(2), place.address) as customer,
        Probe("127.242.0.1", place.address) as phone,
    ):
        operator = Browser(host)
        operator.sign_in(name)
        all_kinds = kinds(Stage(made, operator, provider, customer, phone), busy_port)
        for kind in all_kinds:
            for new in (True, False):  # Once each way before anything counts.
                change(kind, new)
        calls = background(place, 3600)
        time.sleep(3)
        for number in range(CHANGES):
            for kind in all_kinds:
                kind.taken.append(change(kind, number % 2 == 0))
                time.sleep(0.1)
        total, failed = ended(calls)
        until(lambda: not owed(made), "the agent")
        for kind in all_kinds:
            table.row(kind.name, len(kind.taken), *table.quantiles(kind.taken), max(kind.taken), "-")
        every = [each for kind in all_kinds for each in kind.taken]
        table.row("all of them", len(every), *table.quantiles(every), max(every), f"{failed} of {total}")


def rival(made: Carrier, busy_port: int, rounds: int = 2) -> None:
    """The file is written again and read again, with the same calls going on."""
    source = rivals.static_files(made.folder / "conf-static", made)
    with exchange(made, source, with_agent=False) as place:
        etc = place.asterisk.directory / "etc"
        ways_to_reload = (
            ("extensions.conf", "dialplan reload", f"exten => {NUMBER},1,Gosub(to-trunk,s,1(trunk-"),
            ("pjsip.conf", "module reload res_pjsip.so", ""),
        )
        with Probe(PROVIDER, place.address) as provider:
            for file, command, start in ways_to_reload:
                before = (etc / file).read_text()
                after = _busy_now(before, start, made.port, busy_port)
                calls = background(place, 3600)
                time.sleep(3)
                taken = []
                for number in range(2 * rounds):
                    new = number % 2 == 0
                    began = time.monotonic()
                    (etc / file).write_text(after if new else before)
                    reload = threading.Thread(target=place.asterisk.rx, args=(command, 300))
                    reload.start()
                    called = NUMBER if start else MOVING
                    while True:
                        placed = time.monotonic()
                        if (provider.call(called) == 486) == new:
                            break
                    taken.append((placed - began) * 1000)
                    reload.join()
                total, failed = ended(calls)
                place.quiet()
                table.row(
                    f"rival: {file} written and `{command}`",
                    len(taken),
                    *table.quantiles(taken),
                    max(taken),
                    f"{failed} of {total}",
                )


def _busy_now(text: str, start: str, port: int, busy_port: int) -> str:
    """The file with one change: a number of another trunk's, or a trunk at another port."""
    if start:
        return "".join(
            line if not line.startswith(start) else f"exten => {NUMBER},1,Gosub(to-trunk,s,1(trunk-busy,,{NUMBER}))\n"
            for line in text.splitlines(keepends=True)
        )
    return text.replace(f"sip:127.240.9.2:{port}", f"sip:127.240.9.2:{busy_port}")


def main() -> None:
    size = Size(dids=int(from_environment("DIDS", 100_000)), phones=int(from_environment("PHONES", 5000)))
    table.head(f"Change to effect, at {RATE:.0f} calls a second: {size}", "make bench B=effect")
    busy_port = free_port(socket.SOCK_DGRAM)
    with (
        carrier(size, EXTRA, busy=busy_port, special=SPECIAL, switched=SWITCHED, moving=MOVING) as made,
        answering(made.folder, made.port),
        answering(made.folder, busy_port, "busy.xml"),
    ):
        table.columns("milliseconds from the click", "n", "median", "p95", "p99", "most", "calls that failed meanwhile")
        with exchange(made) as place:
            measure(place, busy_port)
        if os.environ.get("RIVALS") != "no":
            rival(made, busy_port)


if __name__ == "__main__":
    main()
