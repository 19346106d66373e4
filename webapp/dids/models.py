"""The telephone numbers we own, and who has them when."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, Computed, ForeignKey, ForeignKeyConstraint, Index, Text, func, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from webapp.ext import Base, Managed

if TYPE_CHECKING:
    from webapp.customers.models import Customer
    from webapp.extensions.models import Extension
    from webapp.gateways.models import Gateway
    from webapp.providers.models import Provider

STATUSES = ("available", "reserved", "allocated", "quarantine", "blocked")


class Did(Managed, Base):
    """A telephone number we own, in E.164 digits."""

    __tablename__ = "dids"
    DEPENDENTS = ("current",)

    number: Mapped[str] = mapped_column(unique=True)
    provider_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("providers.id"), index=True)
    gateway_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("gateways.id"), index=True
    )  # Where its calls come in.
    status: Mapped[str] = mapped_column(server_default="available")
    description: Mapped[str] = mapped_column(server_default="")
    quarantine_until: Mapped[dt.datetime | None]  # Until when it rests before somebody else gets it.

    provider: Mapped[Provider] = relationship(back_populates="dids")
    gateway: Mapped[Gateway | None] = relationship(back_populates="dids")
    allocations: Mapped[list[Allocation]] = relationship(
        back_populates="did", order_by="Allocation.allocated_at.desc()", cascade="all, delete-orphan"
    )
    current: Mapped[Allocation | None] = relationship(
        primaryjoin="and_(Allocation.did_id == Did.id, Allocation.released_at == None)", viewonly=True
    )

    __table_args__ = (
        CheckConstraint("number ~ '^[1-9][0-9]{7,14}$'", "number"),
        CheckConstraint(f"status IN {STATUSES}", "status"),
        # A number is searched for by its beginning, or by its end: without the country, or the area either.
        Index("ix_search_dids_number", "number", postgresql_ops={"number": "text_pattern_ops"}),
        Index(
            "ix_search_dids_reversed",
            func.reverse(number).label("reversed"),
            postgresql_ops={"reversed": "text_pattern_ops"},
        ),
        # In the list it is found by any digits of it, and by any part of what is noted of it.
        Index(
            "ix_search_dids_number_part", "number", postgresql_using="gin", postgresql_ops={"number": "gin_trgm_ops"}
        ),
        Index(
            "ix_search_dids_description",
            "description",
            postgresql_using="gin",
            postgresql_ops={"description": "gin_trgm_ops"},
        ),
        CheckConstraint("(status = 'quarantine') = (quarantine_until IS NOT NULL)", "quarantine_until"),
        Index("ix_dids_quarantine_until", "quarantine_until", postgresql_where="quarantine_until IS NOT NULL"),
        Index(None, "status", "number"),  # The list in other orders than by number, and the numbers that are free.
        Index(None, "description", "number"),
    )

    @validates("status")
    def _rests_no_longer(self, _name: str, status: str) -> str:
        """Only a number in quarantine has an end of it."""
        if status != "quarantine":
            self.quarantine_until = None
        return status

    @property
    def resting(self) -> bool:
        """Whether it is in quarantine still; the clock may be ahead of who tidies up."""
        return self.quarantine_until is not None and self.quarantine_until > dt.datetime.now(dt.UTC)

    @property
    def state(self) -> str:
        """The status as of now."""
        return "available" if self.status == "quarantine" and not self.resting else self.status

    @property
    def customer_id(self) -> uuid.UUID | None:
        """Who has it now."""
        return self.current.customer_id if self.current else None

    @property
    def destination(self) -> str | None:
        """The number of the phone that rings; none for a trunk, or when nobody has it."""
        return self.current.destination if self.current else None

    def __str__(self) -> str:
        return self.number


class Allocation(Base):
    """A DID given to a customer; it stays as history when the DID is taken back."""

    __tablename__ = "customer_dids"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4, server_default=func.gen_random_uuid())
    did_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("dids.id", ondelete="CASCADE"), index=True)
    # A former customer may be deleted; its code stays. The one who has the number now may not.
    customer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("customers.id", ondelete="SET NULL"), index=True)
    customer_code: Mapped[str]
    # The phone that rings; none: the customer's trunk, or the allocation is over.
    extension_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    trunk_type: Mapped[str | None] = mapped_column(
        Text, Computed("CASE WHEN released_at IS NULL AND extension_id IS NULL THEN 'trunk' END", persisted=True)
    )
    released_destination: Mapped[str] = mapped_column(server_default="")  # The phone's number when it was released.
    allocated_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    released_at: Mapped[dt.datetime | None]

    did: Mapped[Did] = relationship(back_populates="allocations")
    customer: Mapped[Customer | None] = relationship(
        primaryjoin="Allocation.customer_id == Customer.id", foreign_keys="Allocation.customer_id"
    )
    extension: Mapped[Extension | None] = relationship(
        back_populates="allocations",
        primaryjoin="Allocation.extension_id == Extension.id",
        foreign_keys="Allocation.extension_id",
    )

    __table_args__ = (
        # One at a time. Deferred, so that one allocation may follow another in a transaction, in whatever order.
        ExcludeConstraint(
            ("did_id", "="),
            name="uq_customer_dids_current",
            using="btree",
            where=text("released_at IS NULL"),
            deferrable=True,
            initially="DEFERRED",
        ),
        CheckConstraint("released_at IS NOT NULL OR customer_id IS NOT NULL", "current_has_customer"),
        CheckConstraint("released_at IS NULL OR extension_id IS NULL", "released_has_no_extension"),
        # The phone is the customer's own; without a phone the customer has a trunk. (No check where one side is NULL.)
        ForeignKeyConstraint(["extension_id", "customer_id"], ["extensions.id", "extensions.customer_id"]),
        ForeignKeyConstraint(["customer_id", "trunk_type"], ["customers.id", "customers.type"]),
    )

    @property
    def destination(self) -> str | None:
        """The number of the phone that rings, or None for the customer's trunk."""
        return self.extension.extension if self.extension else self.released_destination or None

    def __str__(self) -> str:
        return f"{self.did.number} → {self.customer_code}"
