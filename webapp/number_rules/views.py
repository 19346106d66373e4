"""Number rules: who has which, and which of them are not used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from flask import Blueprint, g, render_template
from flask_babel import gettext

from webapp.bulk import DELETE, NAMED, bulk_page, figure
from webapp.dialling import operations
from webapp.dialling.models import NumberRule
from webapp.export import csv_file
from webapp.number_rules.lists import NUMBER_RULES, OWNERS, USES
from webapp.permissions import permission

bp = Blueprint("number-rules", __name__, url_prefix="/number-rules")  # Named as the permissions are.


def _losses(rules: Sequence[NumberRule]) -> Iterable[str]:
    yield from DELETE.warnings(rules)
    owners = Counter(str(rule.customer or OWNERS["company"]) for rule in rules)
    for owner, count in owners.most_common(NAMED):
        yield gettext("%(name)s: %(kind)s (%(count)s)", name=owner, kind=gettext("Rules"), count=figure(count))
    yield gettext("Numbers that they fit are read by the next rule that fits, or stay as they are dialled.")


ACTIONS = (replace(DELETE, warnings=_losses),)


@bp.before_request
def belongs_to_dialling() -> None:
    """Its tab is the one of dialling."""
    g.area = "dialling"


@bp.get("/")
@permission("number-rules.read")
def index() -> Any:
    return render_template(
        "number_rules/index.html",
        page=NUMBER_RULES.page(),
        actions=ACTIONS,
        owners=OWNERS,
        uses=USES,
        words=operations.words,
    )


@bp.get("/export.csv")
@permission("number-rules.read")
def export() -> Any:
    return csv_file(NUMBER_RULES, "number-rules")


@bp.route("/bulk", methods=["GET", "POST"])
@permission("number-rules.write")
def bulk() -> Any:
    return bulk_page(NUMBER_RULES, ACTIONS)
