"""Storage of versions and publications: one module per engine; `sql.py` holds what all engines share."""
