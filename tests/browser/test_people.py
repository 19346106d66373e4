"""People and programs that sign in: users, their profile and second step, tokens."""

from __future__ import annotations

import time

import pyotp
from playwright.sync_api import Browser, Page, expect

from tests.browser.live import Site, fill, message, row, submit, violations
from tests.conftest import PASSWORD
from webapp import store
from webapp.accounts.models import User


def test_user(admin: Page, stranger: Page, site: Site, language: str) -> None:
    """One is made, signs in, sees what he may see, and is shown the door."""
    say = site.words(language)
    name = f"nina.{language.lower()}"
    admin.goto("/users/")
    admin.get_by_role("link", name=say("New user")).click()
    spoken = {"en": "English", "pt_BR": "Português"}[language]
    fill(admin, username=name, role=say("Viewer"), language=spoken, password=PASSWORD)
    submit(admin)
    assert message(admin) == say("User %(name)s saved.", name=name)

    enter(stranger, name)
    expect(stranger.locator("h1")).to_have_text(say("Dashboard"))
    stranger.goto("/providers/")
    expect(stranger.locator("tbody tr").first).to_be_visible()
    expect(stranger.get_by_role("link", name=say("New provider"))).to_have_count(0)
    stranger.goto("/users/")
    expect(stranger.locator("h1")).to_have_text(say("You may not do this"))

    admin.get_by_role("link", name=name).click()
    expect(admin.locator("tbody tr", has_text="127.0.0.1")).to_have_count(1)
    admin.get_by_role("link", name=say("Edit"), exact=True).click()
    expect(admin.locator("#password")).to_have_value("")
    fill(admin, enabled=False)
    submit(admin)
    assert row(admin, name)[-1] == say("Disabled")
    stranger.goto("/providers/")
    expect(stranger.locator("#username")).to_be_visible()
    enter(stranger, name)
    expect(stranger.get_by_role("alert")).to_be_visible()

    admin.get_by_role("link", name=name).click()
    admin.goto(f"{admin.url}/delete")
    admin.get_by_role("button", name=say("Delete")).click()
    assert message(admin) == say("%(name)s was deleted.", name=name)


def test_profile(stranger: Page, site: Site, language: str) -> None:
    say = site.words(language)
    other = {"en": "pt_BR", "pt_BR": "en"}[language]
    words = {"en": "English", "pt_BR": "Português"}
    person(site, f"rui.{language.lower()}", language)
    enter(stranger, f"rui.{language.lower()}")
    stranger.goto("/profile/")
    fill(stranger, language=words[other], theme=say("Dark"))
    submit(stranger)
    expect(stranger.locator("h1")).to_have_text(site.words(other)("Your profile"))
    expect(stranger.locator("html")).to_have_attribute("data-bs-theme", "dark")
    fill(stranger, language=words[language], theme=site.words(other)("Light"))
    submit(stranger)
    assert message(stranger) == say("Your preferences were saved.")
    expect(stranger.locator("html")).to_have_attribute("data-bs-theme", "light")

    stranger.get_by_role("link", name=say("Change password")).click()
    fill(stranger, current=PASSWORD, password="staple battery", repeat="staple batterie")
    submit(stranger)
    expect(stranger.locator("#repeat-error")).to_have_text(say("The two are not the same."))
    fill(stranger, current=PASSWORD, password="staple battery", repeat="staple battery")
    submit(stranger)
    assert message(stranger) == say("Your password was changed. Other sessions of yours were ended.")


def test_second_step(stranger: Page, browser: Browser, site: Site, language: str) -> None:
    """It is turned on, asked for, gone round with a recovery code, and turned off; and a session is ended elsewhere."""
    say, name = site.words(language), f"eva.{language.lower()}"
    person(site, name, language)
    enter(stranger, name)
    stranger.goto("/profile/")
    stranger.get_by_role("button", name=say("Set up")).click()
    expect(stranger.locator(".qr svg")).to_be_visible()
    assert violations(stranger) == []
    app = pyotp.TOTP(stranger.locator("ol code").inner_text().replace(" ", ""))
    fill(stranger, code="wrong")
    submit(stranger)
    expect(stranger.locator("#code-error")).to_be_visible()
    fill(stranger, code=app.now())
    submit(stranger)
    expect(stranger.locator("h1")).to_have_text(say("Recovery codes"))
    assert violations(stranger) == []
    recovery = stranger.locator(".recovery-codes code").all_inner_texts()
    assert len(set(recovery)) == 10
    stranger.get_by_role("link", name=say("I have kept them")).click()

    stranger.get_by_role("button", name=say("Sign out")).click()
    enter(stranger, name)
    expect(stranger.locator("#code")).to_be_focused()
    assert violations(stranger) == []
    fill(stranger, code=app.at(int(time.time()) + 30))  # A code is good once, so the next one it is.
    submit(stranger)
    expect(stranger.locator("h1")).to_have_text(say("Dashboard"))

    with browser.new_context(base_url=site.url) as context:
        elsewhere = context.new_page()
        enter(elsewhere, name)
        fill(elsewhere, code=recovery[0])
        submit(elsewhere)
        assert message(elsewhere) == say("A recovery code was used up. Left: %(count)s.", count=9)
        stranger.goto("/profile/")
        expect(stranger.locator("tbody tr", has_text="127.0.0.1")).to_have_count(2)
        stranger.get_by_role("button", name=say("End all others")).click()
        expect(stranger.locator("tbody tr", has_text="127.0.0.1")).to_have_count(1)
        elsewhere.goto("/customers/")
        expect(elsewhere.locator("#username")).to_be_visible()

    stranger.get_by_role("link", name=say("Turn off")).click()
    fill(stranger, password=PASSWORD)
    submit(stranger)
    assert message(stranger) == say("You now sign in with the password alone.")


def test_token(admin: Page, site: Site, language: str) -> None:
    """It is shown once, lets a program in, and does so no more once it is revoked."""
    say, name = site.words(language), f"robot {language}"
    admin.goto("/tokens/")
    admin.get_by_role("link", name=say("New token")).first.click()
    fill(admin, name=name, role=say("Viewer"), expires_in_days="30")
    submit(admin)
    token = admin.locator("#token").input_value()
    admin.get_by_role("link", name=say("Done")).click()
    assert row(admin, name)[:3] == [name, say("Viewer"), say("Active")]
    assert token not in admin.content()

    def ask() -> int:
        with admin.context.browser.new_context() as program:  # type: ignore[union-attr]  # it has one
            headers = {"Authorization": f"Bearer {token}"}
            return program.request.get(f"{site.url}/api/v1/providers", headers=headers).status

    assert ask() == 200
    admin.get_by_role("link", name=say("Revoke %(name)s", name=name)).click()
    admin.get_by_role("button", name=say("Revoke")).click()
    assert message(admin) == say("Token %(name)s was revoked.", name=name)
    assert row(admin, name)[2] == say("Revoked")
    assert ask() == 401


def person(site: Site, name: str, language: str) -> None:
    """Somebody of one's own: what he does to his sessions and language concerns no other test."""

    def make() -> None:
        user = User(username=name, role="operator", language=language)
        user.set_password(PASSWORD)
        store.save(user)

    site.stored(make)


def enter(page: Page, name: str) -> None:
    """Sign in as far as the password leads."""
    page.goto("/login")
    fill(page, username=name, password=PASSWORD)
    submit(page)
