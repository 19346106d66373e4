"""Who we sell to."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Numeric, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.ext import Base, Managed

if TYPE_CHECKING:
    from webapp.destination_lists.models import DestinationList
    from webapp.dids.models import Allocation
    from webapp.extensions.models import Extension
    from webapp.payments.models import Payment
    from webapp.tariffs.models import PricePlan


class Customer(Managed, Base):
    """Somebody we carry calls for: a PBX at fixed addresses (trunk), or phones that register (extension)."""

    __tablename__ = "customers"
    DEPENDENTS = ("extensions", "allocations", "payments")

    code: Mapped[str] = mapped_column(unique=True)  # Short name in SIP users and in Asterisk.
    name: Mapped[str]
    type: Mapped[str]
    enabled: Mapped[bool] = mapped_column(server_default="true")  # Disabled: calls are refused both ways.
    price_plan_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("price_plans.id"), index=True)
    caller_id: Mapped[str] = mapped_column(server_default="")  # Default number, E.164; empty: none.

    # How dialled numbers are read: e164 (as they are), brazil (as people dial there), company or own (number_rules).
    number_rules: Mapped[str] = mapped_column(server_default="e164")
    area_code: Mapped[str] = mapped_column(server_default="")  # Of local numbers; empty: the company's.

    # What its calls are limited to; 0 and None: no limit. Calls at once are counted on each node by itself.
    max_channels: Mapped[int] = mapped_column(server_default="0")
    calls_per_second: Mapped[int] = mapped_column(server_default="0")
    max_price_per_minute: Mapped[Decimal | None] = mapped_column(Numeric(16, 8))
    refuse_below_cost: Mapped[bool] = mapped_column(server_default="false")
    daily_limit: Mapped[Decimal | None] = mapped_column(Numeric(16, 8))  # What calls out of a day may come to.
    # Prepaid: calls that cost it something end where its balance and what it may owe besides do.
    prepaid: Mapped[bool] = mapped_column(server_default="false")
    credit_limit: Mapped[Decimal] = mapped_column(Numeric(16, 8), server_default="0")
    # Numbers that its calls may present besides its own, E.164.
    allowed_caller_ids: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    blocked_list_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("destination_lists.id"), index=True)
    allowed_list_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("destination_lists.id"), index=True)

    # Where its phones register and call from; empty: from anywhere.
    phone_networks: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    # A trunk's addresses. Calls to the customer go to the single addresses, calls from any of them are its own.
    trunk_ip: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    trunk_port: Mapped[int] = mapped_column(server_default="5060")
    trunk_transport: Mapped[str] = mapped_column(server_default="udp")
    qualify_frequency: Mapped[int] = mapped_column(server_default="60")  # Seconds between OPTIONS; 0: never.
    codecs: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{alaw,ulaw}")
    srtp: Mapped[bool] = mapped_column(server_default="false")  # Media is encrypted, or there is no call.

    price_plan: Mapped[PricePlan | None] = relationship(back_populates="customers")
    blocked_list: Mapped[DestinationList | None] = relationship(
        foreign_keys=[blocked_list_id], back_populates="blocked_for"
    )
    allowed_list: Mapped[DestinationList | None] = relationship(
        foreign_keys=[allowed_list_id], back_populates="allowed_for"
    )
    extensions: Mapped[list[Extension]] = relationship(
        back_populates="customer",
        primaryjoin="Extension.customer_id == Customer.id",
        foreign_keys="Extension.customer_id",
        order_by="Extension.extension",
        passive_deletes="all",
    )
    allocations: Mapped[list[Allocation]] = relationship(
        primaryjoin="and_(Allocation.customer_id == Customer.id, Allocation.released_at == None)",
        viewonly=True,
    )

    payments: Mapped[list[Payment]] = relationship(
        back_populates="customer", order_by="Payment.created_at", passive_deletes="all"
    )

    __table_args__ = (
        UniqueConstraint("id", "type"),  # So that a phone can insist on a customer who has phones.
        CheckConstraint("type IN ('trunk', 'extension')", "type"),
        CheckConstraint("type <> 'trunk' OR cardinality(trunk_ip) > 0", "trunk_has_ip"),
        CheckConstraint("number_rules IN ('e164', 'brazil', 'company', 'own')", "number_rules"),
        CheckConstraint("area_code ~ '^[0-9]{0,5}$'", "area_code"),
        CheckConstraint("max_channels BETWEEN 0 AND 10000", "max_channels"),
        CheckConstraint("calls_per_second BETWEEN 0 AND 1000", "calls_per_second"),
        CheckConstraint("max_price_per_minute >= 0 AND daily_limit >= 0", "amounts"),
        CheckConstraint("credit_limit >= 0", "credit_limit"),
        CheckConstraint("NOT prepaid OR price_plan_id IS NOT NULL", "prepaid_plan"),
        CheckConstraint("trunk_port BETWEEN 1 AND 65535", "trunk_port"),
        CheckConstraint("trunk_transport IN ('udp', 'tcp', 'tls')", "trunk_transport"),
        CheckConstraint("NOT srtp OR type <> 'trunk' OR trunk_transport = 'tls'", "srtp_over_tls"),
        CheckConstraint("qualify_frequency BETWEEN 0 AND 3600", "qualify_frequency"),
        CheckConstraint("cardinality(codecs) > 0", "codecs"),
    )

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"
