"""The target `tensorlake`: what it writes is accepted by the package of that name, and gives what it gives here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_durable.errors import ExportError
from jupyter_durable.export.selection import DataFile, EnvironmentKey, LocalModule, Piece, Root, Section, Selection
from jupyter_durable.export.targets.tensorlake import Directory, directory
from jupyter_durable.export.writing.tidy import tidied
from tests.export.theirs import accepted, needs_tensorlake

HEAD = "from jupyter_durable import RequestContext, Retries, application, cls, function"
ROOT = Root("sums", "sums", True, description="Adds squares.")
SUMS: list[Piece | Section] = [
    Piece(1, "import", HEAD, ("RequestContext", "Retries", "application", "cls", "function")),
    Section(2, "# Squares\n\nA few of them."),
    Piece(3, "import", "from words import shout"),
    Section(4, "## What is counted"),
    Piece(5, "constant", "# more would take too long\nMOST = 5", ("MOST",)),
    Piece(
        6, "definition",
        "@function(description='One square.', retries=2, timeout=1.5, cpu=2, max_concurrency=3, executor='thread')\n"
        "def square(n: int) -> int:\n    return n * n  # exact",
        ("square",),
    ),
    Piece(
        7, "definition",
        "@cls()\nclass Adder:\n    def __init__(self):\n        self.zero = 0\n\n    @function()\n"
        "    def add(self, numbers: list) -> int:\n        return sum(numbers, self.zero)",
        ("Adder",),
    ),
    Piece(
        8, "definition",
        "@application(tags={'team': 'blue'}, retries=Retries(max_retries=1, initial_delay=2))\n@function()\n"
        "def sums(upto: int) -> dict[str, str]:\n    found = {}\n"
        "    for n in RequestContext.get().progress.track(range(min(upto, MOST))):\n"
        "        found[shout(str(n))] = str(Adder().add(square.map(range(n), max_concurrency=2)))\n    return found",
        ("sums",),
    ),
]  # fmt: skip
WORDS = LocalModule("words", False, '"""Words."""\n\ndef shout(text):\n    return text + "!"\n')


def selected(*pieces: Piece | Section, **given: Any) -> Selection:
    return Selection("squares", [ROOT], pieces, **given)


def piece(text: str) -> Selection:
    """An application, and in front of it what is tested."""
    application = "@application()\n@function()\ndef sums(upto: int) -> int:\n    return upto"
    return selected(
        Piece(1, "import", HEAD.replace(" RequestContext", " now, RequestContext")),
        Piece(2, "definition", text),
        Piece(3, "definition", application),
    )


def written(made: Directory, folder: Path) -> Path:
    """The files on disk, formatted; the path of the one that is deployed."""
    python = {name: text for name, text in made.files.items() if name.endswith(".py") and isinstance(text, str)}
    for name, text in {**made.files, **tidied(python, "squares", "3.11")}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    return folder / "squares.py"


def code(text: str) -> str:
    """The module that a definition becomes."""
    found = directory(piece(text), "squares", []).files["squares.py"]
    assert isinstance(found, str)
    return found


def here(selection: Selection, folder: Path, calls: list[tuple[str, dict[str, Any]]]) -> list[Any]:
    """What the pieces give with our package."""
    source = "\n".join(each.text for each in selection.pieces if isinstance(each, Piece))
    run = "import json\nfrom jupyter_durable import run_local_application\n"
    run += f"print(json.dumps([run_local_application(globals()[n], **g).output() for n, g in {calls!r}]))\n"
    for module in selection.modules:
        (folder / f"{module.dotted}.py").write_text(module.source)
    (folder / "ours.py").write_text(f"{source}\n{run}")
    done = subprocess.run(
        [sys.executable, str(folder / "ours.py")], capture_output=True, text=True, check=False, cwd=folder,
        env={**os.environ, "JUPYTER_DURABLE_STORE": "memory:", "JUPYTER_DATA_DIR": str(folder / "data")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@needs_tensorlake
def test_the_package_accepts_it_and_runs_it_with_the_same_output_as_ours(tmp_path: Path) -> None:
    selection = selected(*SUMS, modules=[WORDS], files=[DataFile(Path("data/a.csv"), 3)])
    path = written(directory(selection, "squares", ["numpy==2.0.0", "httpx==0.28.1"]), tmp_path / "theirs")
    calls: list[tuple[str, dict[str, Any]]] = [("sums", {"upto": 4}), ("sums", {"upto": 9})]
    seen = accepted(path, calls)
    assert seen.errors == []
    assert seen.zipped == [".tensorlake_code_manifest.json", "squares.py", "words.py"]
    functions = seen.manifests["sums"]["functions"]
    assert set(functions) == {"sums", "square", "Adder.add"}
    square = functions["square"]
    assert (square["timeout_sec"], square["retry_policy"]["max_retries"], square["max_containers"]) == (2, 2, 3)
    assert square["resources"]["cpus"] == 2
    assert seen.manifests["sums"]["tags"] == {"team": "blue"}
    assert functions["Adder.add"]["retry_policy"]["max_retries"] == 1
    [dockerfile] = seen.dockerfiles
    assert "RUN pip install numpy==2.0.0 httpx==0.28.1" in dockerfile
    assert "COPY data/a.csv /app/data/a.csv" in dockerfile
    (tmp_path / "ours").mkdir()
    assert seen.outputs == here(selection, tmp_path / "ours", calls)
    assert seen.outputs[0] == {"0!": "0", "1!": "0", "2!": "1", "3!": "5"}


@needs_tensorlake
def test_a_local_module_that_has_durable_functions_runs_on_the_same_image(tmp_path: Path) -> None:
    source = (
        '"""Parts."""\n\nimport jupyter_durable as jd\n\n\n@jd.function()\ndef part(n: int) -> int:\n    return n + 1\n'
    )
    selection = selected(
        Piece(1, "import", "import jupyter_durable as durable"),
        Piece(2, "import", "from parts import part"),
        Piece(3, "definition", "@durable.application()\ndef sums(upto: int) -> int:\n    return part(upto)"),
        modules=[LocalModule("parts", False, source)],
    )
    path = written(directory(selection, "squares", ["httpx==0.28.1"]), tmp_path)
    seen = accepted(path, [("sums", {"upto": 1})])
    assert seen.errors == []
    assert seen.outputs == [2]
    assert seen.zipped == [".tensorlake_code_manifest.json", "durable_image.py", "parts.py", "squares.py"]
    assert len(seen.dockerfiles) == 1


def test_it_reads_as_a_person_writes_it_and_passes_ruff(tmp_path: Path) -> None:
    """The title is the docstring, headings are comments, comments stay; nothing is imported that is not used."""
    packages = [f"package-{n}==1.{n}.0" for n in range(12)]
    path = written(directory(selected(*SUMS, modules=[WORDS]), "squares", packages), tmp_path)
    text = path.read_text()
    assert text.startswith('"""Squares.\n\nA few of them.\n"""\n')
    assert "\n# What is counted\n\n# more would take too long\nMOST = 5\n" in text
    assert "    return n * n  # exact\n" in text
    assert "jupyter_durable" not in text
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check", "--select", "F,W,I"], ["format", "--diff"]):
        line = [*ruff, *command, "--isolated", path.name]
        done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("text", "kept", "note"),
    [
        ("@function(durable=False)", "@function(image=image)", "durable=False is left out"),
        ("@function(executor='thread')", "@function(image=image)", "executor='thread' is left out"),
        ("@function(retries=Retries(2, jitter=False))", "retries=Retries(max_retries=2)", "jitter=False is left out"),
        ("@function(retries=Retries(2, retry_on=OSError))", "retries=Retries(max_retries=2)", "retry_on=OSError is"),
        ("@function(max_concurrency=2)", "max_containers=2", "max_concurrency=2 is max_containers=2"),
        ("@function(timeout=0.5 )", "", ""),
        ("@function(timeout=61.5)", "timeout=62", "timeout=61.5 is 62"),
        ("@function('says')", "description='says'", ""),
    ],
)
def test_what_it_has_is_written_out_and_what_it_has_not_is_left_out_with_a_note(
    text: str, kept: str, note: str
) -> None:
    made = directory(piece(f"{text}\ndef part(n: int) -> int:\n    return n"), "squares", [])
    assert kept in str(made.files["squares.py"])
    notes = [f"{each.what}: {each.why}" for each in made.notes]
    assert [each for each in notes if note in each] if note else True
    assert all(each.cell == 2 and each.kept for each in made.notes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("@function(timeout=None)\ndef part(): pass", "give it a limit"),
        ("@function(timeout=100_000)\ndef part(): pass", "86400 s at most"),
        ("@function(**OPTIONS)\ndef part(): pass", "write them out"),
        ("@application(input_deserializer='pickle')\n@function()\ndef part(): pass", "type hints that JSON has"),
        ("@application()\n@function()\ndef part(*, n): pass", "given by name"),
        ("@function()\ndef part():\n    return now()", "time.time()"),
        ("@function()\ndef part():\n    return RequestContext.get().attempt", "as an argument"),
        ("@function()\ndef part():\n    c = RequestContext.get()\n    return c.idempotency_key", "as an argument"),
        ("@function()\ndef part(n):\n    return part.map(n, return_exceptions=True)", "as a value"),
        ("@function()\ndef part(n):\n    return part.local(n)", "plain function"),
        ("@function()\ndef part(n):\n    try:\n        part(n)\n    except ValueError:\n        pass", "FunctionError"),
        ("@cls()\nclass Part:\n    def __init__(self, n): pass", "nothing but self"),
        ("def part():\n    @function()\n    def inner(): pass", "in the module"),
        ("@function()\ndef image(): pass", "another name"),
    ],
)
def test_what_would_do_something_else_there_is_refused_with_the_way_out(text: str, says: str) -> None:
    names = ("image",) if "image" in text else ()
    selection = piece(text)
    pieces = [Piece(2, "definition", text, names) if each.cell == 2 else each for each in selection.pieces]
    with pytest.raises(ExportError, match=says.replace("(", r"\(").replace(")", r"\)")) as refused:
        directory(selected(*pieces), "squares", [])
    assert "cell 2" in str(refused.value) or "@" in str(refused.value)


def test_an_error_that_it_has_too_may_be_caught() -> None:
    body = "    try:\n        part(n)\n    except (Exception, FunctionError):\n        pass"
    text = f"from jupyter_durable import FunctionError\n@function()\ndef part(n):\n{body}"
    assert "except (Exception, FunctionError)" in code(text)


def test_names_that_it_calls_otherwise_are_imported_under_ours() -> None:
    text = "from jupyter_durable import DurableError\n@function()\ndef part(n):\n    raise DurableError('no')"
    assert "    TensorlakeError as DurableError,\n" in code(text)


def test_the_older_name_of_future_is_written_as_the_newer_one() -> None:
    assert "part.future(n).run()" in code("@function()\ndef part(n):\n    return part.awaitable(n).run()")


def test_environment_variables_are_named_without_values() -> None:
    made = directory(selected(*SUMS, environment=[EnvironmentKey("API_KEY", 2)]), "squares", [])
    assert made.files[".env.example"] == "API_KEY=\n"
    assert "`API_KEY`" in str(made.files["README.md"])


def test_without_an_application_there_is_nothing_to_deploy() -> None:
    with pytest.raises(ExportError, match="none is chosen"):
        directory(Selection("n", [Root("f", "f", False)], SUMS), "n", [])


def test_values_that_were_asked_to_go_in_are_in_the_code(tmp_path: Path) -> None:
    made = directory(selected(*SUMS, modules=[WORDS], bundled={"WEIGHTS": b'{"a": [1, "\\u00e9"]}'}), "squares", [])
    line = next(line for line in str(made.files["squares.py"]).splitlines() if line.startswith("WEIGHTS"))
    namespace: dict[str, Any] = {"json": json}
    exec(line, namespace)
    assert namespace["WEIGHTS"] == {"a": [1, "é"]}
