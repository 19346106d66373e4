"""Destination lists, for programs."""

from __future__ import annotations

from webapp.api import resource
from webapp.destination_lists.lists import DESTINATION_LISTS
from webapp.destination_lists.models import DestinationList
from webapp.destination_lists.schemas import DestinationListSchema

resource(
    "destination-lists",
    DestinationList,
    DestinationListSchema,
    listing=DESTINATION_LISTS,
    rights="destination_lists",
)
