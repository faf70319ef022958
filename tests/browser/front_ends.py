"""Environments of front ends in which others write the outputs, with their versions. Run as a module it makes them all.

Rules of this file
- Each is made once and kept; that takes minutes, so `scripts/test-full` does it before the tests.
"""

from __future__ import annotations

import sys

from tests.conftest import environment

FRONT_ENDS = {
    "plain": (),
    "collaboration": ("jupyter-collaboration==5.0.4",),
    "nbmodel": ("jupyter-collaboration==5.0.4", "jupyter-server-nbmodel==0.2.9"),
}


def python_of(name: str) -> str:
    """Interpreter of a front end."""
    packages = FRONT_ENDS[name]
    return str(environment(name, packages)) if packages else sys.executable


if __name__ == "__main__":
    for each in FRONT_ENDS:
        print(f"{each}: {python_of(each)}")
