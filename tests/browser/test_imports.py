"""A file on its way through a browser, with the work in threads of its own as the tests of the pages have it not."""

from __future__ import annotations

from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from tests.browser.live import Site, fill, row, submit, violations
from webapp.dids.models import Did
from webapp.ext import db
from webapp.providers.models import Provider

PROVIDER = "Telefônica Exemplo"


def test_the_way_of_a_file(page: Page, site: Site) -> None:
    provider = site.stored(lambda: db.session.scalars(select(Provider.name).limit(1)).one())
    lines = "".join(f"5586{number:08},{provider}\n" for number in range(3000))

    def stored() -> int:
        mine = select(func.count()).select_from(Did).where(Did.number.startswith("558600"))
        return site.stored(lambda: db.session.scalar(mine) or 0)

    page.goto("/imports/new?kind=dids")
    content = f"number,provider\n{lines}".encode()
    page.locator("#file").set_input_files({"name": "numbers.csv", "mimeType": "text/csv", "buffer": content})
    submit(page)
    # The page goes on by itself, without being loaded again by hand.
    apply = page.get_by_role("button", name="Apply")
    expect(apply).to_be_visible(timeout=60_000)
    assert violations(page) == []
    assert stored() == 0
    apply.click()
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_be_visible(timeout=60_000)
    assert stored() == 3000
    undo.click()
    expect(page.get_by_role("link", name="Bring in another file")).to_be_visible(timeout=60_000)
    assert stored() == 0


def test_numbers_from_a_file(page: Page, site: Site, language: str) -> None:
    """A wrong line stops the file and can be fetched; without it the numbers come in, and go with the undo."""
    say = site.words(language)
    start = {"en": "55853000", "pt_BR": "55863000"}[language]
    wrong = f"number,provider,description\n{start}0001,{PROVIDER},Loja\n{start}0002,Nobody,\n"

    def stored() -> dict[str, str]:
        mine = select(Did.number, Did.description).where(Did.number.startswith(start))
        return site.stored(lambda: {did.number: did.description for did in db.session.execute(mine)})

    page.goto("/imports/new?kind=dids")
    send(page, wrong)
    expect(page.get_by_role("heading", name=say("Rejected"))).to_be_visible(timeout=30_000)
    expect(page.get_by_role("button", name=say("Apply"), exact=True)).to_have_count(0)
    assert row(page, "Nobody")[:3] == ["3", "provider", "Nobody"]
    with page.expect_download() as download:
        page.get_by_role("link", name=say("Rejected lines (CSV)")).click()
    assert f"{start}0002" in download.value.path().read_text()

    page.goto("/imports/new?kind=dids")
    send(page, wrong.replace("Nobody", PROVIDER))
    page.get_by_role("button", name=say("Apply"), exact=True).click()
    undo = page.get_by_role("button", name=say("Undo"))
    expect(undo).to_be_visible(timeout=30_000)
    assert stored() == {f"{start}0001": "Loja", f"{start}0002": ""}
    undo.click()
    expect(page.get_by_role("link", name=say("Bring in another file"))).to_be_visible(timeout=30_000)
    assert stored() == {}


def test_tariffs_from_a_file(page: Page, site: Site, language: str) -> None:
    """As a provider in Brazil sends them, whatever language its reader has."""
    say = site.words(language)
    prefix = {"en": "5585", "pt_BR": "5586"}[language]
    page.goto("/imports/")
    page.locator("main").get_by_role("link", name=say("Tariffs"), exact=True).click()
    fill(page, target_id="Varejo")
    sent = f"prefixo;destino;tarifa\n{prefix};Nordeste, fixo;0,15\n{prefix}9;Nordeste, móvel;0,32\n"
    send(page, sent, "cp1252")
    apply = page.get_by_role("button", name=say("Apply"), exact=True)
    expect(apply).to_be_visible(timeout=30_000)
    assert ("0,15" if language == "pt_BR" else "0.15") in row(page, "Nordeste, fixo")
    assert violations(page) == []
    apply.click()
    expect(page.get_by_role("button", name=say("Undo"))).to_be_visible(timeout=30_000)

    address = page.url
    page.goto("/price-plans/")
    page.get_by_role("link", name="Varejo", exact=True).click()
    plan = page.url
    page.goto(f"{plan}?q={prefix}")
    expect(page.locator("tbody th")).to_have_text([prefix, f"{prefix}9"])
    page.goto(address)
    page.get_by_role("button", name=say("Undo")).click()
    expect(page.get_by_role("link", name=say("Bring in another file"))).to_be_visible(timeout=30_000)
    page.goto(f"{plan}?q={prefix}")
    expect(page.locator("tbody th")).to_have_count(0)


def send(page: Page, text: str, encoding: str = "utf-8") -> None:
    page.locator("#file").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": text.encode(encoding)})
    submit(page)
