"""Every call is in the books exactly once, whatever went away while it was made."""

from __future__ import annotations

from deploy.embedded.asterisk import Asterisk
from tests.calls.conftest import DESK, Carrier
from tests.calls.exchange import query
from webapp.agent import journal


def test_the_journal_holds_what_asterisk_stores(carrier: Carrier, asterisk: Asterisk) -> None:
    """Field by field, so that a call comes to the same whichever way it came."""
    carrier.did("551140000700", "acme")
    with carrier.first.answer(), carrier.acme.answer():
        carrier.desk.call("552133337001", auth=DESK)
        carrier.first.call("551140000700")
    with carrier.first.refuse(503), carrier.second.refuse(486):
        carrier.acme.call("552133337002", expect=486)
    carrier.acme.call("0", expect=404)
    carrier.cdrs("552133337002", 2)

    names = ", ".join(f'"{name}"' for name in journal.FIELDS)
    rows = query(carrier.url, f"SELECT {names} FROM asterisk.cdr WHERE node = 'pbx1' ORDER BY id")  # noqa: S608 - ours
    stored = {(row.uniqueid, row.sequence): dict(row._mapping) for row in rows}
    data = asterisk.journal_path.read_bytes()
    [*pieces] = journal._pieces("pbx1", data, at_the_end=True, settled=True)
    written = {journal._key(record): record for piece in pieces for record in piece.records}

    assert all(piece.clean for piece in pieces)
    assert len(stored) >= 5
    for key, row in stored.items():
        assert {name: row[name] for name in written[key]} == written[key]
