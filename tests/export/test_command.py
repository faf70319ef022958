"""`jupyter durable export`: a notebook that is not open, to a project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jupyter_durable.cli.app import app

CELLS = [
    "from jupyter_durable import application, function",
    "RATE = 3",
    "@function()\ndef times(n: int) -> int:\n    return n * RATE",
    "@application()\n@function()\ndef first(n: int) -> int:\n    return times(n)",
    "@application()\n@function()\ndef second(n: int) -> int:\n    return n",
    "first(2)",
]


@pytest.fixture(autouse=True)
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A notebook of two applications, in the directory of now."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "home"))
    cells = [{"cell_type": "code", "id": str(n), "source": text, "metadata": {}} for n, text in enumerate(CELLS)]
    path = tmp_path / "two.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["export", *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def test_check_says_what_goes_in_and_writes_nothing(tmp_path: Path) -> None:
    code, out, _ = run("two.ipynb", "out", "--check")
    assert code == 0
    assert "application.py" in out
    assert not (tmp_path / "out").exists()


def test_it_writes_the_applications_that_are_named(tmp_path: Path) -> None:
    code, out, _ = run("two.ipynb", "out", "--app", "second", "--json")
    assert code == 0
    said = json.loads(out)
    assert set(said["written"]["created"]) == set(said["files"])
    text = (tmp_path / "out" / "src" / "two" / "application.py").read_text()
    assert "def second" in text
    assert "def first" not in text
    assert "RATE" not in text


def test_again_it_changes_nothing_and_an_edit_is_kept_until_it_is_forced(tmp_path: Path) -> None:
    words = ("two.ipynb", "out", "--target", "tensorlake")
    assert run(*words)[0] == 0
    assert "unchanged" in run(*words)[1]
    (tmp_path / "out" / "two.py").write_text("# mine\n")
    assert "left as it was edited: two.py" in run(*words)[1]
    code, _, err = run(*words, "--app", "first")
    assert code == 2
    assert "--force" in err
    assert (tmp_path / "out" / "two.py").read_text() == "# mine\n"
    assert run(*words, "--app", "first", "--force")[0] == 0
    assert "def first" in (tmp_path / "out" / "two.py").read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("none.ipynb", "out"), "none.ipynb does not exist"),
        (("two.ipynb", "out", "--target", "moon"), "there are server, tensorlake"),
        (("two.ipynb", "out", "--bundle", "RATE"), "RATE=FILE"),
        (("two.ipynb", "out", "--bundle", "RATE=none.json"), "cannot be read"),
        (("two.ipynb", "out", "--bundle", "1"), "takes a name"),
    ],
)
def test_a_mistake_is_one_sentence_with_exit_code_2(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    code, _, err = run(*words)
    assert code == 2
    assert says in err
    assert not (tmp_path / "out").exists()


def test_a_value_goes_in_from_a_json_file(tmp_path: Path) -> None:
    (tmp_path / "rate.json").write_text("5")
    code, _, err = run("two.ipynb", "out", "--app", "first", "--bundle", "RATE=rate.json")
    assert code == 0, err
    assert [json.loads(each.read_text()) for each in (tmp_path / "out").rglob("RATE.json")] == [5]
