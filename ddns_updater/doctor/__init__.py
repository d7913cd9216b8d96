"""The checks of `ddns doctor`, one module a subject; nothing here writes."""
