"""Whether the whole installation is as it should be, and what to do where it is not. Nothing is changed."""
