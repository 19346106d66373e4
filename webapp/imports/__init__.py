"""Imports: files that operators bring in."""
