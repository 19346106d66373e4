"""Conferences: numbers that are called and joined in a room."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from webapp.ext import Base, Managed

if TYPE_CHECKING:
    from webapp.customers.models import Customer

ACTIVE = ("asked", "calling", "ringing", "joined")
STATES = (*ACTIVE, "over", "not_called")
END_REASONS = ("", "left", "nobody", "closed", "time", "lost")


class Conference(Managed, Base):
    """Numbers that are called by a customer's routes and at its cost, and joined in a room of one node."""

    __tablename__ = "conferences"

    name: Mapped[str]
    customer_id: Mapped[uuid.UUID]  # No key of the database: what was held stays known when the customer is gone.
    numbers: Mapped[list[str]] = mapped_column(ARRAY(Text))  # As they were dialled, in their order.
    caller_id: Mapped[str] = mapped_column(server_default="")
    record: Mapped[bool] = mapped_column(server_default="false")
    max_minutes: Mapped[int] = mapped_column(server_default="120")
    node: Mapped[str]
    username: Mapped[str]  # Who asked for it.
    closing_at: Mapped[dt.datetime | None]  # Somebody wants it to end.

    # What the agent of the node writes.
    ended_at: Mapped[dt.datetime | None] = mapped_column()
    end_reason: Mapped[str] = mapped_column(server_default="")

    is_open: Mapped[bool] = column_property(ended_at.is_(None))

    customer: Mapped[Customer | None] = relationship(
        primaryjoin="foreign(Conference.customer_id) == Customer.id", viewonly=True
    )
    participants: Mapped[list[Participant]] = relationship(
        back_populates="conference", order_by="Participant.position", passive_deletes=True, cascade="all, delete-orphan"
    )

    __table_args__ = (
        CheckConstraint("max_minutes BETWEEN 1 AND 480", "max_minutes"),
        CheckConstraint(f"end_reason IN {END_REASONS}", "end_reason"),
        Index("ix_conferences_open", "node", postgresql_where="ended_at IS NULL"),
        Index("ix_conferences_created_at", "created_at", "id"),
    )

    def __str__(self) -> str:
        return self.name

    @property
    def ends_at(self) -> dt.datetime:
        """When time is up."""
        return self.created_at + dt.timedelta(minutes=self.max_minutes)

    @property
    def state(self) -> str:
        if self.ended_at:
            return "ended"
        return "closing" if self.closing_at else "open"

    @property
    def recording(self) -> str:
        """The file in Asterisk's folder `monitor`; empty if nothing is recorded."""
        return f"{self.id}.wav" if self.record else ""


class Participant(Base):
    """One call of a number into a room: who is called again is a participant twice.

    Its id is that of the request, by which its calls are found.
    """

    __tablename__ = "conference_participants"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4, server_default=func.gen_random_uuid())
    conference_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("conferences.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    number: Mapped[str]
    # asked -> calling -> ringing -> joined -> over; not_called: it is certain that nobody dialled it.
    state: Mapped[str] = mapped_column(server_default="asked")
    asked_at: Mapped[dt.datetime] = mapped_column(server_default=func.clock_timestamp())
    called_at: Mapped[dt.datetime | None]
    joined_at: Mapped[dt.datetime | None]
    left_at: Mapped[dt.datetime | None]
    dropping_at: Mapped[dt.datetime | None]  # Somebody wants it out.

    conference: Mapped[Conference] = relationship(back_populates="participants")

    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", "state"),
        CheckConstraint("number ~ '^[+]?[0-9*#]{2,32}$'", "number"),
    )

    @property
    def active(self) -> bool:
        """Whether it may yet be called, or is."""
        return self.state in ACTIVE
