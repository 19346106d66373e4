"""What the list of destination lists shows, and by what it is searched, sorted and filtered."""

from __future__ import annotations

from flask_babel import lazy_gettext
from sqlalchemy import String, cast, func, select

from webapp.destination_lists.models import DestinationList
from webapp.listing import Column, ListOf

DESTINATION_LISTS = ListOf(
    query=select(DestinationList),
    columns=[
        Column("name", lazy_gettext("Name"), DestinationList.name),
        Column("prefixes", lazy_gettext("Prefixes"), func.cardinality(DestinationList.prefixes), end=True),
    ],
    order=[DestinationList.name],
    search=[DestinationList.name, cast(DestinationList.prefixes, String)],
    export={"name": DestinationList.name, "prefixes": DestinationList.prefixes},
)
