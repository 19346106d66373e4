"""The search box of every page, by keyboard and by its suggestions."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.live import violations


def test_a_key_leads_there_and_enter_to_the_thing(page: Page) -> None:
    page.goto("/routes/")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Search everywhere")).to_be_focused()
    page.keyboard.type("+55 (11) 4000-1001")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/dids/[0-9a-f-]{36}$"))
    expect(page.locator("h1")).to_have_text("+55 11 4000-1001")


def test_the_key_is_a_sign_like_others_where_one_types(page: Page) -> None:
    page.goto("/providers/new")
    page.locator("#name").press_sequentially("a/b")
    expect(page.locator("#name")).to_have_value("a/b")
    page.locator("#name").fill("")


def test_suggestions_are_walked_through_with_the_arrows(page: Page) -> None:
    page.goto("/")
    box = page.get_by_role("searchbox", name="Search everywhere")
    suggestions = page.locator("#suggestions")
    box.press_sequentially("exemplo")
    expect(suggestions).to_be_visible()
    expect(suggestions.get_by_role("link")).to_have_text(["Telefônica Exemplo", "GW_Exemplo_RJ", "GW_Exemplo_SP"])
    expect(page.locator("[data-everywhere] [role=status]")).to_have_text("3 things found.")
    assert violations(page) == []

    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(suggestions.get_by_role("link", name="GW_Exemplo_RJ")).to_be_focused()
    page.keyboard.press("Escape")
    expect(suggestions).to_be_hidden()
    expect(box).to_be_focused()

    box.fill("")
    box.press_sequentially("zzzz")
    expect(page.locator("[data-everywhere] [role=status]")).to_have_text("Nothing found")
    box.fill("")
    expect(suggestions).to_be_hidden()
    box.press_sequentially("gw_exemplo_s")
    expect(suggestions.get_by_role("link")).to_have_text(["GW_Exemplo_SP"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/gateways/[0-9a-f-]{36}$"))


def test_what_is_left_is_closed(page: Page) -> None:
    page.goto("/customers/")
    page.get_by_role("searchbox", name="Search everywhere").press_sequentially("exemplo")
    expect(page.locator("#suggestions")).to_be_visible()
    page.mouse.click(1200, 700)
    expect(page.locator("#suggestions")).to_be_hidden()


def test_a_suggestion_that_comes_after_the_session_ended_shows_nothing(page: Page) -> None:
    page.goto("/customers/")
    page.context.clear_cookies()
    box = page.get_by_role("searchbox", name="Search everywhere")
    with page.expect_response("**/login*"):
        box.press_sequentially("exemplo")
    expect(page.locator("#suggestions")).to_be_hidden()
