"""The calls that go on now."""
