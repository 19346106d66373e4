"""Providers' bills, held against our calls."""
