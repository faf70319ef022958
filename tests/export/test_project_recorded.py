"""Requests that go along as tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_durable import ReplayError, application, context, function, run_local_application
from jupyter_durable.client import Engine
from jupyter_durable.client.settings import Settings
from jupyter_durable.errors import DeserializationError, ExportError
from jupyter_durable.export.project import plan, write
from jupyter_durable.export.recording import recording, recordings
from jupyter_durable.function import registry
from jupyter_durable.testing import Bench, memory_store
from jupyter_durable.testing.recorded import Executed, replayed
from tests.conftest import ROOT
from tests.export.conftest import Notebook
from tests.export.selections import brief_selection


@pytest.fixture
def durable() -> Iterator[Bench]:
    with memory_store() as bench:
        yield bench


MODULE = '''
"""A module of an application."""

from jupyter_durable import application, function


@function()
def double(n: int) -> int:
    return 2 * n


@function()
def large(n: int) -> bytes:
    return bytes(n)


@application()
@function()
def total(n: int) -> int:
    return sum(double(i) for i in range(n)) + len(large(2_000_000))
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The module of an application, as a file that can be edited; its package is `recorded_app`."""
    package = tmp_path / "recorded_app"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "application.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield package / "application.py"
    for name in [name for name in sys.modules if name.partition(".")[0] == "recorded_app"]:
        del sys.modules[name]


@pytest.fixture
def file(module: Path, durable: Bench) -> Path:
    """A request of it, recorded."""
    from jupyter_durable import packaged

    with packaged.entered("recorded_app.application") as entered:
        request = run_local_application(entered.total, 3)
        assert request.output() == 2_000_006
        kept = recording(durable.engine, request.id)
    path = module.with_name(f"{kept.id}.request")
    path.write_bytes(kept.data)
    return path


def test_a_recorded_request_has_the_same_output_and_executes_nothing(file: Path) -> None:
    replay = replayed(file, "recorded_app.application")
    assert (replay.output, replay.recorded_output) == (2_000_006, 2_000_006)
    assert (replay.executed, replay.reused) == ({}, 4)


def edited(module: Path, old: str, new: str) -> None:
    text = module.read_text()
    assert old in text
    module.write_text(text.replace(old, new))
    os.utime(module, (0, 0))  # what was compiled before is of another time


def test_code_that_calls_another_function_diverges(file: Path, module: Path) -> None:
    edited(module, "double(i) for", "len(large(i)) for")
    with pytest.raises(ReplayError, match="diverged"):
        replayed(file, "recorded_app.application")


def test_a_call_that_would_execute_fails(file: Path, module: Path) -> None:
    edited(module, "range(n)", "range(n + 1)")
    with pytest.raises((Executed, ReplayError)):
        replayed(file, "recorded_app.application")


@pytest.mark.full
def test_a_changed_body_shows_in_the_output(file: Path, module: Path) -> None:
    edited(module, "return sum(", "return 1 + sum(")
    replay = replayed(file, "recorded_app.application")
    assert replay.output == replay.recorded_output + 1


@pytest.mark.full
def test_a_large_value_of_a_store_on_disk_is_kept_too(module: Path, tmp_path: Path) -> None:
    """Such a store names it otherwise than one in memory."""
    from jupyter_durable import packaged
    from jupyter_durable.client import this_engine
    from jupyter_durable.client.settings import Settings as Given

    before = context.engine.get()
    engine = Engine(Given(store=f"sqlite:///{tmp_path / 'store.db'}"))
    context.engine.set(engine)
    try:
        with registry.as_it_was(), packaged.entered("recorded_app.application") as entered:
            kept = recording(this_engine(), run_local_application(entered.total, 1).id)
    finally:
        context.engine.set(before)
        engine.store.close()
    path = tmp_path / "kept.request"
    path.write_bytes(kept.data)
    assert replayed(path, "recorded_app.application").output == 2_000_000


@pytest.mark.full
def test_a_damaged_file_is_told(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[:-100])
    with pytest.raises(DeserializationError, match="damaged"):
        replayed(file, "recorded_app.application")
    file.write_bytes(b"something else")
    with pytest.raises(DeserializationError, match="no recorded request"):
        replayed(file, "recorded_app.application")


def test_nothing_of_this_machine_is_in_the_file(file: Path, durable: Bench) -> None:
    data = file.read_bytes()
    for word in (str(Path.home()), str(ROOT), os.uname().nodename, str(file.parent.parent)):
        assert word.encode() not in data


@pytest.mark.parametrize(
    ("given", "returned"),
    [
        ({"api_key": "correct-horse-battery"}, "fine"),
        ({"text": "sk-abcdefghijklmnopqrstuvwxyz123456"}, "fine"),
        ({"text": "fine"}, "ghp_abcdefghijklmnopqrstuvwxyz0123456789"),
        ({"text": "fine"}, {"password": "correct-horse-battery"}),
    ],
)
def test_a_request_with_a_credential_in_its_values_is_refused(
    durable: Bench, given: dict[str, str], returned: object
) -> None:
    @function()
    def fetched(text: str = "", api_key: str = "") -> object:
        return returned

    @application(output_serializer="pickle")
    @function()
    def app() -> int:
        fetched(**given)
        return 1

    request = run_local_application(app)
    with pytest.raises(ExportError, match=r"fetched\[0\].*credential.*environment"):
        recording(durable.engine, request.id)


def test_a_request_with_a_path_of_a_home_in_its_values_is_refused(durable: Bench) -> None:
    @application()
    @function()
    def app() -> str:
        return "/home/somebody/data.csv"

    with pytest.raises(ExportError, match="/home/somebody"):
        recording(durable.engine, run_local_application(app).id)


def test_only_a_success_of_an_application_can_be_a_test(durable: Bench) -> None:
    @application()
    @function()
    def app() -> str:
        raise ValueError("no")

    with pytest.raises(ExportError, match="is failed"):
        recordings(durable.engine, [run_local_application(app).id])


@pytest.mark.full
def test_a_request_of_the_notebook_becomes_a_test_of_the_project_that_passes(
    notebook: Notebook, tmp_path: Path
) -> None:
    """Recorded where its functions were in `__main__`; run by pytest in the project, as its user does."""
    notebook.run(3)
    engine = Engine(Settings(store=notebook.store))
    kept = recordings(engine, ["last"])
    engine.store.close()
    write(plan(brief_selection(), "server", "briefs", recorded=kept), tmp_path / "project")
    notebook.log.unlink()
    done = outcome_of_tests(tmp_path / "project", notebook.log)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
    assert not notebook.log.exists()
    module = tmp_path / "project" / "src" / "briefs" / "application.py"
    edited(module, "return sum(", "return 1 + sum(")
    assert "1 failed, 2 passed" in outcome_of_tests(tmp_path / "project", notebook.log).stdout


def outcome_of_tests(project: Path, log: Path) -> subprocess.CompletedProcess[str]:
    """Run the tests of a project."""
    environment = {**os.environ, "EXECUTION_LOG": str(log), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
