"""Everything that knows Asterisk's tables. The areas know nothing of it; the store turns what they save into rows."""
