"""A real call on the page of live calls, as somebody sees it who looks on."""

from __future__ import annotations

from flask import Flask
from playwright.sync_api import expect, sync_playwright

from tests.browser.live import chromium, listen, running, sign_in
from tests.calls.conftest import Carrier
from tests.conftest import make_user

NUMBER = "552133340007"


def test_a_call_appears_is_answered_and_ends_without_a_reload(carrier: Carrier, calls_app: Flask) -> None:
    make_user("onlooker", "viewer")
    with running(calls_app) as site, sync_playwright() as playwright, chromium(playwright) as browser:
        page = browser.new_page(locale="en")
        complaints = listen(page)
        sign_in(page, site, "onlooker")
        page.goto(f"{site.url}/live/?q={NUMBER}")
        page.evaluate("window.mark = 'the same page'")
        row = page.locator("tbody tr", has_text=NUMBER)
        expect(page.get_by_text("No call matches")).to_be_visible()

        with carrier.first.answer(ring_for=15), carrier.acme.start_call(NUMBER, hold=60) as calling:
            expect(row).to_contain_text("Ringing")
            expect(row).to_contain_text("Acme")
            expect(row).to_contain_text("first")
            expect(row).to_contain_text("Answered")
            calling.hang_up()
            expect(row).to_have_count(0)
        assert page.evaluate("window.mark") == "the same page"
        assert complaints == []
