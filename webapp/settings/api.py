"""Settings, for programs."""

from __future__ import annotations

from webapp.api import single
from webapp.settings.operations import stored
from webapp.settings.schemas import SettingsSchema

single("settings", SettingsSchema, stored)
