"""The carriers we buy from."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, Numeric
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.ext import Base, Managed

if TYPE_CHECKING:
    from webapp.dids.models import Did
    from webapp.gateways.models import Gateway


class Provider(Managed, Base):
    """A carrier that ends our calls, sells us numbers, or both."""

    __tablename__ = "providers"
    DEPENDENTS = ("gateways", "dids")

    name: Mapped[str] = mapped_column(unique=True)
    type: Mapped[str] = mapped_column(server_default="both")  # What we buy: termination, numbers, or both.
    # What an outbound minute costs, in the company's currency, where no price list says it better.
    cost_per_minute: Mapped[Decimal] = mapped_column(Numeric(16, 8), server_default="0")

    gateways: Mapped[list[Gateway]] = relationship(
        back_populates="provider", order_by="Gateway.name", passive_deletes="all"
    )
    dids: Mapped[list[Did]] = relationship(back_populates="provider", order_by="Did.number", passive_deletes="all")

    __table_args__ = (
        CheckConstraint("type IN ('termination', 'numbers', 'both')", "type"),
        CheckConstraint("cost_per_minute >= 0", "cost_per_minute"),
    )

    def __str__(self) -> str:
        return self.name
