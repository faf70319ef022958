"""An export installed as its README and its Dockerfile say, into an environment that has nothing of this one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from jupyter_durable.client import Engine
from jupyter_durable.client.settings import Settings
from jupyter_durable.export.notebook import read_notebook
from jupyter_durable.export.project import plan, write
from jupyter_durable.export.recording import recordings
from jupyter_durable.export.slice import select
from tests.conftest import ROOT
from tests.export.conftest import Notebook
from tests.export.exported import Exported, Serving, until
from tests.export.selections import as_script, brief_selection
from tests.export.test_project_files import instructions
from tests.export.test_project_runs import LEFT

pytestmark = pytest.mark.full
SYSTEM = ("useradd", "mkdir", "chown")
"""Programs of the image's system, which are not run here."""


def notebook_in(folder: Path) -> Notebook:
    """The notebook of the export, in a folder."""
    script = folder / "notebook.py"
    script.write_text(as_script(brief_selection()))
    return Notebook(script, f"sqlite:///{folder / 'store.db'}", folder / "executions")


class Image:
    """What the Dockerfile makes, in a folder: its steps are executed in a fresh environment."""

    def __init__(self, project: Path, folder: Path, wheels: Path) -> None:
        self.project = project
        self.work = folder / "app"
        self.data = folder / "data"
        self.venv = folder / "venv"
        self.work.mkdir()
        subprocess.run([sys.executable, "-m", "venv", str(self.venv)], check=True)
        outside = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        self.environment = {
            **outside,
            "PATH": f"{self.venv / 'bin'}:/usr/bin:/bin",
            "PIP_FIND_LINKS": str(wheels),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        self.command: list[str] = []

    @property
    def python(self) -> str:
        return str(self.venv / "bin" / "python")

    def build(self) -> None:
        """Execute the steps."""
        for word, rest in instructions((self.project / "Dockerfile").read_text()):
            if word == "COPY":
                self._copy(*rest.split())
            elif word == "RUN" and not rest.startswith(SYSTEM):
                self.run("sh", "-c", rest)
            elif word == "ENV":
                name, _, value = rest.partition("=")
                self.environment[name] = value.replace("/data", str(self.data))
            elif word == "CMD":
                self.command = json.loads(rest)

    def _copy(self, *words: str) -> None:
        allowed = (self.project / ".dockerignore").read_text().splitlines()
        *sources, target = words
        for source in sources:
            assert f"!{source}" in allowed
            to = self.work / target
            if (self.project / source).is_dir():
                shutil.copytree(self.project / source, to, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(self.project / source, to)

    def run(self, *words: str) -> str:
        """Run a program in it; what it printed."""
        done = subprocess.run(
            words, cwd=self.work, env=self.environment, capture_output=True, text=True, check=False, timeout=900
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel of the working tree: the library is on no index."""
    folder = tmp_path_factory.mktemp("wheels")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Image:
    """The export of the notebook with a request that succeeded in it, built."""
    folder = tmp_path_factory.mktemp("image")
    notebook = notebook_in(folder)
    notebook.run(3)
    engine = Engine(Settings(store=notebook.store))
    recorded = recordings(engine, ["last"])
    engine.store.close()
    write(plan(brief_selection(), "server", "briefs", recorded=recorded), folder / "project")
    made = Image(folder / "project", folder, wheels)
    made.build()
    return made


def test_the_steps_of_the_dockerfile_make_an_environment_that_holds_together(image: Image) -> None:
    assert "No broken requirements" in image.run(image.python, "-m", "pip", "check")
    installed = image.run(image.python, "-m", "pip", "list", "--format", "freeze").lower()
    assert "briefs==0.1.0" in installed
    assert "ipykernel" not in installed
    assert "ipython" not in installed
    pins = {
        line.lower()
        for line in (image.project / "requirements.lock").read_text().splitlines()
        if not line.startswith("#")
    }
    assert pins <= set(installed.split())


def test_the_tests_of_the_export_pass_there(image: Image) -> None:
    image.run(image.python, "-m", "pip", "install", "-q", "pytest")
    command = [image.python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=image.project, env=image.environment, capture_output=True, text=True, check=False
    )
    assert "3 passed" in done.stdout, done.stdout


def test_what_the_notebook_began_is_finished_by_the_installed_package(image: Image, tmp_path: Path) -> None:
    """Also where its package is a library as any other, in `site-packages`: four executions, and nothing is marked."""
    notebook = notebook_in(tmp_path)
    notebook.run(5, die_at="load 3")
    notebook.log.unlink()
    exported = installed(image, tmp_path)
    done = exported.json("replay", "--store", notebook.store)
    assert exported.executions == LEFT
    assert (done["counts"]["reused"], done["counts"]["code_changed"], done["counts"]["args_changed"]) == (6, 0, 0)


def installed(image: Image, folder: Path, package: str = "briefs") -> Exported:
    """Its commands, which find the package where it is installed; keys are those of the notebook's user."""
    (folder / "empty").mkdir()
    made = Exported(folder / "empty", package, image.python)
    environment = {**image.environment, "EXECUTION_LOG": str(folder / "executions")}
    environment["JUPYTER_DATA_DIR"] = os.environ["JUPYTER_DATA_DIR"]
    made.environment = environment
    return made


def test_its_command_serves(image: Image, tmp_path: Path) -> None:
    assert image.command[:4] == ["python", "-m", "briefs", "serve"]
    assert image.command[4:] == ["--host", "0.0.0.0", "--insecure-behind-proxy"]
    exported = installed(image, tmp_path)
    token = exported("token", "create", "--scope", "write", "--data", str(tmp_path / "data")).stdout.strip()
    serving = Serving(exported, tmp_path / "data", "--insecure-behind-proxy").start()
    try:
        with serving.client(token) as client:
            answer = client.post("/applications/brief", json=2, headers={"Accept": "text/event-stream"}).text
            assert "RequestFinished" in answer
    finally:
        serving.kill()


class Example(NamedTuple):
    """An example, and what is asked of it."""

    name: str
    application: str
    input: Any
    in_flight: int
    """Calls that a kill may find under way: they execute again."""


STDLIB = Path(os.__file__).parent
EXAMPLES = (
    Example("document_batch", "measure_all", [str(path) for path in sorted(STDLIB.glob("*.py"))], 64),
    Example("model_sweep", "sweep", [{"model": "forest", "value": n} for n in range(5, 13)], 1),
    Example("research_agent", "research", ["What does a yield do?", "How do I import?"], 64),
)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_each_example_is_installed_tested_served_killed_and_finished(
    example: Example, tmp_path: Path, wheels: Path
) -> None:
    """From the notebook to a server in an environment of its own, which is killed with -9 in the middle."""
    notebook = read_notebook(ROOT / "examples" / f"{example.name}.ipynb")
    write(plan(select(notebook), "server", directory=notebook.directory), tmp_path / "project")
    image = Image(tmp_path / "project", tmp_path, wheels)
    image.build()
    assert "No broken requirements" in image.run(image.python, "-m", "pip", "check")
    image.run(image.python, "-m", "pip", "install", "-q", "pytest")
    done = subprocess.run(
        [image.python, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=image.project, env=image.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    exported = installed(image, tmp_path, example.name)
    assert exported("run", "--help").stdout
    assert exported.executions == []  # an import executes nothing of what the notebook tried
    token = exported("token", "create", "--scope", "write", "--data", str(tmp_path / "served")).stdout.strip()
    serving = Serving(exported, tmp_path / "served").start()
    place = f"/applications/{example.application}"
    try:
        with serving.client(token) as client:
            id = client.post(place, json=example.input).json()["request_id"]
            until(lambda: len(exported.executions) >= 3, "it runs")
            serving.kill()
        serving.start()
        with serving.client(token) as client:
            until(lambda: client.get(f"{place}/requests/{id}").json()["finished_at"], "it has ended")
            assert client.get(f"{place}/requests/{id}").json()["status"] == "succeeded"
            assert len(client.get(f"{place}/requests/{id}/output").json()) == len(example.input)
    finally:
        serving.kill()
    executed = [line.partition("\t")[2] for line in exported.executions]
    assert len(executed) - len(set(executed)) <= example.in_flight
