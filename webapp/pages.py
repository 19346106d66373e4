"""What every page shares: language, headers, navigation, error pages, and the filters of the templates."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import (
    Flask,
    Response,
    current_app,
    flash,
    g,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_babel import format_currency, format_decimal, get_locale, gettext, lazy_gettext
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.wrappers import Response as BaseResponse

from webapp import logs, resume, store, typed
from webapp.encryption import WrongKey
from webapp.ext import login
from webapp.permissions import may
from webapp.settings import operations as settings
from webapp.settings.schemas import SettingsSchema

log = structlog.get_logger()

LANGUAGES = ("pt_BR", "en")

DATABASE_FAILURES = (OperationalError, InterfaceError, InternalError, NoConnectionFree)
# What PostgreSQL calls them: disk_full, read_only_sql_transaction, idle_in_transaction_session_timeout.
DISK_FULL, READ_ONLY, IDLE = "53100", "25006", "25P03"
# lock_not_available, query_canceled (it took too long), deadlock_detected, too_many_connections.
BUSY = ("55P03", "57014", "40P01", "53300")

Answer = tuple[str | Response, int] | BaseResponse


@dataclass(frozen=True)
class Entry:
    """A line of the sidebar, or a tab of one that has several pages."""

    endpoint: str
    label: Any  # A lazy text, for the language is known only when it is shown.
    icon: str
    section: str = ""
    tabs: tuple[Entry, ...] = ()

    @property
    def active(self) -> bool:
        """Whether the page belongs there: by its area, or by the one that its view names in g.area."""
        return g.get("area", request.blueprint or "") in {entry.endpoint.split(".")[0] for entry in (self, *self.tabs)}

    @property
    def allowed(self) -> bool:
        """Whether the signed-in user may go there."""
        return may(vars(current_app.view_functions[self.endpoint])["permission"])


SETTINGS = (
    Entry("settings.index", lazy_gettext("Company"), "settings"),
    Entry("dialling.index", lazy_gettext("Dialling"), "phone-outgoing"),
    Entry("destination_lists.index", lazy_gettext("Destination lists"), "ban"),
    Entry("nodes.index", lazy_gettext("Nodes"), "server-2"),
    Entry("proof.index", lazy_gettext("Proof"), "check"),
    Entry("users.index", lazy_gettext("Users"), "user-shield"),
    Entry("audit.index", lazy_gettext("Audit log"), "history"),
    Entry("tokens.index", lazy_gettext("API tokens"), "key"),
    Entry("docs.index", lazy_gettext("API documentation"), "api"),
)
REPORTS = (
    Entry("reports.index", lazy_gettext("Calls"), "chart-bar"),
    Entry("unrated.index", lazy_gettext("Not rated"), "alert-triangle"),
    Entry("reratings.index", lazy_gettext("Rating again"), "refresh"),
    Entry("completeness.index", lazy_gettext("Completeness"), "check"),
    Entry("invoice_checks.index", lazy_gettext("Invoice check"), "check"),
)
FRAUD = (
    Entry("fraud_cases.index", lazy_gettext("Cases"), "alert-triangle"),
    Entry("fraud_rules.index", lazy_gettext("Rules"), "adjustments"),
    Entry("alerts.index", lazy_gettext("Alerts"), "alert-circle"),
)
NAVIGATION = (
    Entry("dashboard.index", lazy_gettext("Dashboard"), "layout-dashboard"),
    Entry("live.index", lazy_gettext("Live calls"), "phone-call"),
    Entry("conferences.index", lazy_gettext("Conferences"), "users-group"),
    Entry("customers.index", lazy_gettext("Customers"), "users"),
    Entry("extensions.index", lazy_gettext("Extensions"), "phone"),
    Entry("dids.index", lazy_gettext("DIDs"), "hash"),
    Entry("providers.index", lazy_gettext("Providers"), "building-broadcast-tower"),
    Entry("gateways.index", lazy_gettext("Gateways"), "server-2"),
    Entry("routes.index", lazy_gettext("Routes"), "route"),
    Entry("simulator.index", lazy_gettext("Simulator"), "test-pipe"),
    Entry("tariffs.index", lazy_gettext("Tariffs"), "coins"),
    Entry("payments.index", lazy_gettext("Payments"), "cash"),
    Entry("fraud_cases.index", lazy_gettext("Fraud"), "alert-triangle", tabs=FRAUD),
    Entry("reports.index", lazy_gettext("Reports"), "chart-bar", tabs=REPORTS),
    Entry("imports.index", lazy_gettext("Imports"), "upload"),
    Entry("settings.index", lazy_gettext("Settings"), "settings", tabs=SETTINGS),
)


def locale() -> str:
    """The user's choice, else the browser's wish, else Portuguese. It asks the session, never the database, which
    may be what an error page has to tell about."""
    chosen = session.get("language", "")
    return chosen if chosen in LANGUAGES else _browser_language()


def time_zone() -> str:
    """The company's."""
    return settings.current_or_first().time_zone


