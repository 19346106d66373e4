"""What the list of number rules shows, and by what it is searched, sorted and filtered."""

from __future__ import annotations

from flask_babel import lazy_gettext
from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import contains_eager

from webapp.customers.models import Customer
from webapp.dialling.models import NumberRule
from webapp.listing import Column, Filter, ListOf, TypedFilter

OWNERS = {"company": lazy_gettext("The company's"), "customer": lazy_gettext("Of customers")}
USES = {"true": lazy_gettext("In use"), "false": lazy_gettext("Not used now")}

_NAME, _CODE = func.coalesce(Customer.name, ""), func.coalesce(Customer.code, "")
# A customer may have rules of its own and go by others.
_USED = or_(NumberRule.customer_id.is_(None), Customer.number_rules == "own")

NUMBER_RULES = ListOf(
    query=select(NumberRule).outerjoin(NumberRule.customer),
    options=[contains_eager(NumberRule.customer)],
    columns=[
        Column("customer", lazy_gettext("Customer"), [_NAME, _CODE]),
        Column("position", lazy_gettext("Position"), NumberRule.position, end=True),
        Column("description", lazy_gettext("Description"), NumberRule.description),
        Column("pattern", lazy_gettext("Pattern"), NumberRule.pattern),
        Column("change", lazy_gettext("Change"), [NumberRule.strip, NumberRule.prepend]),
        Column("used", lazy_gettext("State"), _USED),
    ],
    # The first rule that fits is the only one that counts: each one's stand in the order in which they are tried.
    order=[_NAME, _CODE, NumberRule.position, NumberRule.created_at, NumberRule.id],
    search=[NumberRule.pattern, NumberRule.description, Customer.name, Customer.code],
    filters=[
        Filter(
            "owner",
            lazy_gettext("Whose"),
            case((NumberRule.customer_id.is_(None), "company"), else_="customer"),
            words=OWNERS,
        ),
        TypedFilter(
            "customer_id",
            lazy_gettext("Customer"),
            NumberRule.customer_id,
            things=Customer,
            code=Customer.code,
            title=Customer.name,
        ),
        Filter("used", lazy_gettext("State"), _USED, words=USES),
    ],
    export={
        "customer": Customer.code,
        "position": NumberRule.position,
        "pattern": NumberRule.pattern,
        "strip": NumberRule.strip,
        "prepend": NumberRule.prepend,
        "description": NumberRule.description,
        "used": _USED,
    },
)
