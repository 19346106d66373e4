"""The product on a port of its own, for a browser: what it stores is committed, so its database is its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from flask_babel import force_locale, gettext
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, expect
from sqlalchemy import select, text
from werkzeug.serving import make_server

from tests.calls.exchange import settings
from tests.conftest import PASSWORD
from webapp import create_app, demonstration, store
from webapp.accounts.models import User
from webapp.calls.models import Call, UnratedCdr
from webapp.conferences.models import Conference
from webapp.customers.models import Customer
from webapp.destination_lists.models import DestinationList
from webapp.dialling.models import NumberRule
from webapp.dids.models import Did
from webapp.ext import db
from webapp.extensions.models import Extension
from webapp.fraud_cases.models import FraudCase
from webapp.fraud_rules.models import FraudRule
from webapp.gateways.models import Gateway
from webapp.imports.models import Import
from webapp.invoice_checks.models import InvoiceCheck
from webapp.providers.models import Provider
from webapp.reratings.models import Rerating
from webapp.routes.models import Route
from webapp.tariffs.models import PricePlan, ProviderTariff, Tariff
from webapp.tokens.models import ApiToken

CHROMIUM = "/usr/bin/chromium"
# Without these a browser in a container does not start, or calls home.
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
USERS = {"en": "olga", "pt_BR": "otavio"}  # An operator for each language.
ADMINS = {"en": "ada", "pt_BR": "adriana"}  # And an administrator.
# So long, in milliseconds, a page may take to show what a test waits for: three other runs are beside this one.
PATIENCE = 30_000

T = TypeVar("T")


@dataclass(frozen=True)
class Site:
    """The running product."""

    url: str
    app: Flask

    def stored(self, question: Callable[[], T]) -> T:
        """What a question to the database answers, in a session of its own."""
        with self.app.app_context():
            return question()

    def words(self, language: str) -> Callable[..., str]:
        """A function that says a text of the product in a language."""

        def say(text: str, **values: Any) -> str:
            with self.app.app_context(), force_locale(language):
                return str(gettext(text, **values))

        return say


@contextmanager
def serve(database_url: str) -> Iterator[Site]:
    """The product on a free port, with the demonstration, and an operator and an administrator for each language."""
    app = create_app(settings(database_url))
    with app.app_context():
        demonstration.seed()
        for role, names in (("operator", USERS), ("admin", ADMINS)):
            for language, username in names.items():
                user = User(username=username, role=role, language=language)
                user.set_password(PASSWORD)
                store.save(user)
    with running(app) as site:
        yield site


@contextmanager
def running(app: Flask) -> Iterator[Site]:
    """An application on a free port."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, name="site")
    thread.start()
    try:
        yield Site(f"http://127.0.0.1:{server.port}", app)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        with app.app_context():
            db.engine.dispose()


@contextmanager
def chromium(playwright: Playwright) -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    try:
        yield browser
    finally:
        browser.close()


def sign_in(page: Page, site: Site, username: str) -> None:
    page.goto(f"{site.url}/login")
    fill(page, username=username, password=PASSWORD)
    submit(page)
    page.wait_for_url(f"{site.url}/")


def fill(page: Page, **values: str | bool) -> None:
    """Fill in fields by their names: a text, the label of an option, or whether a switch is on."""
    for name, value in values.items():
        field = page.locator(f"#{name}")
        if isinstance(value, bool):
            field.set_checked(value)
        elif field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(label=value)
        else:
            field.fill(value)


def submit(page: Page) -> None:
    with page.expect_navigation():
        page.locator("form.form button[type=submit]").click()


def message(page: Page) -> str:
    """What the product says after an action."""
    return page.locator("#messages .alert > div").inner_text()


def row(page: Page, word: str) -> list[str]:
    """The cells of the row of a list that holds a word."""
    found = page.locator("tbody tr", has_text=word)
    found.wait_for()
    return found.locator("th, td:not(.select)").all_inner_texts()


