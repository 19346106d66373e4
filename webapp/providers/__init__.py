"""Providers: the carriers we buy minutes and numbers from."""
