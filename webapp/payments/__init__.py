"""Payments: what customers have paid, and what is left of it."""
