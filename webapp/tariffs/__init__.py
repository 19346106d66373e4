"""Tariffs: what a minute costs us and what we sell it for, in price plans."""
