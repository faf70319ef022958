"""A result is loaded once for each call that is served, and not to be shown: loading may have effects."""

from __future__ import annotations

from jupyter_durable_kernel.view.call_values import KEPT, Words
from tests.core.support import row
from tests.kernel.conftest import Kernel

LOUD = """
LOADS = []
class Loud:
    def __init__(self, n): self.n = n
    def __setstate__(self, state): self.__dict__.update(state); LOADS.append(self.n)
"""
CELL = """
%%durable
def plot(n): return Loud(n)
figures = [plot(n) for n in (1, 2, 3)]
assert ready
""".strip()


def test_what_appears_when_it_is_loaded_appears_once(kernel: Kernel) -> None:
    """A figure shows itself wherever it is loaded: once for a served call, and never for one that executed."""
    assert not kernel.run(f"{LOUD}\nready = False", "loud").error
    assert "AssertionError" in kernel.run(CELL, "figures").error
    assert kernel.value("LOADS") == []
    ran = kernel.run(CELL.replace("assert ready", ""), "figures")
    assert "3 from checkpoint" in ran.text
    assert "Loud" in ran.html
    assert sorted(kernel.value("LOADS")) == [1, 2, 3]
    assert kernel.value("[figure.n for figure in figures]") == [1, 2, 3]


def test_previews_that_are_remembered_are_bounded() -> None:
    """Of many calls the newest are remembered."""
    words = Words()
    rows = [row(n, n, "f", "") for n in range(KEPT + 5)]
    for each in rows:
        words.keep("request", each, each.identity)
    assert words.of("request", rows[0]) is None
    assert words.of("request", rows[-1]) == str(KEPT + 4)
    assert words.of("another", rows[-1]) is None
