"""The documentation of the API, and the page that shows a token, in a browser. The fixture `page` fails on complaints,
which refusals by the Content-Security-Policy are too."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.live import Site, fill, submit, violations

HOSTS = "() => [...new Set(performance.getEntriesByType('resource').map(entry => new URL(entry.name).host))]"


def test_the_documentation_works_without_the_internet(page: Page, site: Site) -> None:
    page.goto("/api/v1/docs")
    page.wait_for_url("**/docs")
    expect(page.get_by_role("heading", name="API documentation")).to_be_visible()
    expect(page.locator(".opblock-tag[data-tag='gateways']")).to_be_visible()
    page.locator(".opblock-tag[data-tag='dashboard']").click()
    page.locator(".opblock-summary", has_text="/dashboard/stats").click()
    expect(page.locator(".opblock-body").first).to_be_visible()
    assert page.evaluate(HOSTS) == [site.url.removeprefix("http://")]
    with page.expect_response("**/openapi.json") as answer:
        page.get_by_role("link", name="openapi.json", exact=True).click()
    assert answer.value.ok


def test_a_token_is_made_and_copied(admin: Page, site: Site) -> None:
    page = admin
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/tokens/new")
    assert violations(page) == []
    fill(page, name="billing", role="Operator")
    submit(page)
    token = page.locator("#token").input_value()
    assert token.startswith("aa_")
    assert violations(page) == []
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == token
    page.get_by_role("link", name="Done").click()
    expect(page.locator("tbody tr", has_text="billing")).to_have_count(1)
    assert violations(page) == []
    page.get_by_role("link", name="Revoke billing").click()
    assert violations(page) == []
