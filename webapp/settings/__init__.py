"""Settings: what the company has settled, and the nodes that carry our calls."""
