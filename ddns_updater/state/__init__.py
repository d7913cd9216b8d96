"""What this machine remembers of its runs: run state and outbox."""
