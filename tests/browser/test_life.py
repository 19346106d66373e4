"""The life of every thing an operator manages, in each language."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.live import Site, fill, message, row, submit

# Words of the demonstration that `serve` enters.
PROVIDER, GATEWAY, OFFICE, TRUNK = (
    "Telefônica Exemplo",
    "GW_Exemplo_SP",
    "Escritório Demo (demo)",
    "Padaria Central (PABX)",
)


def test_provider(page: Page, site: Site, language: str) -> None:
    say = site.words(language)
    name = f"Provider {language}"
    page.goto("/providers/")
    page.get_by_role("link", name=say("New provider")).click()
    fill(page, name=name, type=say("Telephone numbers"), cost_per_minute="0,0312")
    submit(page)
    assert message(page) == say("Provider %(name)s saved.", name=name)
    page.goto("/providers/")
    amount = "0,0312" if language == "pt_BR" else "0.0312"
    assert row(page, name) == [name, say("Telephone numbers"), amount, ""]

    edit(page, site, language, name)
    fill(page, name=f"{name} S.A.", type=say("Calls and numbers"))
    submit(page)
    assert message(page) == say("Provider %(name)s saved.", name=f"{name} S.A.")
    page.goto("/providers/")
    delete(page, site, language, f"{name} S.A.")


def test_gateway(page: Page, site: Site, language: str) -> None:
    say = site.words(language)
    name, address = f"GW_{language}", {"en": "198.51.100.1", "pt_BR": "198.51.100.2"}[language]
    page.goto("/gateways/")
    page.get_by_role("link", name=say("New gateway")).click()
    fill(page, name=name, provider_id=PROVIDER, ip_address=address, transport="TCP", registration=True)
    fill(page, username="carrier", password="pa;ss^word", codecs="g729 alaw")
    submit(page)
    assert message(page) == say("Gateway %(name)s saved.", name=name)
    page.goto("/gateways/")
    cells = [
        name,
        PROVIDER,
        f"{address}:5060 TCP",
        say("Registration"),
        "g729, alaw",
        say("Not known"),
        "0",
        say("Enabled"),
    ]
    assert row(page, name) == cells

    edit(page, site, language, name)
    assert page.locator("#password").input_value() == ""
    fill(page, enabled=False, port="5070")
    submit(page)
    page.goto("/gateways/")
    assert row(page, name)[-1] == say("Disabled")
    delete(page, site, language, name)


def test_customer(page: Page, site: Site, language: str) -> None:
    say = site.words(language)
    code = f"trunk.{language.lower().replace('_', '-')}"
    address = {"en": "198.51.100.11", "pt_BR": "198.51.100.12"}[language]
    page.goto("/customers/")
    page.get_by_role("link", name=say("New customer")).click()
    fill(page, code=code, name="Mercado, Filhos & <Cia>", type=say("Trunk: a PBX at fixed addresses"))
    fill(
        page,
        price_plan_id="Varejo",
        caller_id="+55 (11) 4000-1000",
        trunk_ip=f"{address}\n203.0.113.0/24" if language == "en" else address,
    )
    submit(page)
    assert message(page) == say("Customer %(name)s saved.", name="Mercado, Filhos & <Cia>")
    page.goto("/customers/")
    assert row(page, code)[:3] == [code, "Mercado, Filhos & <Cia>", say("Trunk")]

    edit(page, site, language, code)
    assert page.locator("#caller_id").input_value() == "551140001000"
    fill(page, enabled=False)
    submit(page)
    page.goto("/customers/")
    assert row(page, code)[-1] == say("Disabled")
    delete(page, site, language, code, f"Mercado, Filhos & <Cia> ({code})")


def test_extension(page: Page, site: Site, language: str) -> None:
    say = site.words(language)
    number = {"en": "701", "pt_BR": "702"}[language]
    page.goto("/extensions/")
    page.get_by_role("link", name=say("New extension")).click()
    fill(page, customer_id=OFFICE, extension=number, name="Alice 🌻")
    submit(page)
    user = f"demo-{number}"
    assert message(page) == say("Extension %(name)s saved.", name=user)
    page.get_by_role("button", name=say("Show it")).click()
    secret = page.locator("code", has_text=re.compile("^[A-Za-z0-9]{20}$"))
    expect(secret).to_be_visible()
    page.goto("/extensions/")
    assert row(page, user) == [user, "Escritório Demo", number, "Alice 🌻", say("Not known"), say("Enabled")]

    edit(page, site, language, user)
    assert page.locator("#secret").input_value() == ""
    fill(page, secret="another;secret^")
    submit(page)
    page.goto("/extensions/")
    delete(page, site, language, user)


def test_route(page: Page, site: Site, language: str) -> None:
    say = site.words(language)
    name = f"Route {language}"
    page.goto("/routes/")
    page.get_by_role("link", name=say("New route")).click()
    fill(page, name=name, pattern="_5511[2-5]xxxxxxx", gateway_id=GATEWAY, priority="7", strip="2", prepend="0")
    submit(page)
    assert message(page) == say("Route %(name)s saved.", name=name)
    page.goto("/routes/")
    assert row(page, name) == ["7", name, "5511[2-5]XXXXXXX", GATEWAY, "−2 +0", say("Enabled")]

    edit(page, site, language, name)
    fill(page, strip="0", prepend="")
    submit(page)
    page.goto("/routes/")
    assert row(page, name)[4] == ""
    delete(page, site, language, name)


def test_did(page: Page, site: Site, language: str) -> None:
    """A range is entered, one of it given to phones, then to a trunk, taken back, and deleted."""
    say = site.words(language)
    first = {"en": "552130001000", "pt_BR": "552130002000"}[language]
    shown = f"+55 21 3000-{first[-4:]}"
    page.goto("/dids/")
    page.get_by_role("link", name=say("New DIDs")).click()
    fill(page, number=first, count="20", provider_id=PROVIDER, gateway_id=GATEWAY, status=say("Reserved"))
    submit(page)
    assert message(page).startswith("20 ")
    expect(page.locator("tbody tr")).to_have_count(20)
    assert row(page, shown)[:3] == [shown, PROVIDER, say("Reserved")]

    page.get_by_role("link", name=shown).click()
    expect(page.get_by_text(say("Nobody has had this number yet."))).to_be_visible()
    page.get_by_role("link", name=say("Allocate")).first.click()
    fill(page, customer_id=OFFICE, destination="100")
    submit(page)
    assert message(page) == say("DID %(number)s allocated.", number=first)
    expect(page.get_by_text(say("rings extension %(number)s", number="100"))).to_be_visible()

    page.get_by_role("link", name=say("Give to another customer")).click()
    assert page.locator("#destination").input_value() == "100"
    fill(page, customer_id=f"{TRUNK} (padaria)", destination="")
    submit(page)
    expect(page.get_by_text(say("goes to the trunk"))).to_be_visible()

    page.get_by_role("button", name=say("Take back")).click()
    assert message(page) == say("DID %(number)s was taken back.", number=first)
    page.get_by_role("button", name=say("End quarantine")).click()
    assert message(page) == say("DID %(number)s is free again.", number=first)
    assert [cells.split("\t")[:2] for cells in page.locator("tbody").first.locator("tr").all_inner_texts()] == [
        [TRUNK, ""],
        ["Escritório Demo", "100"],
    ]
    page.get_by_role("link", name=say("Edit")).click()
    fill(page, description="Sold twice")
    submit(page)
    assert message(page) == say("DID %(number)s saved.", number=first)

    page.locator(".btn-outline-danger").click()
    page.get_by_role("button", name=say("Delete")).click()
    assert message(page) == say("%(name)s was deleted.", name=first)


def test_price_plan(page: Page, site: Site, language: str) -> None:
    """A plan with a tariff, amounts as the reader writes them, asked for a number, copied ten per cent dearer."""
    say = site.words(language)
    name, dearer = f"Atacado {language}", f"Atacado {language} +10 %"
    page.goto("/price-plans/")
    page.get_by_role("link", name=say("New price plan")).click()
    fill(page, name=name)
    submit(page)
    assert message(page) == say("Price plan %(name)s saved.", name=name)
    page.get_by_role("link", name=say("New tariff")).first.click()
    fill(page, prefix="5541", description="Curitiba, fixo", valid_from=date(language))
    fill(page, cost_per_minute=amount("0.05", language), price_per_minute=amount("0.08", language))
    submit(page)
    assert message(page) == say("Tariff %(prefix)s saved.", prefix="5541")
    margin = amount("0.03 (37.5 %)", language)
    cost, price = amount("0.05", language), amount("0.08", language)
    assert row(page, "5541")[:5] == ["5541", "Curitiba, fixo", cost, price, margin]

    page.locator("tbody").get_by_role("link", name="5541").click()
    expect(page.locator("#price_per_minute")).to_have_value(price)
    fill(page, price_per_minute=amount("0.04", language))
    submit(page)
    assert row(page, "5541")[4] == f"{say('Loss')} {amount('-0.01 (-25.0 %)', language)}"
    expect(page.locator(".alert-danger")).to_be_visible()
    page.locator("tbody").get_by_role("link", name="5541").click()
    fill(page, price_per_minute=price)
    submit(page)

    answer = page.locator(".card", has=page.locator("#number"))
    fill(page, number="+55 41 3333-4444")
    page.get_by_role("button", name=say("Ask")).click()
    expect(answer.locator("tbody th")).to_have_text("5541")
    fill(page, number="351211234567")
    page.get_by_role("button", name=say("Ask")).click()
    expect(answer).to_contain_text(say("No tariff: a call to this number would have no price."))

    page.get_by_role("link", name=say("Copy")).click()
    fill(page, name=dearer, percent=amount("10.0", language))
    submit(page)
    assert message(page) == say("Price plan %(name)s saved.", name=dearer)
    assert row(page, "5541")[3] == amount("0.088", language)
    remove(page, site, language, dearer)

    page.get_by_role("link", name=name).click()
    page.locator("tbody").get_by_role("link", name="5541").click()
    page.locator(".btn-outline-danger").click()
    page.get_by_role("button", name=say("Delete")).click()
    expect(page.get_by_text(say("No tariffs yet"))).to_be_visible()
    page.goto("/price-plans/")
    remove(page, site, language, name)


def test_line_of_a_deck(page: Page, site: Site, language: str) -> None:
    say = site.words(language)
    prefix = {"en": "5551", "pt_BR": "5548"}[language]
    page.goto("/price-plans/")
    page.locator("main").get_by_role("link", name=PROVIDER).click()
    page.get_by_role("link", name=say("New tariff")).first.click()
    cost, fee = amount("0.0375", language), amount("0.10", language)
    fill(page, prefix=prefix, valid_from=date(language), cost_per_minute=cost, connect_fee=fee, increment_seconds="60")
    submit(page)
    assert message(page) == say("Tariff %(prefix)s saved.", prefix=prefix)
    charged = say("%(minimum)s + %(step)s s", minimum=30, step=60)
    cells = row(page, prefix)
    assert cells[:3] == [prefix, "", cost]
    assert {fee, charged} <= set(cells)

    page.locator("tbody").get_by_role("link", name=prefix).click()
    fill(page, description="Sul")
    submit(page)
    assert row(page, prefix)[1] == "Sul"
    page.locator("tbody").get_by_role("link", name=prefix).click()
    page.locator(".btn-outline-danger").click()
    page.get_by_role("button", name=say("Delete")).click()
    expect(page.locator("h1")).to_have_text(say("What %(name)s charges", name=PROVIDER))
    expect(page.locator("tbody th", has_text=re.compile(f"^{prefix}$"))).to_have_count(0)


def test_number_rule(page: Page, site: Site, language: str) -> None:
    """A rule, what it makes of a number while that is typed, and its place among the others."""
    say = site.words(language)
    code, name = {"en": "8871", "pt_BR": "8872"}[language], f"Filial {language}"
    page.goto("/dialling/")
    for pattern, description in ((f"{code}X.", name), (f"{code}N.", "Later")):
        page.get_by_role("link", name=say("New rule")).click()
        fill(page, pattern=pattern, strip="4", prepend="{country}{area}", description=description)
        submit(page)
        assert message(page) == say("Rule saved.")
    page.locator("[name=number]").press_sequentially(f"{code}40001234")
    expect(page.locator("#reading")).to_contain_text("551140001234")
    expect(page.locator("#reading")).to_contain_text(name)

    page.get_by_role("button", name=say("Move %(name)s up", name="Later")).click()
    first = page.locator("tbody tr", has_text=f"{code}N.").locator("td").first.inner_text()
    assert int(row(page, name)[0]) == int(first) + 1
    for described in ("Later", name):
        page.locator("tbody").get_by_role("link", name=described).click()
        page.locator(".btn-outline-danger").click()
        page.get_by_role("button", name=say("Delete")).click()
        expect(page.locator("tbody tr", has_text=described)).to_have_count(0)


def test_settings(admin: Page, site: Site, language: str) -> None:
    say, company = site.words(language), "Voz Livre & <Filhos>"
    admin.goto("/settings/")
    admin.get_by_role("link", name=say("Change settings")).click()
    fill(admin, company_name=company, emergency_numbers="190 x")
    submit(admin)
    expect(admin.locator("#emergency_numbers")).to_have_attribute("aria-invalid", "true")
    fill(admin, emergency_numbers="190 193", quarantine_days="7")
    submit(admin)
    assert message(admin) == say("Settings saved.")
    expect(admin.locator(".navbar-brand")).to_have_text(company)
    expect(admin).to_have_title(f"{say('Settings')} · {company}")
    expect(admin.locator(".facts")).to_contain_text(["190, 193"])

    admin.get_by_role("link", name=say("Change settings")).click()
    fill(admin, company_name="", emergency_numbers="190 192 193", quarantine_days="30")
    submit(admin)
    expect(admin.locator(".navbar-brand")).to_have_text("Asterisk Admin")


def test_the_settings_are_not_the_operators(page: Page) -> None:
    page.goto("/settings/")
    expect(page.locator("dl.facts").first).to_be_visible()
    expect(page.locator("main .btn-primary")).to_have_count(0)
    page.goto("/settings/edit")
    expect(page.locator("h1")).to_have_text("You may not do this")


def amount(text: str, language: str) -> str:
    """An amount as the reader of a language writes it."""
    return text.replace(".", ",") if language == "pt_BR" else text


def date(language: str) -> str:
    """The first of February as the reader of a language writes it."""
    return "01/02/2026" if language == "pt_BR" else "2026-02-01"


def remove(page: Page, site: Site, language: str, name: str) -> None:
    """Delete the price plan that is shown, or that is in the list which is."""
    say = site.words(language)
    listed = page.locator("tbody").get_by_role("link", name=name, exact=True)
    if listed.count():
        listed.click()
    page.get_by_role("link", name=say("Edit"), exact=True).click()
    page.locator(".btn-outline-danger").click()
    page.get_by_role("button", name=say("Delete")).click()
    assert message(page) == say("%(name)s was deleted.", name=name)


def edit(page: Page, site: Site, language: str, word: str) -> None:
    """Open the form of a thing by the link in its list."""
    page.get_by_role("link", name=word).click()
    page.get_by_role("link", name=site.words(language)("Edit")).click()


def delete(page: Page, site: Site, language: str, word: str, name: str = "") -> None:
    """Delete the thing of a list whose row holds a word."""
    say = site.words(language)
    page.get_by_role("link", name=word).click()
    page.locator(".btn-outline-danger").click()
    expect(
        page.get_by_text(say("“%(name)s” will be deleted for good. This cannot be undone.", name=name or word))
    ).to_be_visible()
    page.get_by_role("button", name=say("Delete")).click()
    assert message(page) == say("%(name)s was deleted.", name=name or word)
    expect(page.locator("tbody tr", has_text=word)).to_have_count(0)
