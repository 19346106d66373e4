"""The database goes away under calls, and comes back."""

from __future__ import annotations

from deploy.embedded.postgres import Postgres
from tests.calls.conftest import DESK, Carrier
from webapp.ext import db


def test_calls_go_on_new_ones_get_503_and_with_the_database_back_all_is_well(
    carrier: Carrier, cluster: Postgres
) -> None:
    carrier.did("551140000400", "acme")
    with carrier.acme.answer() as pbx, carrier.first.answer(), carrier.first.start_call("551140000400") as call:
        pbx.wait_for("ACK")
        db.session.remove()
        db.engine.dispose()
        cluster.stop("immediate")
        try:
            carrier.second.call("01140000400", expect=503)
            carrier.first.call("551140000499", expect=503)
            carrier.acme.call("552133331234", expect=503)
            assert not pbx._ended_calls(), "the call in progress ended"
        finally:
            cluster.start()

        carrier.acme.call("552133331234")
        call.hang_up()
        assert call.wait().answered
    with carrier.acme.answer():
        carrier.first.call("551140000400")
    assert carrier.desk.register(*DESK) == 200
