"""Alerts: whom to tell when something needs somebody, and what was told."""
