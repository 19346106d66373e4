"""Pictures of every page, to look at: python -m tests.browser.screenshots DIRECTORY [en|pt_BR ...]"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from schema import migrate
from tests.browser.live import ADMINS, USERS, Site, chromium, enter_more, every_page, serve, shot, sign_in, submit
from tests.calls.exchange import private_postgres

SIZES = {"desk": (1280, 800), "phone": (390, 844)}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    with private_postgres() as postgres:
        postgres.create_database("pictures")
        migrate.upgrade(postgres.url("pictures"))
        with serve(postgres.url("pictures")) as site, sync_playwright() as playwright, chromium(playwright) as browser:
            with browser.new_context() as context:
                page = context.new_page()
                sign_in(page, site, ADMINS["en"])
                enter_more(page, site)
            for language in sys.argv[2:] or USERS:
                pictures(browser, site, target, language)


def pictures(browser: Browser, site: Site, target: Path, language: str) -> None:
    """Every page in each size and theme, one file each: gateways-new.phone.dark.en.png"""
    for size, (width, height) in SIZES.items():
        for theme in THEMES:
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=theme,
                locale=language.replace("_", "-"),
            )
            page = context.new_page()
            suffix = f"{size}.{theme}.{language}.png"
            page.goto(f"{site.url}/login")
            shot(page, target / f"login.{suffix}")
            sign_in(page, site, ADMINS[language])
            for name, address in every_page(site).items():
                page.goto(site.url + address)
                shot(page, target / f"{name}.{suffix}")
            refused(page, site)
            shot(page, target / f"gateways-refused.{suffix}")
            if size == "phone":
                page.locator(".navbar-toggler").click()
                page.wait_for_timeout(500)
                shot(page, target / f"menu.{suffix}")
            context.close()


def refused(page: Page, site: Site) -> None:
    """The form of a gateway after it was refused."""
    page.goto(f"{site.url}/gateways/new")
    page.locator("#name").fill("GW São Paulo")
    page.locator("#ip_address").fill("10.0.0.300")
    page.locator("#port").fill("70000")
    page.locator("#registration").check()
    submit(page)


if __name__ == "__main__":
    main()
