"""HEAL7 Hub: one control plane for a labelled compose stack."""

# The same as in pyproject.toml; here because an image may hold the package without its metadata.
__version__ = "0.1.0"
