"""The composition root: what the hub is made of, what it serves, and how it is run."""
