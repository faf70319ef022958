"""The local store: one SQLite file, with large values beside it."""
