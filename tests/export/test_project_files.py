"""What a project looks like before anything of it is written."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_durable.errors import ExportError
from jupyter_durable.export import project
from jupyter_durable.export.project import Plan, plan, write
from jupyter_durable.export.selection import (
    DataFile,
    EnvironmentKey,
    LocalModule,
    Piece,
    Root,
    Section,
    Selection,
)
from jupyter_durable.export.writing import tidy
from jupyter_durable.export.writing.naming import package_name
from tests.export.selections import brief_selection


@pytest.fixture(scope="module")
def planned() -> Plan:
    return plan(brief_selection(), "server")


def text(planned: Plan, path: str) -> str:
    return planned[path].decode()


def test_a_project_has_what_a_person_would_put_into_it(planned: Plan) -> None:
    assert set(planned) == {
        ".dockerignore", ".env.example", ".gitignore", "Dockerfile", "README.md", "pyproject.toml",
        "requirements.lock", "src/brief_of_documents/__init__.py", "src/brief_of_documents/__main__.py",
        "src/brief_of_documents/application.py", "tests/test_smoke.py",
    }  # fmt: skip
    assert text(planned, "src/brief_of_documents/__main__.py").count("\n") <= 12


def test_the_module_reads_as_the_notebook_did(planned: Plan) -> None:
    """The first markdown cell is its docstring, the others are comments; imports come first, comments stay."""
    module = text(planned, "src/brief_of_documents/application.py")
    tree = ast.parse(module)
    assert ast.get_docstring(tree) == "Briefs.\n\nHow long our documents are, and *why*."
    assert "# What a document is\n" in module
    assert "# How much of it is read.\n@function()\ndef load" in module
    kinds = ["import" if isinstance(each, ast.Import | ast.ImportFrom) else "other" for each in tree.body[1:]]
    assert kinds == sorted(kinds)


def test_the_text_of_each_function_is_that_of_the_notebook(planned: Plan) -> None:
    """Else its code hash would be another one, and every call of the notebook would be marked."""
    module = ast.parse(text(planned, "src/brief_of_documents/application.py"))
    there = {ast.dump(node) for node in module.body}
    for piece in brief_selection().pieces:
        if isinstance(piece, Piece) and piece.kind == "definition":
            assert ast.dump(ast.parse(piece.text).body[0]) in there


def test_the_files_are_as_ruff_would_have_them(planned: Plan, tmp_path: Path) -> None:
    write(planned, tmp_path / "project")
    for words in (["check"], ["format", "--check"]):
        command = [str(tidy.ruff()), *words, "--isolated", "--no-cache", "."]
        done = subprocess.run(command, cwd=tmp_path / "project", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_without_ruff_the_text_is_tidy_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports first, two empty lines around definitions, no spaces at ends: what ruff would have changed is little."""
    with_ruff = plan(brief_selection(), "server")
    monkeypatch.setattr(tidy, "ruff", lambda: None)
    without = plan(brief_selection(), "server")
    assert set(with_ruff) == set(without)
    module = text(without, "src/brief_of_documents/application.py")
    assert not re.search(r"[ \t]$|\n{4}|\S\n\n\n\n", module, re.MULTILINE)
    assert "\n\n\n@function()\ndef size" in module


def test_pyproject_needs_the_library_without_the_notebook(planned: Plan) -> None:
    said = tomllib.loads(text(planned, "pyproject.toml"))
    (ours,) = [each for each in said["project"]["dependencies"] if each.startswith("jupyter-durable")]
    assert ours == f"jupyter-durable[server]>={importlib.metadata.version('jupyter-durable')}"
    locked = {line.partition("==")[0].lower() for line in text(planned, "requirements.lock").splitlines()}
    assert {"jupyter-durable", "fastapi", "uvicorn", "pydantic"} <= locked
    assert locked.isdisjoint({"ipykernel", "ipython", "jupyterlab", "ipywidgets", "pytest"})


def test_the_lock_holds_the_versions_that_are_installed(planned: Plan) -> None:
    pins = [line for line in text(planned, "requirements.lock").splitlines() if not line.startswith("#")]
    assert pins
    for pin in pins:
        name, _, version = pin.partition("==")
        assert importlib.metadata.version(name) == version


def imports(*lines: str, **more: Any) -> Selection:
    """The usual selection, with more imports."""
    usual = brief_selection(**more)
    pieces = [Piece(2, "import", line, (line.split()[-1],)) for line in lines]
    tops = sorted({re.split(r"[ .]", line)[1] for line in lines})
    return replace(usual, pieces=[*pieces, *usual.pieces], imports=tops)


def needed(selection: Selection) -> dict[str, str]:
    """Requirements of the project by their name."""
    found = tomllib.loads(text(plan(selection, "server"), "pyproject.toml"))["project"]["dependencies"]
    return {re.split(r"[\[<>=!~ ]", each)[0]: each for each in found}


