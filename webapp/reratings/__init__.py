"""Calls rated again: what that would change, and doing it."""
