"""How numbers are said, for every part that says one."""

from __future__ import annotations

from typing import Final

FAR: Final = 1e12
"""Seconds; beyond is no time of anything, but in a store that is damaged."""


def spoken(seconds: float) -> str:
    """A duration as people say it: `0.4 s`, `12 s`, `3 min 12 s`, `2 h 5 min`."""
    if not abs(seconds) < FAR:
        return "no time"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
