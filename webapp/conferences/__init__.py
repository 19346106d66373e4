"""Conferences: numbers that are called and joined in a room."""
