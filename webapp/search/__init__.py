"""The search from anywhere: by name, code, number, address or SIP user."""
