"""Where an outbound call may leave."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.ext import Base, Managed

if TYPE_CHECKING:
    from webapp.gateways.models import Gateway


class Route(Managed, Base):
    """Numbers of this pattern may leave by this gateway. The lowest priority number is tried first."""

    __tablename__ = "routes"

    name: Mapped[str] = mapped_column(unique=True)
    pattern: Mapped[str]  # Asterisk's language (X Z N [2-5] . !), without the underscore.
    regex: Mapped[str] = mapped_column(Text, Computed("pattern_regex(pattern)", persisted=True))
    digits: Mapped[str] = mapped_column(  # That it begins with: by these a call finds the few that may fit.
        Text, Computed("substring(pattern FROM '^[0-9*#]*')", persisted=True), index=True
    )
    gateway_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("gateways.id"), index=True)
    priority: Mapped[int] = mapped_column(server_default="100")
    strip: Mapped[int] = mapped_column(server_default="0")  # Digits cut off the dialled number ...
    prepend: Mapped[str] = mapped_column(server_default="")  # ... and put before it, then the gateway's tech prefix.
    enabled: Mapped[bool] = mapped_column(server_default="true")

    gateway: Mapped[Gateway] = relationship(back_populates="routes")

    __table_args__ = (
        CheckConstraint("priority BETWEEN 1 AND 9999", "priority"),
        CheckConstraint("('' ~ regex) IS NOT NULL", "pattern"),  # An expression that cannot be read stops here.
        CheckConstraint("strip BETWEEN 0 AND 15", "strip"),
    )

    def __str__(self) -> str:
        return self.name
