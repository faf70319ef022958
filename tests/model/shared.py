"""Durable functions that several test files call: names are one namespace."""

from __future__ import annotations

import asyncio

from jupyter_durable import function

SOON = 4.0
"""Seconds for what takes a tenth on a quiet machine. What it cuts off would go on for five at least; how soon a cancel
settles on a busy one is measured in `tests/races`."""


@function()
def double(n: int) -> int:
    """Twice `n`; refuses negative numbers."""
    if n < 0:
        raise ValueError(f"negative: {n}")
    return 2 * n


@function()
async def double_async(n: int) -> int:
    """As `double`, with a turn of the loop."""
    await asyncio.sleep(0)
    if n < 0:
        raise ValueError(f"negative: {n}")
    return 2 * n


@function()
def add(a: int, b: int) -> int:
    """The sum."""
    return a + b


@function()
async def add_async(a: int, b: int) -> int:
    """The sum, with a turn of the loop."""
    await asyncio.sleep(0)
    return a + b
