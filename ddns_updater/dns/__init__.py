"""Where records are published and checked."""
