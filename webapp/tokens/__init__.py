"""API tokens: what programs sign in with that no person is behind."""
