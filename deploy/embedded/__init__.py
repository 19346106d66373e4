"""A private PostgreSQL and a private Asterisk below one directory."""
