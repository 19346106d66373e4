"""The dashboard: what there is at a glance."""
