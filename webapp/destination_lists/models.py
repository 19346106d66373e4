"""Which numbers customers may call, and which they may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.ext import Base, Managed

if TYPE_CHECKING:
    from webapp.customers.models import Customer
    from webapp.settings.models import CompanySettings


class DestinationList(Managed, Base):
    """Numbers by what they begin with. Customers may not call those of one list, or may call only those of another."""

    __tablename__ = "destination_lists"
    DEPENDENTS = ("blocked_for", "allowed_for", "blocked_at_first", "allowed_at_first")

    name: Mapped[str] = mapped_column(unique=True)
    prefixes: Mapped[list[str]] = mapped_column(ARRAY(Text))  # E.164 digits.

    blocked_for: Mapped[list[Customer]] = relationship(
        foreign_keys="Customer.blocked_list_id",
        back_populates="blocked_list",
        order_by="Customer.code",
        passive_deletes="all",
    )
    allowed_for: Mapped[list[Customer]] = relationship(
        foreign_keys="Customer.allowed_list_id",
        back_populates="allowed_list",
        order_by="Customer.code",
        passive_deletes="all",
    )
    # The settings, where new customers get this list.
    blocked_at_first: Mapped[list[CompanySettings]] = relationship(
        foreign_keys="CompanySettings.default_blocked_list_id", viewonly=True
    )
    allowed_at_first: Mapped[list[CompanySettings]] = relationship(
        foreign_keys="CompanySettings.default_allowed_list_id", viewonly=True
    )

    __table_args__ = (CheckConstraint("array_to_string(prefixes, ',') ~ '^[0-9]{1,15}(,[0-9]{1,15})*$'", "prefixes"),)

    def __str__(self) -> str:
        return self.name
