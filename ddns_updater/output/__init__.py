"""Results as text, JSON, CSV and metrics."""
