"""What each command does: it builds the adapters that the settings name, and puts them to work."""
