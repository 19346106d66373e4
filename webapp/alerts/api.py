"""Whom to tell, for programs."""

from __future__ import annotations

from webapp.alerts.operations import stored
from webapp.alerts.schemas import AlertSettingsSchema
from webapp.api import single

single("alerts", AlertSettingsSchema, stored)
