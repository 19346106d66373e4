"""Accounts: who may use the program, who did what."""
