"""The notebook of the engine's tests, for stores that somebody changed."""

from __future__ import annotations

from tests.engine.conftest import notebook

__all__ = ["notebook"]
