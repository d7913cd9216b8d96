"""General modules that know nothing of addresses, records or runs."""
