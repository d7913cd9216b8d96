"""Where the public address comes from: one file a kind; `address.py` decides what counts as one."""
