"""Proof that Asterisk has what was said: what was asked for, the rows it reads, and what each node uses."""
