"""Every page: for people with and without eyes, on a desk and on a telephone, in light and dark."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.live import Site, enter_more, every_page, fill, submit, violations
from tests.conftest import PASSWORD

WIDER_THAN_THE_SCREEN = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def test_no_page_shuts_anybody_out(admin: Page, site: Site) -> None:
    page, found = admin, {}
    enter_more(page, site)

    def look(name: str) -> None:
        page.set_viewport_size({"width": 1280, "height": 800})
        found[name] = violations(page)
        page.set_viewport_size({"width": 390, "height": 844})
        if page.evaluate(WIDER_THAN_THE_SCREEN):
            found[name] += ["wider than a telephone"]

    for name, path in every_page(site).items():
        if name.endswith(("-delete", "-nothing-found")) and not name.startswith("customers"):
            continue  # The same template in other words.
        page.goto(path)
        look(name)
    page.goto("/gateways/new")
    submit(page)
    look("an error")
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_the_sign_in_page_shuts_nobody_out(stranger: Page) -> None:
    stranger.goto("/login")
    assert violations(stranger) == []


def test_a_list_on_a_telephone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/routes/")
    cells = page.locator("tbody tr").first.locator("td:not(.select)")
    labels = cells.evaluate_all("cells => cells.map(cell => getComputedStyle(cell, '::before').content)")
    assert labels == [f'"{label}"' for label in ("Priority", "Pattern", "Gateway", "Change", "State")]
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="DIDs").click()
    page.wait_for_url("**/dids/")


def test_signing_in_and_out(stranger: Page) -> None:
    stranger.goto("/routes/")
    expect(stranger.get_by_text("Please sign in.")).to_be_visible()
    expect(stranger.locator("#username")).to_be_focused()
    fill(stranger, username="olga", password="wrong")
    stranger.keyboard.press("Enter")
    expect(stranger.get_by_role("alert")).to_contain_text("The user name or the password is wrong.")
    expect(stranger.locator("#username")).to_have_value("olga")
    fill(stranger, password=PASSWORD)
    submit(stranger)
    stranger.wait_for_url("**/routes/")
    stranger.get_by_role("button", name="Sign out").click()
    stranger.wait_for_url("**/login")


def test_the_language_can_be_changed_on_every_page(page: Page) -> None:
    page.goto("/customers/?q=padaria")
    page.get_by_role("button", name="Português").click()
    expect(page.locator("h1")).to_have_text("Clientes")
    assert page.url.endswith("/customers/?q=padaria")
    page.get_by_role("button", name="English").click()
    expect(page.locator("h1")).to_have_text("Customers")


def test_the_theme_is_remembered(page: Page) -> None:
    page.goto("/")
    switch = page.get_by_role("button", name="Dark theme")
    expect(switch).to_have_attribute("aria-pressed", "false")
    switch.click()
    page.goto("/customers/")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    expect(switch).to_have_attribute("aria-pressed", "true")
    switch.click()
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    page.emulate_media(color_scheme="dark")  # Nothing is chosen now, so the system decides.
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


def test_rows_are_ticked_together_and_what_can_be_done_shows(page: Page) -> None:
    page.goto("/extensions/?enabled=&q=")
    bar, boxes = page.locator(".selection"), page.locator("tbody [name=id]")
    every = page.get_by_role("checkbox", name="Select all on this page")
    expect(bar).to_be_hidden()
    every.check()
    expect(bar).to_be_visible()
    assert boxes.evaluate_all("boxes => boxes.every(box => box.checked)")
    boxes.first.uncheck()
    assert every.evaluate("every => every.indeterminate")
    every.check()
    every.uncheck()
    expect(bar).to_be_hidden()
    boxes.first.check()
    page.get_by_role("button", name="Disable").click()
    expect(page.locator("h1")).to_have_text("Disable")
    expect(page.locator(".names li")).to_have_count(1)
    page.get_by_role("link", name="Cancel").click()
    page.wait_for_url("**/extensions/")


def test_an_address_names_only_the_filters_that_are_set(page: Page) -> None:
    page.goto("/gateways/")
    page.get_by_label("State").select_option("Enabled")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**/gateways/?enabled=true")
    page.get_by_role("link", name="Clear").click()
    page.wait_for_url("**/gateways/")


def test_a_list_on_paper(page: Page) -> None:
    page.goto("/dids/")
    page.emulate_media(media="print")
    expect(page.locator("tbody tr").first).to_be_visible()
    for screen_only in (".navbar", ".search", ".select >> nth=0", ".btn-primary >> nth=0"):
        expect(page.locator(screen_only)).to_be_hidden()
