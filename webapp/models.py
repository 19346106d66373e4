"""Every model, imported in one place: they refer to each other by name, so all must be known before one is used."""

from webapp.accounts.models import AuditEntry, KnownAddress, SecondFactor, SignInTry, User, UserSession
from webapp.alerts.models import Alert, AlertSettings
from webapp.calls.models import Call, CallTotal, Journal, JournalDay, UnratedCdr
from webapp.conferences.models import Conference, Participant
from webapp.customers.models import Customer
from webapp.destination_lists.models import DestinationList
from webapp.dialling.models import NumberRule
from webapp.dids.models import Allocation, Did
from webapp.extensions.models import Extension
from webapp.fraud_cases.models import FraudCase
from webapp.fraud_rules.models import FraudLook, FraudRule, FraudTest
from webapp.gateways.models import Gateway
from webapp.imports.models import DidLine, Import, ImportChange, ImportFile, TariffLine
from webapp.invoice_checks.models import InvoiceCheck, InvoiceLine
from webapp.live.models import LiveCall, LiveContact, LiveNode, LiveRegistration
from webapp.payments.models import Payment, Reservation
from webapp.proof.models import SyncCheck
from webapp.providers.models import Provider
from webapp.reratings.models import Rerating, ReratingCustomer
from webapp.routes.models import Route
from webapp.settings.models import CompanySettings, Node, OutboxEntry
from webapp.tariffs.models import PricePlan, ProviderTariff, Tariff
from webapp.tokens.models import ApiToken, RateLimit

__all__ = [
    "Alert",
    "AlertSettings",
    "Allocation",
    "ApiToken",
    "AuditEntry",
    "Call",
    "CallTotal",
    "CompanySettings",
    "Conference",
    "Customer",
    "DestinationList",
    "Did",
    "DidLine",
    "Extension",
    "FraudCase",
    "FraudLook",
    "FraudRule",
    "FraudTest",
    "Gateway",
    "Import",
    "ImportChange",
    "ImportFile",
    "InvoiceCheck",
    "InvoiceLine",
    "Journal",
    "JournalDay",
    "KnownAddress",
    "LiveCall",
    "LiveContact",
    "LiveNode",
    "LiveRegistration",
    "Node",
    "NumberRule",
    "OutboxEntry",
    "Participant",
    "Payment",
    "PricePlan",
    "Provider",
    "ProviderTariff",
    "RateLimit",
    "Rerating",
    "ReratingCustomer",
    "Reservation",
    "Route",
    "SecondFactor",
    "SignInTry",
    "SyncCheck",
    "Tariff",
    "TariffLine",
    "UnratedCdr",
    "User",
    "UserSession",
]
