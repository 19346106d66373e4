"""Every model, imported in one place: they refer to each other by name, so all must be known before one is used."""

from webapp.accounts.models import AuditEntry, User
from webapp.customers.models import Customer
from webapp.dids.models import Allocation, Did
from webapp.extensions.models import Extension
from webapp.gateways.models import Gateway
from webapp.imports.models import DidLine, Import, ImportChange, ImportFile, TariffLine
from webapp.providers.models import Provider
from webapp.routes.models import Route
from webapp.settings.models import Node, OutboxEntry
from webapp.tariffs.models import PricePlan, ProviderTariff, Tariff

__all__ = [
    "Allocation",
    "AuditEntry",
    "Customer",
    "Did",
    "DidLine",
    "Extension",
    "Gateway",
    "Import",
    "ImportChange",
    "ImportFile",
    "Node",
    "OutboxEntry",
    "PricePlan",
    "Provider",
    "ProviderTariff",
    "Route",
    "Tariff",
    "TariffLine",
    "User",
]
