"""Sources of the public address: one module per kind; `address.py` decides what counts as public."""
