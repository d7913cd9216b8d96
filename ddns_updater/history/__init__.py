"""Where versions and publications are kept: one file an engine; `sql.py` holds what every engine says alike."""