@pytest.mark.full
def test_a_distribution_is_that_whose_record_holds_the_module() -> None:
    found = needed(imports("import yaml", "from sklearn.linear_model import Ridge"))
    assert found["scikit-learn"] == f"scikit-learn>={importlib.metadata.version('scikit-learn')}"
    assert "PyYAML" in found
    assert "sklearn" not in found


def installed(folder: Path, name: str, files: dict[str, str], requires: str = "") -> None:
    """A distribution in a folder of the path, as an installer leaves it."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    info.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}")
    info.joinpath("RECORD").write_text("".join(f"{path},,\n" for path in files))
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the path, empty."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def test_a_folder_that_several_distributions_fill_is_that_of_the_module(site: Path) -> None:
    """`packages_distributions` names all of them, and the first one is wrong (`langgraph-prebuilt`)."""
    installed(site, "aaa-prebuilt", {"agraph/prebuilt/__init__.py": ""})
    installed(site, "agraph", {"agraph/graph/__init__.py": "", "agraph/version.py": ""})
    found = needed(imports("from agraph.graph import Graph"))
    assert found["agraph"] == "agraph>=1.0"
    assert "aaa-prebuilt" not in found
    both = needed(imports("from agraph.graph import Graph", "from agraph.prebuilt import Agent"))
    assert {"agraph", "aaa-prebuilt"} <= both.keys()


@pytest.mark.full
def test_what_the_notebook_asked_for_is_kept_as_it_was_written(site: Path) -> None:
    installed(site, "alpha", {"alpha.py": ""})
    installed(site, "beta-driver", {"beta_driver/__init__.py": ""})
    wanted = ["alpha>=0.5,<2", "beta-driver[fast]", "jupyter-durable[notebook]", "-r more.txt"]
    planned = plan(imports("import alpha", requirements=wanted), "server")
    needs = tomllib.loads(text(planned, "pyproject.toml"))["project"]["dependencies"]
    assert {"alpha>=0.5,<2", "beta-driver[fast]>=1.0"} < set(needs)
    assert not any("notebook" in each for each in needs)
    assert any("'-r more.txt'" in note for note in planned.notes)
    assert {"alpha==1.0", "beta-driver==1.0"} < set(text(planned, "requirements.lock").splitlines())


@pytest.mark.full
def test_a_marker_that_does_not_hold_here_brings_nothing(site: Path) -> None:
    needs = 'Requires-Dist: never-anywhere; sys_platform == "plan9"\nRequires-Dist: only-extra; extra == "more"\n'
    installed(site, "alpha", {"alpha.py": ""}, needs)
    locked = text(plan(imports("import alpha"), "server"), "requirements.lock")
    assert "alpha==1.0" in locked
    assert "never-anywhere" not in locked
    assert "only-extra" not in locked


@pytest.mark.full
def test_what_is_not_installed_is_told_and_taken_by_its_name() -> None:
    planned = plan(imports("import nowhere_at_all"), "server")
    assert any("nowhere_at_all" in note for note in planned.notes)
    assert "nowhere-at-all" in needed(imports("import nowhere_at_all"))


def test_local_modules_become_modules_of_the_package(tmp_path: Path) -> None:
    """`import helpers`, `from helpers.text import clean` and their like come from the package."""
    selection = imports("import helpers", "from helpers.text import clean", "import helpers.text as ht")
    modules = (
        LocalModule("helpers", True, "from . import text\n\nimport other\n"),
        LocalModule(
            "helpers.text", False, "from other import ONE\n\n\ndef clean(word):\n    return word.strip() * ONE\n"
        ),
        LocalModule("other", False, "ONE = 1\n"),
    )
    planned = plan(replace(selection, modules=modules, imports=()), "server", "made")
    module = text(planned, "src/made/application.py")
    assert "from made import helpers" in module
    assert "from made.helpers.text import clean" in module
    assert "from made.helpers import text as ht" in module
    assert "from made.other import ONE" in text(planned, "src/made/helpers/text.py")
    assert "from made import other" in text(planned, "src/made/helpers/__init__.py")
    write(planned, tmp_path / "project")
    command = [
        sys.executable,
        "-c",
        "from made import application as a; print(a.clean(' x '), a.helpers.text.ONE, a.ht.ONE)",
    ]
    done = subprocess.run(command, cwd=tmp_path / "project" / "src", capture_output=True, text=True, check=False)
    assert done.stdout == "x 1 1\n", done.stderr


def test_files_and_bundled_values_are_found_wherever_the_package_lies(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "words.txt").write_text("one two")
    usual = brief_selection(files=(DataFile(Path("data/words.txt"), 3),), bundled={"WEIGHTS": b'{"a": [1, 2]}'})
    read = Piece(3, "statement", 'WORDS = open("data/words.txt").read().split()', ("WORDS",))
    planned = plan(replace(usual, pieces=[*usual.pieces, read]), "server", "made", directory=tmp_path)
    assert planned["src/made/data/words.txt"] == b"one two"
    write(planned, tmp_path / "project")
    program = "from made.application import WORDS, WEIGHTS; print(WORDS, WEIGHTS)"
    environment = {"PYTHONPATH": f"{tmp_path / 'project' / 'src'}:{project.__file__.partition('/jupyter_durable/')[0]}"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd="/", env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "['one', 'two'] {'a': [1, 2]}\n", done.stderr


def test_an_import_stays_behind_what_it_depends_on() -> None:
    """An environment variable that a library reads as it is imported is set before, as in the notebook."""
    usual = brief_selection()
    early = [
        Piece(1, "import", "import os", ("os",)),
        Piece(1, "statement", 'os.environ["THREADS"] = "1"', (), ("os",)),
        Piece(1, "import", "import json", ("json",)),
    ]
    module = text(
        plan(replace(usual, pieces=[*early, *usual.pieces]), "server"), "src/brief_of_documents/application.py"
    )
    assert module.index("environ[") < module.index("import json")


def test_an_import_that_binds_a_name_anew_stays_where_it_is() -> None:
    usual = brief_selection()
    late = [Piece(9, "constant", "dumps = None", ("dumps",)), Piece(9, "import", "from json import dumps", ("dumps",))]
    module = text(
        plan(replace(usual, pieces=[*usual.pieces, *late]), "server"), "src/brief_of_documents/application.py"
    )
    assert module.index("dumps = None") < module.index("from json import dumps")


def test_environment_variables_are_named_and_never_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_KEY", "correct-horse-battery")
    keys = (EnvironmentKey("MODEL_KEY", 2), EnvironmentKey("REGION", 3, has_default=True))
    planned = plan(brief_selection(environment=keys), "server")
    assert "# Needed.\nMODEL_KEY=\n" in text(planned, ".env.example")
    assert "# Has a default in the code.\nREGION=\n" in text(planned, ".env.example")
    assert "`MODEL_KEY`" in text(planned, "README.md")
    assert all(b"correct-horse" not in data for data in planned.values())


@pytest.mark.parametrize(
    ("notebook", "given", "package"),
    [
        ("Über Analyse (2)", None, "uber_analyse_2"),
        ("2026 report", None, "notebook_2026_report"),
        ("日本", None, "notebook"),
        ("json", None, "json_app"),
        ("class", None, "class_app"),
        ("x", "my-app", "my_app"),
    ],
)
def test_a_package_has_a_name_that_hides_nothing(notebook: str, given: str | None, package: str) -> None:
    assert package_name(notebook, given, ()) == package


@pytest.mark.parametrize("given", ["json", "1st", "a b", "class", "../up", ""])
def test_a_name_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(ExportError, match="name"):
        package_name("Brief", given, ())


def test_an_unknown_target_names_those_there_are() -> None:
    with pytest.raises(ExportError, match=r"'lambda'.*server"):
        plan(brief_selection(), "lambda")


def test_text_of_the_notebook_cannot_leave_its_place() -> None:
    """Quotes, backslashes and template marks in headings and descriptions are text, nothing more."""
    nasty = 'A """quoted""" title \\N{x} $package ${module}\n\nends with "'
    pieces: list[Piece | Section] = [
        Section(1, nasty),
        *(each for each in brief_selection().pieces if isinstance(each, Piece)),
    ]
    root = Root("brief", "brief", True, False, 'says $HOME and """x"""')
    planned = plan(replace(brief_selection('no"te\\b$ook'), pieces=pieces, roots=(root,)), "server")
    for path, data in planned.items():
        if path.endswith(".py"):
            compile(data, path, "exec")
    tomllib.loads(text(planned, "pyproject.toml"))
    assert "says $HOME" in text(planned, "README.md")


def test_the_dockerfile_installs_the_lock_and_serves(planned: Plan) -> None:
    steps = instructions(text(planned, "Dockerfile"))
    words = [word for word, _ in steps]
    assert words[0] == "FROM"
    assert words[-1] == "CMD"
    copied = {each for word, rest in steps if word == "COPY" for each in rest.split()[:-1]}
    assert copied <= {path.partition("/")[0] for path in planned}
    kept = text(planned, ".dockerignore").splitlines()
    assert all(f"!{each}" in kept for each in copied)
    assert json.loads(steps[-1][1])[:4] == ["python", "-m", "brief_of_documents", "serve"]
    assert dict(steps)["USER"] == "durable"


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Instructions and what they say. Fails for a line that is none."""
    found = []
    for line in dockerfile.replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            assert word in {"FROM", "WORKDIR", "COPY", "RUN", "USER", "ENV", "VOLUME", "EXPOSE", "CMD"}, line
            assert rest.strip(), line
            found.append((word, rest.strip()))
    return found
