"""The fork servers, started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crash.fleet import COMPILER, Fleet, fleet


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two fork servers with the shim preloaded."""
    if COMPILER is None:
        pytest.skip("there is no C compiler for the shim that kills")
    with fleet(tmp_path_factory.mktemp("crash")) as made:
        yield made
