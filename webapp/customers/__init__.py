"""Customers: who we sell to."""
