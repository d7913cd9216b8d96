"""The run and its phases, and the ports that it needs."""
