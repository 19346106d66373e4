"""What a peer writes into its calls: it is kept as it is, and is nothing but a text wherever it comes to."""

from __future__ import annotations

import csv
import io

import pytest
from flask import Flask

from tests.calls.conftest import Carrier
from tests.conftest import make_user, signed_in

SCRIPT = "<script>alert(1)</script>"


@pytest.mark.parametrize(
    ("number", "caller", "kept"),
    [
        ("551140000791", "%3Cscript%3Ealert(1)%3C%2Fscript%3E", SCRIPT),
        ("551140000792", "=HYPERLINK(1)", "=HYPERLINK(1)"),
        ("551140000793", "'%20OR%20%24%7BSHELL(id)%7D%2CSystem(id)", "' OR ${SHELL(id)},System(id)"),
        ("551140000794", "5511%0D%0AX-Evil:%201", None),
    ],
)
def test_a_caller_who_is_no_number(
    carrier: Carrier, calls_app: Flask, number: str, caller: str, kept: str | None
) -> None:
    carrier.did(number, "acme")
    headers = {
        "User-Agent": f"{SCRIPT}${{SHELL(id)}}",
        "Diversion": f'"{SCRIPT}" <sip:${{SHELL(id)}}@elsewhere.example>;reason=x',
        "X-Evil": "2",
    }
    with carrier.acme.answer() as pbx:
        carrier.first.call(number, caller=caller, headers=headers)
        assert pbx.called_number == number
        assert pbx.invite.headers["X-Evil"] is None
        assert pbx.invite.headers["Diversion"] is None
    [call] = carrier.ended(number, 1)
    if kept is not None:
        assert call.src == kept

    make_user(f"rita{number}", "operator")
    browser = signed_in(calls_app, f"rita{number}")
    for path in ("/reports/cdr", f"/reports/calls/{call.id}", "/live/", "/"):
        answer = browser.get(path)
        assert answer.status_code == 200, path
        assert SCRIPT not in answer.text, path
    answer = browser.get("/reports/cdr.csv")
    assert answer.status_code == 200
    cells = [cell for row in csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"), newline="")) for cell in row]
    assert [cell for cell in cells if cell[:1] in tuple("=@\t\r\n")] == []
