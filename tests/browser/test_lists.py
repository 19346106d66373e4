"""What lists have in common: search, filters and order, work on many rows, files; and the log that tells of it all."""

from __future__ import annotations

import csv
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.live import USERS, Site, fill, message, row, submit


def test_many_rows_at_once(page: Page, site: Site, language: str) -> None:
    """They are selected, disabled after a question, and enabled again."""
    say = site.words(language)
    page.goto("/extensions/?customer_id=demo")
    shown = page.locator("tbody tr").count()
    assert shown > 1
    for action, state in (("Disable", "Disabled"), ("Enable", "Enabled")):
        page.get_by_role("checkbox", name=say("Select all on this page")).check()
        page.get_by_role("button", name=say(action), exact=True).click()
        expect(page.locator("h1")).to_have_text(say(action))
        expect(page.locator(".names li")).to_have_count(shown)
        submit(page)
        assert message(page) == say("%(label)s: done for %(count)s.", label=say(action), count=shown)
        page.wait_for_url("**/extensions/?customer_id=demo")
        expect(page.locator("tbody tr", has_text=say(state))).to_have_count(shown)


def test_a_list_as_a_file(page: Page, site: Site, language: str, tmp_path: Path) -> None:
    """It holds what the filters leave, and opens as a table in the spreadsheets of a country."""
    page.goto("/dids/?status=allocated")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    download.value.save_as(tmp_path / "dids.csv")
    with (tmp_path / "dids.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file, delimiter=";" if language == "pt_BR" else ","))
    assert {line["status"] for line in lines} == {"allocated"}
    assert {"551140001000", "551140001001"} <= {line["number"] for line in lines}


def test_search_filter_and_order(page: Page, site: Site, language: str) -> None:
    say = site.words(language)
    page.goto("/routes/")
    page.locator("main").get_by_role("searchbox").fill("brasil")
    page.locator("main").get_by_label(say("State"), exact=True).select_option(say("Enabled"))
    page.get_by_role("button", name=say("Search"), exact=True).click()
    names = page.locator("tbody th")
    expect(names).to_have_text(["Brasil", "Brasil, reserva"])
    for expected, order in (
        (["Brasil", "Brasil, reserva"], "ascending"),
        (["Brasil, reserva", "Brasil"], "descending"),
    ):
        page.locator("thead").get_by_role("link", name=say("Name")).click()
        expect(page.locator("thead th[aria-sort]")).to_have_attribute("aria-sort", order)
        expect(names).to_have_text(expected)  # The search and the filter stay.
    page.get_by_role("link", name=say("Clear")).click()
    expect(names.nth(2)).to_be_visible()
    page.go_back()
    expect(names).to_have_text(["Brasil, reserva", "Brasil"])


def test_tariffs_are_sorted_filtered_and_deleted(page: Page, site: Site, language: str) -> None:
    say = site.words(language)
    page.goto("/price-plans/new")
    fill(page, name=f"Plan {language}")
    submit(page)
    plan = page.url
    expect(page.get_by_text(say("No tariffs yet"))).to_be_visible()
    for prefix, price, start in (("55", "2", "2026-01-01"), ("5511", "1", "2026-01-01"), ("5511", "3", "2099-01-01")):
        page.goto(f"{plan}/tariffs/new")
        fill(page, prefix=prefix, price_per_minute=price, valid_from=start)
        submit(page)

    page.goto(plan)
    prefixes = page.locator("tbody th")
    expect(prefixes).to_have_text(["55", "5511"])
    for expected, order in ((["5511", "55"], "ascending"), (["55", "5511"], "descending")):
        page.locator("thead").get_by_role("link", name=say("Price")).click()
        expect(page.locator("thead th[aria-sort]")).to_have_attribute("aria-sort", order)
        expect(prefixes).to_have_text(expected)
    page.get_by_label(say("Which tariffs")).select_option(say("Not yet"))
    page.get_by_role("button", name=say("Search"), exact=True).click()
    expect(prefixes).to_have_text(["5511"])

    page.locator("tbody [name=id]").check()
    page.get_by_role("button", name=say("Delete"), exact=True).click()
    expect(page.locator(".names li")).to_have_count(1)
    submit(page)
    expect(page.get_by_text(say("Nothing found"))).to_be_visible()
    page.get_by_role("link", name=say("Show all"), exact=True).click()
    expect(prefixes).to_have_text(["55", "5511"])


def test_everything_is_searched(page: Page, site: Site, language: str) -> None:
    say = site.words(language)
    page.goto("/dids/")
    box = page.get_by_role("searchbox", name=say("Search everywhere"))
    box.fill("exemplo")
    box.press("Enter")
    expect(page.locator("h1")).to_have_text(say("Search"))
    expect(page.locator("main h2")).to_have_text([say("Providers"), say("Gateways")])
    page.locator("main").get_by_role("link", name="GW_Exemplo_RJ").click()
    expect(page.locator("h1")).to_have_text("GW_Exemplo_RJ")
    box.fill("zzzz")
    box.press("Enter")
    expect(page.get_by_text(say("Nothing found"), exact=True)).to_be_visible()


def test_the_log_tells_who_did_what(page: Page, site: Site, language: str) -> None:
    say, name = site.words(language), f"Logged {language}"
    page.goto("/providers/new")
    fill(page, name=name)
    submit(page)
    page.get_by_role("link", name=say("Edit"), exact=True).click()
    fill(page, cost_per_minute="0,5" if language == "pt_BR" else "0.5")
    submit(page)

    page.goto("/audit/")
    page.locator("[name=q] >> visible=true").last.fill(name)
    page.locator("[name=who]").fill(USERS[language])
    page.locator("[name=kind]").select_option(say("Provider"))
    page.get_by_role("button", name=say("Search"), exact=True).click()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.locator("[name=action]").select_option(say("Edited"))
    page.get_by_role("button", name=say("Search"), exact=True).click()
    expect(page.locator("tbody tr")).to_have_count(1)
    assert row(page, name)[1] == USERS[language]
    expect(page.locator("tbody ins")).to_contain_text("0")
    page.locator("[name=who]").fill("nobody")
    page.get_by_role("button", name=say("Search"), exact=True).click()
    expect(page.get_by_text(say("Nothing found"))).to_be_visible()
