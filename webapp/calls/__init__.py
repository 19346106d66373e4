"""Calls: what was said for how long, and what it is worth."""
