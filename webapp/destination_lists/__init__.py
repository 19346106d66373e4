"""Destination lists: which numbers customers may call, and which they may not."""
