"""The SIP peers of our providers."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.encryption import EncryptedText
from webapp.ext import Base, Managed

if TYPE_CHECKING:
    from webapp.dids.models import Did
    from webapp.providers.models import Provider
    from webapp.routes.models import Route


class Gateway(Managed, Base):
    """One SIP peer of a provider: reached at an address, or one that we register with."""

    __tablename__ = "gateways"
    DEPENDENTS = ("routes", "dids")

    name: Mapped[str] = mapped_column(unique=True)
    provider_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("providers.id"), index=True)
    enabled: Mapped[bool] = mapped_column(server_default="true")

    ip_address: Mapped[str]
    port: Mapped[int] = mapped_column(server_default="5060")
    transport: Mapped[str] = mapped_column(server_default="udp")
    # Further addresses and networks the provider's calls come from; empty: ip_address only.
    source_ips: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    domain: Mapped[str] = mapped_column(server_default="")  # Host name in From and registration; empty: ip_address.

    registration: Mapped[bool] = mapped_column(server_default="false")
    username: Mapped[str] = mapped_column(server_default="")
    # Read only by who needs it.
    password: Mapped[str] = mapped_column(EncryptedText, server_default="", deferred=True)
    # From where we register; None: from the first node, as the view asterisk.own_registrations has it.
    node: Mapped[str | None] = mapped_column(ForeignKey("nodes.name", ondelete="SET NULL"))

    codecs: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{alaw,ulaw}")
    srtp: Mapped[bool] = mapped_column(server_default="false")  # Media is encrypted, or there is no call.
    tech_prefix: Mapped[str] = mapped_column(server_default="")  # Put before every number sent.
    max_channels: Mapped[int] = mapped_column(server_default="0")  # Calls at once on each node; 0: no limit.
    # How the provider wants caller numbers: e164 (5511...), plus (+5511...), national (11...), long_distance (011...).
    caller_id_format: Mapped[str] = mapped_column(server_default="e164")
    inbound_strip: Mapped[int] = mapped_column(server_default="0")  # Digits cut off a called number ...
    inbound_prepend: Mapped[str] = mapped_column(server_default="")  # ... and put before it, to make it E.164.
    qualify_frequency: Mapped[int] = mapped_column(server_default="60")  # Seconds between OPTIONS; 0: never.

    provider: Mapped[Provider] = relationship(back_populates="gateways")
    routes: Mapped[list[Route]] = relationship(back_populates="gateway", order_by="Route.name", passive_deletes="all")
    dids: Mapped[list[Did]] = relationship(back_populates="gateway", order_by="Did.number", passive_deletes="all")

    __table_args__ = (
        CheckConstraint("port BETWEEN 1 AND 65535", "port"),
        CheckConstraint("transport IN ('udp', 'tcp', 'tls')", "transport"),
        CheckConstraint("NOT registration OR (username <> '' AND password <> '')", "registration_has_credentials"),
        CheckConstraint("NOT srtp OR transport = 'tls'", "srtp_over_tls"),
        CheckConstraint("max_channels BETWEEN 0 AND 10000", "max_channels"),
        CheckConstraint("caller_id_format IN ('e164', 'plus', 'national', 'long_distance')", "caller_id_format"),
        CheckConstraint("inbound_strip BETWEEN 0 AND 15", "inbound_strip"),
        CheckConstraint("qualify_frequency BETWEEN 0 AND 3600", "qualify_frequency"),
        CheckConstraint("cardinality(codecs) > 0", "codecs"),
    )

    def __str__(self) -> str:
        return self.name
