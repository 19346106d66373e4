"""Settings: the nodes that carry our calls."""
