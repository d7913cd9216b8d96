"""What this machine remembers of its runs."""
