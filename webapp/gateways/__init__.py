"""Gateways: the SIP peers of our providers."""
