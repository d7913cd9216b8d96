"""What each command does: from settings to adapters to work."""