def listen(page: Page) -> list[str]:
    """A list that fills with whatever the page complains of: script errors, refusals of the CSP, failed loads."""
    complaints: list[str] = []

    def read(line: ConsoleMessage) -> None:
        # A form that comes back with its errors is no failure of the page, though its status is 422.
        is_status = "the server responded with a status of 4" in line.text and line.location["url"] == page.url
        if line.type in ("error", "warning") and not is_status:
            complaints.append(line.text)

    page.on("console", read)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def violations(page: Page) -> list[str]:
    """What axe finds wrong with a page for people who do not see it or use no mouse, in light and in dark."""
    page.wait_for_load_state()  # A click on a link is over when the next page begins to come.
    theme = "document.documentElement.dataset.bsTheme"
    found = Axe().run(page).response["violations"]
    found += page.evaluate(
        f"async () => {{ {theme} = 'dark'; return (await axe.run({{ runOnly: ['color-contrast'] }})).violations }}"
    )
    page.evaluate(f"{theme} = 'light'")
    return [
        f"{each['id']}: {each['help']}: {', '.join(node['html'][:160] for node in each['nodes'][:4])}" for each in found
    ]


FILES = {
    "refused": ("dids", "number,provider\n5585300000010,Telefônica Exemplo\n12,Nobody\n"),
    "compared": ("tariffs", "prefixo;destino;tarifa\n5511;São Paulo;0,02\n5571;Salvador, fixo;0,14\n"),
    "unclear": ("provider_tariffs", "one,two\n55,0.05\n"),
}


# Bills of the provider that carried the calls: one that the program understands, and one that it does not.
BILLS = {
    "bill": "start;number;seconds;amount\n{};0 15 11 94000-1234;66;1,20\n{};5521330001234;60;0,90\nTotal;;;2,10\n",
    "unnamed": "{};5511940001234;66;1,20\n",
}


# Calls as Asterisk records them: answered, busy, to a number without a tariff, in; and a record that makes no sense.
CDRS = """
INSERT INTO asterisk.cdr (node, start, answer, "end", duration, billsec, disposition, uniqueid, linkedid, sequence,
    direction, customer_id, provider_id, gateway_id, number, src, dcontext, pdd)
SELECT 'pbx1', start::text, CASE WHEN n % 3 > 0 THEN start::text END, (start + interval '70 s')::text, '70',
    CASE WHEN n % 3 > 0 THEN (n * 7)::text ELSE '0' END, CASE WHEN n % 3 > 0 THEN 'ANSWERED' ELSE 'BUSY' END,
    'call-' || n, 'call-' || n, '0', CASE WHEN n % 7 = 0 THEN 'inbound' ELSE 'outbound' END, c.id::text,
    g.provider_id::text, g.id::text,
    (ARRAY['5511940001234', '5521330001234', '442012345678', '551140001000'])[1 + n % 4], '551140001001',
    'verdict-route', (500 + 10 * n)::text
FROM generate_series(1, 40) n, LATERAL (SELECT now() - n * interval '11 hours' AS start) s,
    (SELECT id FROM customers ORDER BY code LIMIT 1) c, (SELECT id, provider_id FROM gateways ORDER BY name LIMIT 1) g
UNION ALL SELECT 'pbx1', 'the day before', NULL, '', 'long', '0', '', 'sense', '', '0', '', '', '', '', '', '', '', NULL
"""


# Calls that go on, as the agent of a node writes them, which will not have been away when the page is looked at.
LIVE = """
INSERT INTO live_nodes VALUES ('pbx1', now() + interval '1 day');
INSERT INTO live_channels
SELECT 'pbx1', n::text, (ARRAY['outbound', 'inbound', 'internal'])[1 + n % 3], c.id, g.id, g.provider_id,
    '551140001001', '5511940001234', '', CASE WHEN n % 4 > 0 THEN 'answered' ELSE 'ringing' END,
    now() - n * interval '17 s', CASE WHEN n % 4 > 0 THEN now() - n * interval '15 s' END
FROM generate_series(1, 12) n, (SELECT id FROM customers ORDER BY code LIMIT 1) c,
    (SELECT id, provider_id FROM gateways ORDER BY name LIMIT 1) g
"""


