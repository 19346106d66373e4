"""A file on its way through a browser, with the work in threads of its own as the tests of the pages have it not."""

from __future__ import annotations

from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from tests.browser.live import Site, submit, violations
from webapp.dids.models import Did
from webapp.ext import db
from webapp.providers.models import Provider


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
