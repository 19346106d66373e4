"""A browser on the running product. Whatever a page complains of in its console fails the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, StorageState, sync_playwright

from deploy.embedded.postgres import Postgres
from tests.browser.live import ADMINS, PATIENCE, USERS, Site, chromium, listen, serve, sign_in


@pytest.fixture(scope="package")
def site(cluster: Postgres, empty_database: str) -> Iterator[Site]:
    cluster.create_database("browser", template=empty_database)
    with serve(cluster.url("browser")) as site:
        yield site


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium. It goes with this package, for its loop stands in the way of tests that have one of their own."""
    with sync_playwright() as playwright, chromium(playwright) as browser:
        yield browser


@pytest.fixture(scope="package")
def cookies(browser: Browser, site: Site) -> dict[str, StorageState]:
    """Of everybody who is signed in, by user name: signing in is slow on purpose, so it is done once."""
    found = {}
    for username in (*USERS.values(), *ADMINS.values()):
        with browser.new_context() as context:
            sign_in(context.new_page(), site, username)
            found[username] = context.storage_state()
    return found


@pytest.fixture(params=USERS)
def language(request: pytest.FixtureRequest) -> str:
    """The test is run in each language."""
    return str(request.param)


@pytest.fixture
def page(
    browser: Browser, cookies: dict[str, StorageState], site: Site, request: pytest.FixtureRequest
) -> Iterator[Page]:
    """A page in which the operator is signed in, who reads `language` where the test asks for that, else English."""
    yield from _signed_in(browser, cookies[USERS[_language(request)]], site)


@pytest.fixture
def admin(
    browser: Browser, cookies: dict[str, StorageState], site: Site, request: pytest.FixtureRequest
) -> Iterator[Page]:
    """The same of the administrator."""
    yield from _signed_in(browser, cookies[ADMINS[_language(request)]], site)


@pytest.fixture
def stranger(browser: Browser, site: Site) -> Iterator[Page]:
    """A page in which nobody is signed in."""
    with browser.new_context(locale="en", base_url=site.url, reduced_motion="reduce") as context:
        yield from _watched(context.new_page())


def _language(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("language")) if "language" in request.fixturenames else "en"


def _signed_in(browser: Browser, cookies: StorageState, site: Site) -> Iterator[Page]:
    with browser.new_context(storage_state=cookies, base_url=site.url, reduced_motion="reduce") as context:
        yield from _watched(context.new_page())


def _watched(page: Page) -> Iterator[Page]:
    page.set_default_timeout(PATIENCE)
    complaints = listen(page)
    yield page
    assert complaints == []
