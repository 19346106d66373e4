"""Asterisk Admin: operators manage customers, numbers and routes; Asterisk reads what follows from it."""

from __future__ import annotations

import gc
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from webapp.config import Settings

# One folder for each thing an operator sees; its pages are in views.py.
# Those with an api.py are there for programs too.
AREAS = (
    "accounts",
    "profile",
    "users",
    "dashboard",
    "live",
    "conferences",
    "monitoring",
    "customers",
    "payments",
    "extensions",
    "dids",
    "providers",
    "gateways",
    "routes",
    "simulator",
    "tariffs",
    "calls",
    "reports",
    "unrated",
    "reratings",
    "completeness",
    "invoice_checks",
    "imports",
    "tokens",
    "audit",
    "docs",
    "realtime",
    "search",
    "settings",
    "nodes",
    "proof",
    "dialling",
    "number_rules",
    "destination_lists",
    "fraud_cases",
    "fraud_rules",
    "alerts",
)


def create_app(settings: Settings | None = None) -> Flask:
    """The web application. Without `settings` they come from the environment; SettingsError if they make no sense."""
    # Imported here, because the agent shares this package and has no use for Flask.
    from flask_openapi import Info, OpenAPI, SecurityScheme
    from werkzeug.middleware.proxy_fix import ProxyFix

    from webapp import api, config, encryption, logs, pages, patience
    from webapp.ext import babel, csrf, db, login

    settings = settings or config.load(config.Settings)
    logs.configure(settings.log_level)
    encryption.use(settings.encryption_key.get_secret_value())
    app = OpenAPI(
        __name__,
        info=Info(title="Asterisk Admin", version="1", description=api.DESCRIPTION),
        security_schemes={
            "jwt": SecurityScheme(type="http", scheme="bearer", description="An API token, or one from a sign-in.")
        },
        validation_error_callback=api.invalid,
        doc_ui=False,
    )
    app.openapi_version = "3.1.0"
    app.config.update(
        SECRET_KEY=settings.secret_key.get_secret_value(),
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS={
            "pool_pre_ping": True,
            "hide_parameters": True,  # An error's text goes to the log, and a parameter may be a secret.
            "executemany_mode": "values_plus_batch",  # A thousand rows of Asterisk's are not a thousand round trips.
            "pool_timeout": 5,  # With the database silent all connections wait for it, and nobody gains by waiting too.
            # Compiling a query (jit) takes longer than any of ours runs.
            "connect_args": patience.connect_args("web", connect=5, statement=30, lock=10, jit="off"),
        },
        # A browser takes a cookie of such a name from this very host over TLS only.
        SESSION_COOKIE_NAME="__Host-asterisk_admin" if settings.https else "asterisk_admin",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.https,
        MAX_CONTENT_LENGTH=1024 * 1024,
        API_RATE_LIMIT=settings.api_rate_limit,
        API_LOGIN_LIMIT=settings.api_login_limit,
        METRICS_TOKEN=settings.metrics_token.get_secret_value(),
        WTF_CSRF_TIME_LIMIT=None,  # As long as the session: a form left open over lunch must still be saved.
        BABEL_DEFAULT_TIMEZONE="America/Sao_Paulo",
    )
    if settings.proxies:
        hops = settings.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    pages.register(app)  # First, for a request that is refused early is logged and shown with its id all the same.
    db.init_app(app)
    csrf.init_app(app)
    login.init_app(app)
    babel.init_app(app, locale_selector=pages.locale, timezone_selector=pages.time_zone)
    for area in AREAS:
        app.register_blueprint(import_module(f"webapp.{area}.views").bp)
        if find_spec(f"webapp.{area}.api"):
            import_module(f"webapp.{area}.api")
    app.register_api(api.bp)
    gc.freeze()  # What is there now stays. To look for garbage in all of it took some requests a tenth of a second.
    return app
