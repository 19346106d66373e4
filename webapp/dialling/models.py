"""What number is meant by what a customer dials."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.ext import Base, Managed

if TYPE_CHECKING:
    from webapp.customers.models import Customer


class NumberRule(Managed, Base):
    """Dialled numbers of this pattern mean another number. The first rule that fits is the only one that counts."""

    __tablename__ = "number_rules"

    # Whose rule it is; None: the company's, for every customer who chose those.
    customer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]  # The lowest is tried first.
    pattern: Mapped[str]  # As in routes.
    regex: Mapped[str] = mapped_column(Text, Computed("pattern_regex(pattern)", persisted=True))
    strip: Mapped[int] = mapped_column(server_default="0")  # Digits cut off the dialled number ...
    prepend: Mapped[str] = mapped_column(server_default="")  # ... and put before it; may hold {country} and {area}.
    description: Mapped[str] = mapped_column(server_default="")

    customer: Mapped[Customer | None] = relationship()

    __table_args__ = (
        CheckConstraint("('' ~ regex) IS NOT NULL", "pattern"),
        CheckConstraint("strip BETWEEN 0 AND 15", "strip"),
        CheckConstraint("prepend ~ '^([0-9]|[{]country[}]|[{]area[}])*$'", "prepend"),
    )

    def __str__(self) -> str:
        return self.description or self.pattern
