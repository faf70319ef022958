"""Values that are kept open until their rows commit: how many, and what a sweep may take meanwhile."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_durable.store.blobs import BlobFolder


@pytest.fixture
def few_files() -> Iterator[int]:
    """As many open files as this process has and 128 more; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = 128 + max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
    yield few
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_values_that_wait_for_their_rows_leave_most_files_of_the_process_to_others(
    tmp_path: Path, few_files: int
) -> None:
    folder = BlobFolder(tmp_path)
    for n in range(few_files):
        folder.put(b"head", [n.to_bytes(4) * 100])
    assert len(folder._held) <= few_files // 8
    folder.close()


def test_a_value_that_is_swept_before_it_has_its_name_is_there_when_its_row_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of whoever sweeps is days ahead."""
    folder, other, replace = BlobFolder(tmp_path), BlobFolder(tmp_path), os.replace

    def after_a_sweep(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "replace", replace)
        assert all(other.discard(path, time.time() + 200_000) for path, _, _ in list(other.files()))
        replace(source, target)

    monkeypatch.setattr(os, "replace", after_a_sweep)
    key = folder.put(b"head", [b"x" * 1000])
    folder.ensure(key)
    assert bytes(folder.get(key)[1][0]) == b"x" * 1000
    folder.close()