# A conference of three: one is in the room, one rings, and one was refused.
CONFERENCE = """
WITH made AS (
    INSERT INTO conferences (name, customer_id, numbers, node, username, record)
    SELECT 'Board meeting', id, '{100,551140001234,551140001299}', 'pbx1', 'olga', true
    FROM customers ORDER BY code LIMIT 1 RETURNING id
)
INSERT INTO conference_participants (conference_id, position, number, state, called_at, joined_at)
SELECT id, n, (ARRAY['100', '551140001234', '551140001299'])[n], (ARRAY['joined', 'ringing', 'not_called'])[n], now(),
    CASE WHEN n = 1 THEN now() END
FROM made, generate_series(1, 3) n
"""

# What was found when Asterisk's tables were held against what they should be.
PROOF = """
INSERT INTO sync_checks (node, asked_by, finished_at, differences, findings, by_hand)
SELECT '', 'ada', now(), 3, jsonb_build_array(
    jsonb_build_object('table', 'ps_endpoints', 'key', 'gateway-' || name, 'owner', 'gateway:' || id,
        'what', 'different', 'fields', '[{"name": "context", "there": null, "wanted": "from-trunk"}]'::jsonb),
    jsonb_build_object('table', 'ps_auths', 'key', 'gateway-' || name, 'owner', 'gateway:' || id,
        'what', 'different', 'fields', '[{"name": "password", "there": "***", "wanted": "***"}]'::jsonb),
    jsonb_build_object('table', 'ps_aors', 'key', 'stray', 'owner', 'gateway:x', 'what', 'left_over',
        'fields', '[]'::jsonb)
), '{"ps_aors": ["mine"]}' FROM gateways ORDER BY name LIMIT 1
"""


# Rules against fraud hit two customers; one was released. What was told of it, and what was tried.
FRAUD = """
UPDATE fraud_rules SET state = 'armed' WHERE kind = 'spending';
INSERT INTO fraud_looks SELECT id, now(), 34, '' FROM fraud_rules WHERE state = 'armed';
INSERT INTO fraud_cases
    (rule_id, rule_name, customer_id, action, calls, seconds, amount, evidence, released_at, released_by)
SELECT r.id, r.name, c.id, r.action, 9, 1234, 87.4, jsonb_build_array(
    jsonb_build_object('started_at', now(), 'number', '5352345678', 'seconds', 254, 'price', '21.5'),
    jsonb_build_object('started_at', now(), 'number', '18765551234', 'seconds', 31, 'price', '7.25')),
    CASE WHEN c.n = 2 THEN now() END, CASE WHEN c.n = 2 THEN 'olga' ELSE '' END
FROM fraud_rules r, (SELECT id, row_number() OVER (ORDER BY code) AS n FROM customers) AS c
WHERE r.kind = 'spending' AND c.n <= 2;
UPDATE alert_settings
SET emails = '{noc@example.com}', webhook_url = 'https://example.com/alerts';
INSERT INTO alerts (channel, kind, about, tries, sent_at, error)
SELECT channel, 'fraud', jsonb_build_object('case', f.id, 'customer', c.name, 'rule', f.rule_name), 1,
    CASE WHEN channel = 'email' THEN now() END,
    CASE WHEN channel = 'webhook' THEN 'example.com answered 500' ELSE '' END
FROM fraud_cases f JOIN customers c ON c.id = f.customer_id, unnest(ARRAY['email', 'webhook']) AS channel
"""


def record_calls() -> None:
    """As Asterisk does, when they end; those that go on; and a proof that found something."""
    db.session.execute(text(CDRS))
    db.session.execute(text(LIVE))
    db.session.execute(text(CONFERENCE))
    db.session.execute(text(PROOF))
    db.session.execute(text(FRAUD))
    db.session.commit()


