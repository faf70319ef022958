"""Bad input, as a user of a notebook meets it: one clear error that names the remedy, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kernel.conftest import Kernel, Start

DEFINED = "from jupyter_durable import *\n@function()\ndef one(x):\n    print('one', x, 'ran')\n    return x"
FILLING = """
import os
from jupyter_durable import function
@function()
def big(n):
    print("big", n, "ran")
    return os.urandom(60_000)
"""


@pytest.fixture(scope="module")
def kernel(start: Start) -> Kernel:
    """One kernel, with a durable function."""
    kernel = start()
    assert not kernel.run(DEFINED).error
    return kernel


Elsewhere = Callable[[Path], Kernel]


@pytest.fixture
def elsewhere(start: Start) -> Iterator[Elsewhere]:
    """Start a kernel with a store of its own."""
    kernels: list[Kernel] = []

    def begin(store: Path) -> Kernel:
        kernels.append(kernel := start(bare=True))
        setting = f"import os; os.environ['JUPYTER_DURABLE_STORE'] = 'sqlite:///{store}'"
        assert not kernel.run(f"{setting}\n%load_ext jupyter_durable").error
        return kernel

    yield begin
    for kernel in kernels:
        kernel.close()


def test_a_durable_line_that_is_not_the_first_stops_the_cell_before_it_runs(kernel: Kernel) -> None:
    ran = kernel.run("print('ran')\n%%durable\ndef f(): return 1")
    assert "UsageError: %%durable must be the first line of the cell" in ran.error
    assert ran.stdout == ""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("list --limit 0", "--limit takes a whole number from 1, not '0'"),
        (
            "show req_nothing",
            "no request 'req_nothing'; `%durable list`, `jupyter durable list` and list_requests() show "
            "those there are",
        ),
        ("logs nothing", "has no call nothing[0]; it has one[0]"),
        ("output nothing", "has no call nothing[0]; it has one[0]"),
        ("replay --rerun nothing", "has no call 'nothing'"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_named_with_what_is(kernel: Kernel, line: str, said: str) -> None:
    kernel.run("one(1)", "there")
    assert said in kernel.run(f"%durable {line}").stderr


def test_a_fork_that_cannot_be_leaves_no_request_behind(kernel: Kernel) -> None:
    kernel.run("one(2)", "forked")
    before = kernel.value("len(list_requests())")
    assert "has no call 'nothing'" in kernel.run("%durable fork --from nothing").stderr
    assert kernel.value("len(list_requests())") == before


def test_a_store_that_is_full_says_so_in_the_cell_and_no_result_is_lost(elsewhere: Elsewhere, directory: Path) -> None:
    kernel = elsewhere(directory / "full.db")
    kernel.run(FILLING)
    kernel.run("import resource\nlimits = resource.getrlimit(resource.RLIMIT_FSIZE)")
    kernel.run("resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, limits[1]))")
    full = kernel.run("for n in range(20): big(n)", "filling")
    ran = full.stdout.count("ran")
    assert 1 <= ran < 20
    for refused in (full, kernel.run("for n in range(20): big(n)", "filling")):
        assert "CheckpointError: the checkpoint could not be written" in refused.error
        assert "kept in memory; replay the request to go on" in refused.error
        assert "RunStopped" not in refused.error
        assert "sqlite3" not in refused.error
    kernel.run("resource.setrlimit(resource.RLIMIT_FSIZE, limits)")
    room = kernel.run("for n in range(20): big(n)", "filling")
    assert not room.error
    assert room.stdout.count("ran") == 20 - ran
    replayed = kernel.run("%durable replay").stdout
    assert "20 from checkpoint · 0 ran" in replayed
    assert kernel.run("%durable tree").stdout.count("big[") == 20


def test_a_store_that_does_not_open_is_a_finding_and_one_error_in_the_cell(
    elsewhere: Elsewhere, directory: Path
) -> None:
    broken = directory / "broken.db"
    content = b"hello, world\n" * 400
    broken.write_bytes(content)
    kernel = elsewhere(broken)
    kernel.run(DEFINED)
    said = f"the store {broken} is damaged or is not a store"
    assert f"✕ {said}" in kernel.run("%durable doctor").stdout
    assert said in kernel.run("%durable").stderr
    called = kernel.run("one(1)").error
    assert f"StoreError: {said}" in called
    assert "sqlite3" not in called
    assert "link.py" not in called
    assert broken.read_bytes() == content


def test_a_cell_that_resumes_in_a_fresh_kernel_names_what_is_missing_before_it_runs(start: Start) -> None:
    cell = "%%durable\ndef load(x): return x\nload(limit)\nwith lock:\n    helper()\n    raise ValueError('x')"
    first = start("missing.ipynb")
    first.run("import threading\nlock = threading.Lock()\nlimit = 7\ndef helper(): return 1", "made")
    assert "ValueError" in first.run(cell, "resumed").error
    first.kill()
    second = start("missing.ipynb")
    ran = second.run(cell, "resumed")
    assert "`lock`: run `lock = threading.Lock()`" in ran.text
    assert "`limit`: run `limit = 7`" in ran.text
    assert "`helper`: run `def helper(): return 1`" in ran.text
    second.run("import threading\nlock = threading.Lock()\nlimit = 7\ndef helper(): return 1", "made")
    assert "not defined here" not in second.run(cell, "resumed").text
    second.close()


def test_a_damaged_value_names_its_call_and_how_to_make_it_anew(elsewhere: Elsewhere, directory: Path) -> None:
    kernel = elsewhere(directory / "damaged.db")
    kernel.run(FILLING.replace("60_000", "200_000"))
    kernel.run("big(1)\nraise ValueError('later')", "damaged")
    id = kernel.value("__import__('jupyter_durable').list_requests()[0].id")
    [file] = [path for path in (directory / "damaged.db.blobs").rglob("*") if path.is_file()]
    data = bytearray(file.read_bytes())
    data[1000] ^= 1
    file.write_bytes(data)
    refused = kernel.run("%durable output big[0]").stderr
    assert f"the result of big cannot be served: the value {file} is damaged" in refused
    assert f'%durable replay {id} --rerun "big"' in refused
    assert "big 1 ran" in kernel.run(f'%durable replay {id} --rerun "big"').stdout
    assert not kernel.run("%durable output big[0]").stderr
