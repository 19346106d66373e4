"""The nodes that carry our calls: how each of them is, and how far it is with what was saved."""
