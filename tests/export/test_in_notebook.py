"""`%durable export` and the page's export: the notebook as it is now, saved or not."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.conftest import Kernel, Start, directory, kernel, start  # noqa: F401 - fixtures
from tests.page.test_control import ask

HEAD = "%load_ext jupyter_durable\nfrom jupyter_durable import application, function"
RATE = "RATE = 3"
APP = "@application()\n@function()\ndef app(n: int) -> int:\n    return n * RATE"


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter of the kernel."""
    return Path(sys.executable)


def save(path: Path, *cells: tuple[str, str]) -> None:
    """A notebook file of code cells: id and source each."""
    made = [{"cell_type": "code", "id": id, "source": source, "metadata": {}} for id, source in cells]
    path.write_text(json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


def module(folder: Path, package: str) -> str:
    return (folder / "src" / package / "application.py").read_text()


def test_an_unsaved_notebook_is_what_ran_in_its_kernel(start: Start, directory: Path) -> None:  # noqa: F811
    """A cell that ran twice counts as it ran last; what only looked stays out."""
    kernel = start("unsaved.ipynb")  # noqa: F811
    for id, source in (("a", HEAD), ("b", RATE), ("c", APP), ("b", "RATE = 4"), ("d", "print(app(2))")):
        assert not kernel.run(source, id).error
    looked = kernel.run("%durable export out --check").stdout
    assert "kept" in looked
    assert "pyproject.toml" in looked
    assert not (directory / "out").exists()
    ran = kernel.run("%durable export out")
    assert ran.stdout.startswith(f"exported to {directory}/out: "), ran
    text = module(directory / "out", "unsaved")
    assert "RATE = 4" in text
    assert "RATE = 3" not in text
    assert "print" not in text
    again = kernel.run("%durable export out").stdout
    assert "unchanged" in again
    assert "new" not in again


def test_of_a_saved_notebook_what_ran_since_is_newer_than_its_file(kernel: Kernel, directory: Path) -> None:  # noqa: F811
    path = directory / "a.ipynb"
    save(path, ("a", HEAD), ("b", RATE), ("c", APP))
    kernel.run(HEAD, "a")
    kernel.run("RATE = 5", "b")
    kernel.run("%durable export newer")
    assert "RATE = 5" in module(directory / "newer", "a")
    later = time.time() + 60
    os.utime(path, (later, later))
    kernel.run("%durable export older")
    assert "RATE = 3" in module(directory / "older", "a")


def test_a_value_of_now_goes_in_as_a_file(kernel: Kernel, directory: Path) -> None:  # noqa: F811
    load = "import subprocess\n\nRATE = int(subprocess.check_output(['echo', '8']))"
    save(directory / "a.ipynb", ("a", HEAD), ("b", load), ("c", APP))
    kernel.run(load, "b")
    refused = kernel.run("%durable export computed")
    assert "--bundle" in refused.stderr
    assert not refused.error
    ran = kernel.run("%durable export computed --bundle RATE")
    assert not ran.error
    files = [path for path in (directory / "computed").rglob("*.json") if path.name == "RATE.json"]
    assert [json.loads(path.read_text()) for path in files] == [8]
    assert "set is not what JSON gives back" in kernel.run("RATE = {1}\n%durable export x --bundle RATE").stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "where to?"),
        ("out --target moon", "there is no target 'moon'"),
        ("out --app nothing", "the notebook defines no nothing"),
        ("out --app", "needs a value"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_there_is(kernel: Kernel, directory: Path, words: str, says: str) -> None:  # noqa: F811
    save(directory / "a.ipynb", ("a", HEAD), ("b", RATE), ("c", APP))
    ran = kernel.run(f"%durable export {words}")
    assert says in ran.stderr
    assert not ran.error


def test_a_request_goes_along_as_a_test(kernel: Kernel, directory: Path) -> None:  # noqa: F811
    save(directory / "a.ipynb", ("a", HEAD), ("b", RATE), ("c", APP))
    for id, source in (("a", HEAD), ("b", RATE), ("c", APP)):
        kernel.run(source, id)
    kernel.run("app(2)")
    ran = kernel.run("%durable export recorded --record last")
    assert not ran.stderr
    assert len(list((directory / "recorded" / "tests" / "recorded").glob("req_*.request"))) == 1
    refused = kernel.run("%durable export elsewhere --record last --target tensorlake")
    assert "leave --record out" in refused.stderr
    assert not (directory / "elsewhere").exists()


def page(**given: Any) -> dict[str, Any]:
    cells: list[tuple[str, str]] = [("code", HEAD), ("markdown", "# An app"), ("code", RATE), ("code", APP)]
    shown = [{"id": str(n), "kind": kind, "source": text, "tags": []} for n, (kind, text) in enumerate(cells)]
    return {"cells": shown, "apps": [], "target": "server", "directory": "of-page", **given}


def test_the_page_sees_what_goes_in_of_its_own_cells_before_it_is_written(kernel: Kernel, directory: Path) -> None:  # noqa: F811
    answer = ask(kernel, "export", **page(target="tensorlake"))["reply"]
    assert answer["roots"] == [{"name": "app", "description": "", "application": True}]
    assert answer["refusal"] == ""
    assert "a.py" in answer["files"]
    assert not (directory / "of-page").exists()
    refused = ask(kernel, "export", **page(apps=["other"]))["reply"]
    assert "defines no other" in refused["refusal"]
    assert refused["roots"] == answer["roots"]
    written = ask(kernel, "export", **page(write=True))["reply"]
    assert written["folder"] == str(directory / "of-page")
    assert (directory / "of-page" / "README.md").is_file()
    (directory / "of-page" / "README.md").write_text("mine")
    other = {"target": "tensorlake", "write": True}
    again = ask(kernel, "export", **page(**other))
    assert again["status"] == "error"
    assert "README.md" in again["message"]
    assert ask(kernel, "export", **page(**other, force=True))["status"] == "ok"
