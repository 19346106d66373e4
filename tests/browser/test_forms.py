"""What a form does in a browser: errors and focus, the keyboard, work that is not saved."""

from __future__ import annotations

from playwright.sync_api import Dialog, Page, expect

from tests.browser.live import Site, fill, submit


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
