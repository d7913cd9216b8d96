"""What knows no address, no record and no run."""
