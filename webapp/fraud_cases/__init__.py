"""Fraud cases: whom a rule hit, and letting them call again."""
