"""Follows every public Certificate Transparency log and streams what they log."""

__version__ = "0.1.0"

__all__ = ["__version__"]