def enter_more(page: Page, site: Site) -> None:
    """What `every_page` shows beside the demonstration, by an administrator: a token, a number rule, files, calls."""
    site.stored(record_calls)
    page.goto(f"{site.url}/reports/reratings/new")
    fill(page, since="2020-01-01")
    submit(page)
    page.wait_for_url("**/reratings/*-*")
    page.goto(f"{site.url}/tokens/new")
    fill(page, name="billing of last year")
    submit(page)
    page.goto(f"{site.url}/destination-lists/new")
    fill(page, name="Dear countries", prefixes="882\n883\n5355")
    submit(page)
    rule = site.stored(lambda: db.session.scalars(select(FraudRule.id).where(FraudRule.kind == "destination")).one())
    page.goto(f"{site.url}/fraud/rules/{rule}")
    with page.expect_navigation():
        page.locator("#test form button").last.click()
    page.goto(f"{site.url}/dialling/new")
    fill(page, pattern="99X.", strip="2", description="Filial")
    submit(page)
    for name, (kind, lines) in FILES.items():
        page.goto(f"{site.url}/imports/new?kind={kind}")
        if kind != "dids":
            page.locator("#target_id").select_option(index=1)
        page.locator("#file").set_input_files({"name": name, "mimeType": "text/csv", "buffer": lines.encode()})
        submit(page)
        page.locator("#progress").wait_for(state="detached", timeout=60_000)
    check_bills(page, site)


def check_bills(page: Page, site: Site) -> None:
    """Bills of the provider of an answered call."""
    answered = select(Call.provider_id, Call.started_at).where(
        Call.answered_at.is_not(None), Call.dst == "5511940001234"
    )
    provider_id, started_at = site.stored(lambda: db.session.execute(answered.limit(1)).one())
    for name, lines in BILLS.items():
        page.goto(f"{site.url}/reports/invoice-checks/new?provider_id={provider_id}")
        content = lines.format(*[started_at.isoformat(" ", "seconds")] * 2).encode()
        page.locator("#file").set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})
        submit(page)
        page.locator("#progress").wait_for(state="detached", timeout=60_000)


