"""The fork servers, started once."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.fleet import COMPILER, Fleet, fleet

MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def servers() -> Iterator[Fleet]:
    """Fork servers with the recorder preloaded; their images lie in memory where there is such a place."""
    if COMPILER is None:
        pytest.skip("there is no C compiler for the shim that records")
    folder = Path(tempfile.mkdtemp(prefix="power-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        with fleet(folder, module="tests.power.server", shim=Path(__file__).with_name("recorder.c")) as made:
            yield made
    finally:
        shutil.rmtree(folder)
