"""Simulator: what would become of a call, and what it would come to."""
