"""What a form does in a browser: errors and focus, the keyboard, work that is not saved."""

from __future__ import annotations

import pytest
from playwright.sync_api import Dialog, Page, expect
from sqlalchemy import select

from tests.browser.live import USERS, Site, fill, message, submit, violations
from tests.conftest import PASSWORD
from webapp import forms
from webapp.ext import db
from webapp.providers.models import Provider


def test_an_error_stands_at_its_field_and_in_a_summary(page: Page, site: Site, language: str) -> None:
    say = site.words(language)
    page.goto("/gateways/new")
    fill(page, name="São Paulo", ip_address="10.0.0.300", registration=True, enabled=False, source_ips="a\nb")
    submit(page)

    summary = page.locator("[data-error-summary]")
    expect(summary).to_be_focused()
    expect(summary).to_contain_text(say("Please correct these fields:"))
    expect(page.locator("#ip_address-error")).to_have_text(say("This is not an IP address."))
    expect(page.locator("#provider_id-error")).to_have_text(say("This field is required."))
    field = page.locator("#ip_address")
    assert field.get_attribute("aria-invalid") == "true"
    assert "ip_address-error" in (field.get_attribute("aria-describedby") or "")
    assert field.input_value() == "10.0.0.300"
    assert page.locator("#source_ips").input_value() == "a\nb"
    assert page.locator("#registration").is_checked()
    assert not page.locator("#enabled").is_checked()

    summary.get_by_role("link", name=say("IP address"), exact=True).click()
    expect(field).to_be_focused()


def test_work_that_is_not_saved_is_not_lost_by_a_click(page: Page) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.goto("/providers/new")
    page.get_by_role("link", name="Customers").click()
    page.wait_for_url("**/customers/")
    assert asked == []

    page.goto("/providers/new")
    page.locator("#name").press_sequentially("Norte")
    page.get_by_role("link", name="Customers").click()
    expect(page.locator("#name")).to_have_value("Norte")
    assert asked == ["beforeunload"]

    fill(page, name="", cost_per_minute="x")
    submit(page)  # Sending it is no loss, but what comes back with errors is still not saved.
    expect(page.locator("[data-error-summary]")).to_be_focused()
    assert asked == ["beforeunload"]
    page.get_by_role("link", name="Customers").click()
    expect(page.locator("#cost_per_minute")).to_have_value("x")
    assert asked == ["beforeunload"] * 2
    page.remove_listener("dialog", stay)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("link", name="Customers").click()
    page.wait_for_url("**/customers/")


def test_the_keyboard_is_enough(page: Page) -> None:
    page.goto("/providers/new")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#name")).to_be_focused()
    page.keyboard.type("By keyboard")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("By keyboard")


def test_a_search_by_keyboard(page: Page) -> None:
    page.goto("/customers/")
    page.locator("main").get_by_role("searchbox").fill("padaria")
    page.keyboard.press("Enter")
    page.wait_for_url("**/customers/?q=padaria")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("main").get_by_role("searchbox").fill("nobody")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Show all").click()
    expect(page.locator("tbody tr").nth(1)).to_be_visible()


def test_the_page_of_a_thing_that_others_need_says_so(page: Page) -> None:
    page.goto("/providers/?q=Exemplo")
    page.get_by_role("link", name="Telefônica Exemplo").click()
    page.locator(".btn-outline-danger").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("alert")).to_contain_text("Gateways: GW_Exemplo_RJ, GW_Exemplo_SP.")
    page.get_by_role("link", name="Back").click()
    expect(page.locator("h1")).to_have_text("Telefônica Exemplo")


def test_the_second_of_two_editors_is_told(page: Page) -> None:
    page.goto("/providers/new")
    fill(page, name="Edited twice")
    submit(page)
    page.get_by_role("link", name="Edit", exact=True).click()
    other = page.context.new_page()
    other.goto(page.url)
    fill(other, cost_per_minute="0.02")
    submit(other)
    fill(page, cost_per_minute="0.03")
    submit(page)
    expect(page.locator("[data-error-summary]")).to_be_focused()
    expect(page.locator("[data-error-summary]")).to_contain_text("Somebody else changed this in the meantime.")
    expect(page.locator("#cost_per_minute")).to_have_value("0.03")


def test_what_was_typed_outlives_the_session(page: Page, site: Site) -> None:
    page.goto("/providers/new")
    fill(page, name='Pão "& Cia"', type="Telephone numbers", cost_per_minute="0.05")
    page.context.clear_cookies()
    submit(page)
    expect(page.get_by_text("Your session has ended.")).to_be_visible()
    fill(page, username=USERS["en"], password="wrong")
    submit(page)
    fill(page, username=USERS["en"], password=PASSWORD)
    submit(page)

    expect(page.locator("#messages")).to_contain_text("What you typed is back, and not saved yet.")
    expect(page.locator("#name")).to_have_value('Pão "& Cia"')
    expect(page.locator("#type")).to_have_value("numbers")
    assert site.stored(lambda: db.session.scalar(select(Provider).where(Provider.name.startswith("Pão")))) is None
    submit(page)
    assert message(page) == 'Provider Pão "& Cia" saved.'


def test_fields_that_do_not_concern_a_customer_are_not_shown(page: Page) -> None:
    page.goto("/customers/new")
    expect(page.locator("#type")).to_have_value("")
    expect(page.locator("#trunk_ip")).to_be_hidden()
    fill(page, type="Trunk: a PBX at fixed addresses")
    expect(page.locator("#trunk_ip")).to_be_visible()
    fill(page, type="Extensions: phones that register")
    expect(page.locator("#trunk_ip")).to_be_hidden()


def test_an_error_is_shown_where_it_would_not_be_seen(page: Page) -> None:
    page.goto("/customers/new")
    fill(page, type="Trunk: a PBX at fixed addresses", trunk_port="x")
    fill(page, type="Extensions: phones that register")
    submit(page)
    expect(page.locator("#trunk_port-error")).to_be_visible()


def test_one_of_many_customers_is_searched(page: Page, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "LONG_LIST", 0)
    page.goto("/extensions/new")
    field = page.get_by_label("Customer")
    with page.expect_response("**/customers/suggestions?*") as answer:
        field.press_sequentially("dem")
    expect(page.locator("#customer_id-options option").first).to_have_attribute("value", "demo")
    assert answer.value.status == 200
    fill(page, customer_id="nobody", extension="777")
    submit(page)
    expect(page.locator("#customer_id-error")).to_contain_text("“nobody” is not there.")
    assert violations(page) == []
    fill(page, customer_id="demo")
    submit(page)
    assert message(page) == "Extension demo-777 saved."


def test_amounts_in_portuguese(page: Page, site: Site) -> None:
    page.goto("/providers/new")
    page.get_by_role("button", name="Português").click()
    expect(page.locator("html")).to_have_attribute("lang", "pt-BR")
    fill(page, name="Preço", cost_per_minute="1.234,5")
    submit(page)
    page.goto("/providers/?q=Preço")
    expect(page.locator("tbody")).to_contain_text("1.234,50")
