"""Keep a DNS name in AWS Route 53 pointing to a machine whose public address changes."""

__version__ = "0.1.0"
