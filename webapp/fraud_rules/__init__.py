"""Fraud rules: which calls out look like toll fraud, and what to do about them."""
