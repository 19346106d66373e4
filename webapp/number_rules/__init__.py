"""All number rules in one list, whosever they are. What they are, and the rules of one, is in dialling."""
