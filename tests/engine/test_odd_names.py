"""File names that are no UTF-8: Linux has them, Python gives them as texts with lone surrogates, SQLite holds none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_durable.client import copy_store, get_request, list_requests
from jupyter_durable.errors import SDKUsageError
from tests.engine.conftest import Notebook

ODD = os.fsdecode(b"caf\xe9.txt")
SHOWN = r"caf\udce9.txt"
TELLINGS = {
    "a counter": "context.metrics.counter(ODD, 1)",
    "a timer": "context.metrics.timer(ODD, 1.0)",
    "progress": "context.progress.update(1, 2, ODD)",
    "an attribute of progress": "context.progress.update(1, 2, 'x', {ODD: ODD})",
    "the error of an attempt": "odd_once()",
}


@pytest.mark.parametrize("after", [0, 3], ids=["at the end of the run", "in its middle"])
@pytest.mark.parametrize("telling", TELLINGS)
def test_a_name_that_is_no_utf8_in_what_a_call_tells_decides_no_outcome(
    notebook: Notebook, telling: str, after: int
) -> None:
    """The run succeeds, what else was told is kept, and a replay executes nothing."""
    notebook.cell(
        f"ODD = {ODD!r}\nfailed = []\n"
        "def odd_once():\n    if not failed: failed.append(1); raise ValueError(ODD)\n"
        "@function(retries=Retries(max_retries=1))\n"
        "def tells(x):\n    context = RequestContext.get(); context.metrics.counter('sound', 1)\n"
        f"    {TELLINGS[telling]}; ran(x); return x\n"
        "@function()\ndef plain(x): ran(x); return x\n"
        f"@application()\ndef app() -> int: return tells(1) + sum(plain(n) for n in range({after}))",
        key="app",
    )
    notebook.cell("app()")
    request = notebook.last()
    assert (request.status, notebook.executed()) == ("succeeded", [1, *range(after)])
    assert "sound" in {each.name for each in request.metrics}
    if telling in ("a counter", "a timer"):
        assert SHOWN in {each.name for each in request.metrics}
    if telling == "progress":
        assert [each.message for each in request.progress] == [SHOWN]
    request.replay()
    assert notebook.executed() == []


def test_an_error_that_names_such_a_file_is_the_outcome(notebook: Notebook) -> None:
    """Of an application, and of a cell."""
    raises = f"raise FileNotFoundError(2, 'no', {ODD!r})"
    notebook.cell(f"@application()\n@function()\ndef app() -> int:\n    {raises}", key="app")
    for source in ("app()", f"jd.now()\n{raises}"):
        with pytest.raises(FileNotFoundError, match="no"):
            notebook.cell(source, key=source)
        row = notebook.engine.store.request("last")
        assert (row.status, row.error) == ("failed", f"FileNotFoundError: [Errno 2] no: {ODD!r}")


def test_such_a_text_finds_nothing_and_is_no_path_of_a_copy(notebook: Notebook) -> None:
    """Each is an error of ours, or an empty answer."""
    notebook.cell("@application()\n@function()\ndef app() -> int: return 1\napp()")
    for id in (ODD, f"req_{ODD}", "\ud800", "req_\udfff"):
        with pytest.raises(SDKUsageError, match="there is no request"):
            get_request(id)
    assert list_requests(notebook=ODD) == list_requests(application=ODD) == []
    for name in (ODD, f"{ODD}/new.db"):
        with pytest.raises(SDKUsageError, match="is no UTF-8"):
            copy_store(str(notebook.path.parent / name))
    assert ODD not in os.listdir(notebook.path.parent)


SCRIPT = """
import os, jupyter_durable as jd
jd.configure(store="sqlite:///" + os.environ["STORE"])
@jd.function()
def step(n):
    print("executed", n)
    if n == 2 and "mended" not in os.environ: raise ValueError("not yet")
    return n
@jd.application()
def app() -> int: return sum(step(n) for n in range(4))
app()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="names are UTF-8 here, or are made so")
@pytest.mark.parametrize(
    ("folder", "name", "argument"),
    [
        (b"caf\xe9", b"s.py", b"x"),
        (b"plain", b"caf\xe9.py", b"x"),
        (b"plain", b"s.py", b"\xff"),
        (b"\xff", b"\xff", b"\xff"),
    ],
)
def test_a_script_with_such_a_name_folder_or_argument_goes_on_as_any_other(
    tmp_path: Path, folder: bytes, name: bytes, argument: bytes
) -> None:
    """What succeeded is served; another argument is another request."""
    script = os.path.join(os.fsencode(tmp_path), folder, name)
    os.makedirs(os.path.dirname(script))
    with open(script, "w") as file:
        file.write(SCRIPT)

    def executed(given: bytes, **mended: str) -> list[str]:
        environment = {**os.environ, "JUPYTER_DATA_DIR": str(tmp_path), "STORE": str(tmp_path / "store.db"), **mended}
        command = [os.fsencode(sys.executable), script, given]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert run.stderr == "" if mended else "not yet" in run.stderr
        return run.stdout.split("\n")[:-1]

    assert executed(argument) == ["executed 0", "executed 1", "executed 2"]
    assert executed(argument, mended="1") == ["executed 2", "executed 3"]
    assert executed(argument + b"\xfe", mended="1") == [f"executed {n}" for n in range(4)]