def brand() -> str:
    """Whose program this is: the company's, once it has said its name."""
    return settings.current_or_first().company_name or "Asterisk Admin"


def _browser_language() -> str:
    for wish in request.accept_languages.values():
        if wish.lower().startswith("pt"):
            return "pt_BR"
        if wish.lower().startswith("en"):
            return "en"
    return LANGUAGES[0]


def register(app: Flask) -> None:
    """Give the application what its pages share."""
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        phone=phone,
        when=typed.when,
        figure=typed.figure,
        day=day,
        money=money,
        amount=amount,
        minutes=minutes,
        change=change,
    )
    app.jinja_env.globals.update(navigation=NAVIGATION, may=may, brand=brand, get_locale=get_locale)
    resume.register(app)
    app.before_request(logs.begin_request)
    app.after_request(secure)
    app.after_request(logs.log_request)
    app.register_error_handler(CSRFError, expired)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(WrongKey, unreadable)
    for failure in DATABASE_FAILURES:
        app.register_error_handler(failure, database_failed)
    app.register_error_handler(store.Unsure, unsure)
    app.register_error_handler(Exception, our_fault)


def phone(number: str) -> str:
    """E.164 digits as people write them: +55 11 4000-1234. Brazil's grouping for Brazil, plain digits for others."""
    if number.startswith("55") and len(number) in (12, 13):
        area, local = number[2:4], number[4:]
        return f"+55 {area} {local[:-4]}-{local[-4:]}"
    return f"+{number}"


def money(amount: Decimal) -> str:
    """An amount per minute in the reader's spelling, with as many of its decimals as it needs, two at the least."""
    return str(format_decimal(amount, format="#,##0.00######"))


def day(moment: dt.datetime | dt.date) -> str:
    """A day, or that of a moment where the operator is."""
    return typed.shown_day(moment.astimezone(typed.zone()).date() if isinstance(moment, dt.datetime) else moment)


def minutes(seconds: int) -> str:
    """A length of time as a telephone shows it: 1:05."""
    return f"{seconds // 60}:{seconds % 60:02}"


def change(now: Decimal | int, before: Decimal | int) -> str:
    """How much more or less it is than before, in the reader's spelling: +12.5 %. Empty if there was nothing before."""
    if not before:
        return ""
    more = 100 * (Decimal(now) - before) / abs(Decimal(before))
    return f"{'+' if more >= 0 else ''}{typed.figure(more, 1)} %"


def amount(value: Decimal) -> str:
    """An amount of money in the company's currency and the reader's spelling: R$ 1.234,50."""
    return str(format_currency(value, settings.current_or_first().currency))


def secure(response: Response) -> Response:
    """The headers that keep a page from loading, framing or leaking what it should not.

    A redirect stays with us, whatever host the request was for: Flask's own, to a path with its slash, names that.
    """
    target = urlsplit(response.location or "")
    if target.scheme or target.netloc:
        response.location = target._replace(scheme="", netloc="").geturl()
        response.set_data("")  # It names it once more.
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    )
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
    if current_app.config["SESSION_COOKIE_SECURE"]:  # For a year browsers come over TLS only, whatever a link says.
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


# ---- errors


