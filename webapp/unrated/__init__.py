"""Calls that have no price yet, and call records that no call could be made of."""
