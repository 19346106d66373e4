"""Whether every call is in the books: what the nodes saw, what is stored, what is rated."""