def expired(error: CSRFError) -> Answer:
    """The session ended while a form was open."""
    log.info("form refused", reason=error.description)
    answer = resume.interrupted()
    if answer is None:
        sentence = gettext("Nothing was saved. Go back, note what you typed, load the page again and sign in.")
        answer = _page(400, gettext("Your session has ended"), sentence)
    return answer  # type: ignore[no-any-return]  # what Flask takes is of many types


def http_error(error: HTTPException) -> Answer:
    code = error.code or 500
    if code < 400:
        return redirect(error.get_response().location)
    titles = {
        401: (gettext("Please sign in"), gettext("This needs a valid token.")),
        403: (gettext("You may not do this"), gettext("Your role does not allow it. Ask an administrator.")),
        404: (gettext("Nothing here"), gettext("The page or thing does not exist, or it was deleted.")),
        405: (gettext("Not this way"), gettext("This address does not answer to such a request.")),
        413: (gettext("Too large"), gettext("What you sent is larger than we take.")),
        429: (gettext("Too many tries"), gettext("Wait a minute and try again.")),
    }
    title, sentence = titles.get(code, (gettext("This did not work"), gettext("The request made no sense to us.")))
    answer = make_response(_page(code, title, sentence))
    for name in ("Allow", "Retry-After", "WWW-Authenticate"):
        if value := error.get_response().headers.get(name):
            answer.headers[name] = value
    return answer


def database_failed(error: SQLAlchemyError) -> Answer:
    """The database did not do it, and says why by a code; none says nothing because it is away."""
    cause = getattr(error, "orig", None)
    code = getattr(cause, "pgcode", None) or ""
    if isinstance(error, InternalError) and code not in (IDLE, READ_ONLY):
        return our_fault(error)
    if code == DISK_FULL:
        log.error("the disk of the database is full", reason=str(cause).strip())
        title = gettext("The disk of the database is full")
        sentence = gettext("Nothing was saved. Calls in progress go on, and no call record is lost. It needs room.")
        return _page(507, title, sentence)
    if code == READ_ONLY:
        log.error("the database takes no changes", reason=str(cause).strip())
        title = gettext("The database takes no changes now")
        return _page(503, title, gettext("Nothing was saved. Calls in progress go on. Ask whoever looks after it."))
    if code in BUSY:
        log.error("the database is busy", reason=str(cause).strip())
        title = gettext("The database is busy with something else")
        return _page(503, title, gettext("Nothing was saved. Try again in a moment."))
    log.error("database is away", reason=str(cause or error).strip())
    sentence = gettext("Nothing was saved. Calls in progress go on. Try again in a moment.")
    return _page(503, gettext("The database does not answer"), sentence)


def unreadable(error: WrongKey) -> Answer:
    log.error("a stored secret cannot be read", reason=str(error))
    sentence = gettext(
        "It was encrypted under a key that ENCRYPTION_KEY does not have. Nothing was saved, and calls go on. "
        "Whoever runs the server sees more with: asterisk-admin check-keys"
    )
    return _page(503, gettext("A stored secret cannot be read"), sentence)


def unsure(error: store.Unsure) -> Answer:
    log.error("connection lost during the commit", reason=str(error.__cause__))
    sentence = gettext("The connection to the database broke just then. Look at the list before you save it again.")
    return _page(503, gettext("It may have been saved, or not"), sentence)


def our_fault(error: Exception) -> Answer:
    """A mistake of ours: the log has all of it, the page only the number to find it by."""
    log.exception("unexpected error", exc_info=error)
    return _page(
        InternalServerError.code,
        gettext("Something went wrong on our side"),
        gettext("It is in the log under the number below. Nothing was saved."),
    )


def _page(code: int, title: str, sentence: str) -> Answer:
    if request.path.startswith("/api/"):
        return jsonify(error=f"{title}. {sentence}"), code
    # Who is signed in, if that is not known yet, nobody asks any more: the database may be what failed.
    g.setdefault("_login_user", login.anonymous_user())
    g.setdefault("settings", SettingsSchema())
    return render_template("error.html", title=title, sentence=sentence, request_id=g.get("request_id", "")), code


def saved(message: str, endpoint: str, **values: Any) -> BaseResponse:
    """Say that it worked, and go on to a page."""
    flash(message, "success")
    return redirect(url_for(endpoint, **values))
