"""Calls from providers to our numbers."""

from __future__ import annotations

from tests.calls.conftest import Carrier


def test_a_call_reaches_the_trunk_with_the_called_number(carrier: Carrier) -> None:
    carrier.did("551140000001", "acme")

    with carrier.acme.answer() as pbx:
        carrier.first.call("551140000001", caller="5521999990000")

        assert pbx.called_number == "551140000001"
        assert pbx.caller_number == "5521999990000"
