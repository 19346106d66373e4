"""DIDs: the telephone numbers we own, and who has them."""
