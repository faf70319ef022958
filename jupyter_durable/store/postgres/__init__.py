"""The shared store: one schema of a PostgreSQL database, large values in it, for several machines at once."""
