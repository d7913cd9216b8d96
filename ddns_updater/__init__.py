"""Keep a machine without a fixed address reachable under its own name in AWS Route 53."""

__version__ = "0.1.0"