def every_page(site: Site) -> dict[str, str]:
    """The paths of every page there is, under a short name each; of things, those of the demonstration and what
    `enter_more` has entered. Only the documentation of the API is not among them: others have made it."""

    def one(kind: type[Any], *conditions: Any) -> Any:
        order = kind.id if kind is Call else kind.created_at
        return db.session.scalars(select(kind.id).where(*conditions).order_by(order)).first()

    def paths() -> dict[str, str]:
        taken, free = one(Did, Did.status == "allocated"), one(Did, Did.status == "available")
        phones = one(Customer, Customer.type == "extension")
        found = {"dashboard": "/", "customer-with-phones": f"/customers/{phones}"}
        for area, kind in {
            "providers": Provider,
            "gateways": Gateway,
            "customers": Customer,
            "extensions": Extension,
            "routes": Route,
        }.items():
            found |= {
                area: f"/{area}/",
                f"{area}-new": f"/{area}/new",
                area[:-1]: f"/{area}/{one(kind)}",
                f"{area}-edit": f"/{area}/{one(kind)}/edit",
                f"{area}-delete": f"/{area}/{one(kind)}/delete",
                f"{area}-nothing-found": f"/{area}/?q=zzzz",
                f"{area}-bulk-delete": f"/{area}/bulk?action=delete&all=1",
            }
        return found | {
            "dids": "/dids/",
            "dids-new": "/dids/new",
            "did-free": f"/dids/{free}",
            "did-allocated": f"/dids/{taken}",
            "dids-edit-free": f"/dids/{free}/edit",
            "dids-edit-allocated": f"/dids/{taken}/edit",
            "dids-allocate": f"/dids/{free}/allocate",
            "dids-reallocate": f"/dids/{taken}/allocate",
            "dids-nothing-found": "/dids/?q=zzzz",
            "dids-bulk": "/dids/bulk?action=delete&all=1",
            "dids-delete": f"/dids/{free}/delete",
            "payments": "/payments/",
            "payments-new": "/payments/new",
            "payments-nothing-found": "/payments/?q=zzzz",
            "customer-prepaid": f"/customers/{one(Customer, Customer.prepaid)}",
            "settings": "/settings/",
            "settings-edit": "/settings/edit",
            "nodes": "/settings/nodes/",
            "proof": "/settings/proof/",
            "users": "/users/",
            "users-nothing-found": "/users/?q=zzzz",
            "users-new": "/users/new",
            "user": f"/users/{one(User)}",
            "users-edit": f"/users/{one(User)}/edit",
            "users-delete": f"/users/{one(User)}/delete",
            "destination-lists": "/destination-lists/",
            "destination-lists-new": "/destination-lists/new",
            "destination-list": f"/destination-lists/{one(DestinationList)}",
            "destination-lists-edit": f"/destination-lists/{one(DestinationList)}/edit",
            "destination-lists-nothing-found": "/destination-lists/?q=zzzz",
            "fraud-cases": "/fraud/",
            "fraud-cases-nothing-found": "/fraud/?q=zzzz",
            "fraud-case": f"/fraud/cases/{one(FraudCase, FraudCase.released_at.is_(None))}",
            "fraud-case-released": f"/fraud/cases/{one(FraudCase, FraudCase.released_at.is_not(None))}",
            "fraud-customer": f"/customers/{one(Customer)}",
            "fraud-rules": "/fraud/rules/",
            "fraud-rules-nothing-found": "/fraud/rules/?q=zzzz",
            "fraud-rules-new": "/fraud/rules/new",
            **{
                f"fraud-rule-{kind}": f"/fraud/rules/{one(FraudRule, FraudRule.kind == kind)}"
                for kind in ("spending", "destination", "night")
            },
            "fraud-rules-edit": f"/fraud/rules/{one(FraudRule, FraudRule.kind == 'spending')}/edit",
            "fraud-rules-delete": f"/fraud/rules/{one(FraudRule)}/delete",
            "alerts": "/fraud/alerts/",
            "alerts-edit": "/fraud/alerts/edit",
            "tokens": "/tokens/",
            "tokens-new": "/tokens/new",
            "tokens-revoke": f"/tokens/{one(ApiToken)}/revoke",
            "tokens-nothing-found": "/tokens/?q=zzzz",
            "tokens-bulk-revoke": "/tokens/bulk?action=revoke&all=1",
            "number-rules": "/number-rules/",
            "number-rules-nothing-found": "/number-rules/?q=zzzz",
            "number-rules-bulk-delete": "/number-rules/bulk?action=delete&all=1",
            "dialling-company": "/dialling/?number=0+15+11+98765-4321",
            "dialling-new": "/dialling/new",
            "dialling-edit": f"/dialling/{one(NumberRule)}/edit",
            "dialling-delete": f"/dialling/{one(NumberRule)}/delete",
            **{
                f"dialling-{name}": f"/dialling/?customer_id={one(Customer, Customer.type == kind)}&number={number}"
                for name, kind, number in (("read", "extension", "01511987654321"), ("unknown", "trunk", "4499"))
            },
            "simulator": "/simulator/",
            "simulator-wrong": "/simulator/?customer_id=x&number=",
            **{
                f"simulator-{name}": f"/simulator/?customer_id={one(Customer, Customer.type == kind)}&number={number}"
                for name, kind, number in (
                    ("route", "extension", "01511987654321"),
                    ("refused", "trunk", "4499"),
                    ("internal", "extension", "101"),
                    ("did", "extension", db.session.scalar(select(Did.number).where(Did.id == taken))),
                )
            },
            "profile": "/profile/",
            "profile-password": "/profile/password",
            "profile-second-factor": "/profile/second-factor",
            "price-plans": "/price-plans/",
            "price-plans-new": "/price-plans/new",
            "price-plans-show": f"/price-plans/{one(PricePlan)}",
            "price-plans-asked": f"/price-plans/{one(PricePlan)}?show=all&number=551140001234",
            "price-plans-nothing-found": f"/price-plans/{one(PricePlan)}?q=zzzz&number=x",
            "price-plans-edit": f"/price-plans/{one(PricePlan)}/edit",
            "price-plans-copy": f"/price-plans/{one(PricePlan)}/copy",
            "price-plans-delete": f"/price-plans/{one(PricePlan)}/delete",
            "price-plans-bulk-delete": f"/price-plans/{one(PricePlan)}/tariffs/bulk?action=delete&all=1",
            "tariffs-new": f"/price-plans/{one(PricePlan)}/tariffs/new",
            "tariffs-edit": f"/tariffs/{one(Tariff)}/edit",
            "tariffs-delete": f"/tariffs/{one(Tariff)}/delete",
            "decks": f"/providers/{one(Provider)}/tariffs",
            "decks-new": f"/providers/{one(Provider)}/tariffs/new",
            "decks-delete": f"/provider-tariffs/{one(ProviderTariff)}/delete",
            "decks-edit": f"/provider-tariffs/{one(ProviderTariff)}/edit",
            "realtime": f"/realtime/dids/{taken}",
            "realtime-nothing": f"/realtime/dids/{free}",
            "search": "/search?q=e",
            "search-nothing": "/search?q=zzzz",
            "audit": "/audit/",
            "audit-nothing-found": "/audit/?who=nobody",
            "dids-allocate-many": "/dids/allocate",
            "dids-deallocate-many": "/dids/deallocate",
            "conferences": "/conferences/",
            "conferences-new": "/conferences/new",
            "conferences-nothing-found": "/conferences/?q=zzzz",
            "conference": f"/conferences/{one(Conference)}",
            "live": "/live/",
            "live-nothing-found": "/live/?q=zzzz",
            "reports": "/reports/",
            **{
                f"reports-{by}": f"/reports/totals?by={by}"
                for by in ("customer", "destination", "provider", "gateway", "day", "hour", "cause", "did")
            },
            "reports-nothing": "/reports/totals?by=customer&start=2020-01-01&end=2020-01-02",
            "reports-dids": "/reports/dids",
            "calls": "/reports/cdr",
            "calls-nothing": "/reports/cdr?src=0",
            "call": f"/reports/calls/{one(Call, Call.answered_at.is_not(None), Call.unrated == '')}",
            "call-unrated": f"/reports/calls/{one(Call, Call.unrated != '')}",
            "unrated": "/reports/unrated/",
            "unrated-cdr": f"/reports/unrated/{db.session.scalar(select(UnratedCdr.cdr_id))}",
            "reratings": "/reports/reratings/",
            "reratings-new": "/reports/reratings/new",
            "rerating": f"/reports/reratings/{one(Rerating)}",
            "completeness": "/reports/completeness/",
            "invoice-checks": "/reports/invoice-checks/",
            "invoice-checks-new": "/reports/invoice-checks/new",
            "invoice-checks-nothing-found": "/reports/invoice-checks/?q=zzzz",
            **{
                f"invoice-check-{name}": f"/reports/invoice-checks/{one(InvoiceCheck, InvoiceCheck.file_name == name)}"
                for name in BILLS
            },
            "invoice-check-all": f"/reports/invoice-checks/{one(InvoiceCheck)}?kind=all",
            "invoice-check-delete": f"/reports/invoice-checks/{one(InvoiceCheck)}/delete",
            "reports-too-long": "/reports/totals?by=hour&start=2020-01-01",
            "calls-below-cost": "/reports/cdr?below_cost=true",
            "reratings-nothing-found": "/reports/reratings/?q=zzzz",
            "imports": "/imports/",
            "imports-new-dids": "/imports/new?kind=dids",
            "imports-new-tariffs": "/imports/new?kind=tariffs",
            **{f"imports-{name}": f"/imports/{one(Import, Import.file_name == name)}" for name in FILES},
            "missing": "/nowhere",
        }

    return site.stored(paths)


def shot(page: Page, path: Path) -> None:
    """A picture of the whole page, however long it is."""
    page.screenshot(path=path, full_page=True)
