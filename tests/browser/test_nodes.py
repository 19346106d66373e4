"""What pages say of the nodes by themselves: the badge above each of them, and the message after a save."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from tests.browser.live import Site, submit, violations
from webapp.ext import db


@pytest.fixture
def site_with_a_node(site: Site) -> Iterator[Site]:
    """A node that is up, as far as its books say."""
    write(site, "INSERT INTO nodes (name, seen_at, asterisk_up) VALUES ('pbx1', now() + interval '1 hour', true)")
    yield site
    write(site, "DELETE FROM nodes")


def write(site: Site, statement: str) -> None:
    with site.app.app_context(), db.engine.begin() as connection:
        connection.execute(text(statement))


def test_the_badge_changes_without_a_reload_and_says_so(page: Page, site_with_a_node: Site) -> None:
    page.clock.install()
    page.goto("/customers/")
    badge, news = page.locator("#badge"), page.locator("#badge-news")
    expect(badge).to_have_text("All nodes up to date")
    expect(news).to_have_text("")
    badge.get_by_role("link").focus()

    write(site_with_a_node, "INSERT INTO outbox (node, action) VALUES ('pbx1', 'reload_qualify')")
    with page.expect_request("**/sync/badge*") as asked:
        page.clock.run_for(11_000)
    assert asked.value.headers["x-by-itself"] == "1", "lest an open page keep its session alive"
    expect(badge).to_have_text("1 change on its way to pbx1")
    expect(news).to_have_text("1 change on its way to pbx1")
    expect(badge.get_by_role("link")).to_be_focused()
    assert violations(page) == []

    badge.get_by_role("link").click()
    page.wait_for_url("**/settings/nodes/")
    expect(page.locator("tbody tr")).to_have_count(1)


def test_a_save_is_followed_until_it_is_live(page: Page, site_with_a_node: Site) -> None:
    page.goto("/extensions/")
    page.locator("tbody a").first.click()
    page.get_by_role("link", name="Edit").click()
    page.locator("#name").fill("Front desk")
    submit(page)
    told = page.locator(".alert .receipt")
    expect(told).to_contain_text("On its way to pbx1.")
    assert violations(page) == []

    write(site_with_a_node, "UPDATE outbox SET done_at = created_at + interval '40 ms'")
    expect(told).to_contain_text("Live on pbx1 after 40 ms.")
    page.emulate_media(media="print")
    expect(page.locator("#badge")).to_be_hidden()
