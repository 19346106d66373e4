"""Customers, for programs."""

from __future__ import annotations

from webapp.api import resource
from webapp.customers.lists import CUSTOMERS
from webapp.customers.models import Customer
from webapp.customers.operations import at_first
from webapp.customers.schemas import CustomerSchema

resource(
    "customers",
    Customer,
    CustomerSchema,
    listing=CUSTOMERS,
    at_first=at_first,
)
