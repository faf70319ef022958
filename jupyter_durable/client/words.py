"""Lengths of time, points in time and sizes, as people write them and read them.

Rules of this file
- Pure: texts in, numbers out, and back.
"""

from __future__ import annotations

import contextlib
import datetime
import re
from typing import Final

from jupyter_durable.errors import SDKUsageError

_UNITS: Final = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def seconds_of(text: str) -> float:
    """A length of time: `90`, `90s`, `15min`, `2h`, `30d`, `4w`; in seconds. Raises `SDKUsageError`."""
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    if parts is None or (parts[2] or "s") not in _UNITS:
        raise SDKUsageError(f"{text!r} is no length of time; write for example 90s, 15min, 2h, 30d or 4w")
    return float(parts[1]) * _UNITS[parts[2] or "s"]


def time_of(text: str, now: float) -> float:
    """A point in time, Unix seconds: an age as `seconds_of` takes it, or a date such as 2026-01-31 or 2026-01-31T08:00.

    Raises `SDKUsageError`.
    """
    with contextlib.suppress(ValueError):
        return datetime.datetime.fromisoformat(text.strip()).timestamp()
    try:
        return now - seconds_of(text)
    except SDKUsageError:
        raise SDKUsageError(
            f"{text!r} is no time; write an age such as 2h or 7d, or a date such as 2026-01-31"
        ) from None


def moment(seconds: float) -> str:
    """A point in time, Unix seconds, in this machine's zone; words for what no calendar has, as damaged stores do."""
    try:
        return datetime.datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return "at no time"


def spoken_bytes(count: int) -> str:
    """A size as people say it."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
