"""The store behind a server keeps the laws of every store: over SQLite, through a real server."""

from __future__ import annotations

from jupyter_durable.testing.conformance import SharedStoreConformance


class TestHttpOverSqlite(SharedStoreConformance):
    """`store` and `another` are fixtures of this folder."""
