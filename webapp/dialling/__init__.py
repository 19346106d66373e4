"""Dialling: what number is meant by what a customer dials."""
