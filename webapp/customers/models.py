"""Who we sell to."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.ext import Base, Managed

if TYPE_CHECKING:
    from webapp.dids.models import Allocation
    from webapp.extensions.models import Extension
    from webapp.tariffs.models import PricePlan


class Customer(Managed, Base):
    """Somebody we carry calls for: a PBX at fixed addresses (trunk), or phones that register (extension)."""

    __tablename__ = "customers"
    DEPENDENTS = ("extensions", "allocations")

    code: Mapped[str] = mapped_column(unique=True)  # Short name in SIP users and in Asterisk.
    name: Mapped[str]
    type: Mapped[str]
    enabled: Mapped[bool] = mapped_column(server_default="true")  # Disabled: calls are refused both ways.
    price_plan_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("price_plans.id"), index=True)
    caller_id: Mapped[str] = mapped_column(server_default="")  # Default number, E.164; empty: none.

    # How dialled numbers are read: e164 (as they are), brazil (as people dial there), company or own (number_rules).
    number_rules: Mapped[str] = mapped_column(server_default="e164")
    area_code: Mapped[str] = mapped_column(server_default="")  # Of local numbers; empty: the company's.

    # A trunk's addresses. Calls to the customer go to the single addresses, calls from any of them are its own.
    trunk_ip: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    trunk_port: Mapped[int] = mapped_column(server_default="5060")
    qualify_frequency: Mapped[int] = mapped_column(server_default="60")  # Seconds between OPTIONS; 0: never.
    codecs: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{alaw,ulaw}")

    price_plan: Mapped[PricePlan | None] = relationship(back_populates="customers")
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

    __table_args__ = (
        UniqueConstraint("id", "type"),  # So that a phone can insist on a customer who has phones.
        CheckConstraint("type IN ('trunk', 'extension')", "type"),
        CheckConstraint("type <> 'trunk' OR cardinality(trunk_ip) > 0", "trunk_has_ip"),
        CheckConstraint("number_rules IN ('e164', 'brazil', 'company', 'own')", "number_rules"),
        CheckConstraint("area_code ~ '^[0-9]{0,5}$'", "area_code"),
        CheckConstraint("trunk_port BETWEEN 1 AND 65535", "trunk_port"),
        CheckConstraint("qualify_frequency BETWEEN 0 AND 3600", "qualify_frequency"),
        CheckConstraint("cardinality(codecs) > 0", "codecs"),
    )

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"
