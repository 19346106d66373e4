"""The phones of our customers."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, Computed, ForeignKeyConstraint, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.encryption import EncryptedText
from webapp.ext import Base, Managed

if TYPE_CHECKING:
    from webapp.customers.models import Customer
    from webapp.dids.models import Allocation


class Extension(Managed, Base):
    """A phone (ramal) of a customer. Its number is the customer's own; its SIP user is unique everywhere."""

    __tablename__ = "extensions"
    DEPENDENTS = ("allocations",)

    customer_id: Mapped[uuid.UUID]
    # A constant for the foreign key: only customers of this type have phones.
    customer_type: Mapped[str] = mapped_column(Text, Computed("'extension'", persisted=True))
    extension: Mapped[str]
    name: Mapped[str] = mapped_column(server_default="")
    secret: Mapped[str] = mapped_column(EncryptedText, deferred=True)  # Read only by who needs it.
    enabled: Mapped[bool] = mapped_column(server_default="true")

    customer: Mapped[Customer] = relationship(
        back_populates="extensions",
        primaryjoin="Extension.customer_id == Customer.id",
        foreign_keys="Extension.customer_id",
    )
    allocations: Mapped[list[Allocation]] = relationship(
        back_populates="extension",
        primaryjoin="Allocation.extension_id == Extension.id",
        foreign_keys="Allocation.extension_id",
        passive_deletes="all",
    )

    __table_args__ = (
        UniqueConstraint("customer_id", "extension"),
        UniqueConstraint("id", "customer_id"),  # So that an allocation can insist on a phone of its customer.
        ForeignKeyConstraint(["customer_id", "customer_type"], ["customers.id", "customers.type"]),
        CheckConstraint("extension ~ '^[0-9]{2,6}$'", "extension"),
        # A phone is searched for by its number alone, and by any part of its name.
        Index("ix_search_extensions_extension", "extension"),
        Index("ix_search_extensions_name", "name", postgresql_using="gin", postgresql_ops={"name": "gin_trgm_ops"}),
    )

    @property
    def sip_user(self) -> str:
        """What the phone registers as, e.g. acme-100."""
        return f"{self.customer.code}-{self.extension}"

    def __str__(self) -> str:
        return self.sip_user
