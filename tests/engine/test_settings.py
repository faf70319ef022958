"""Settings: where each comes from, which source wins, and what is said of a wrong one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import jupyter_durable as jd
from jupyter_durable import SDKUsageError, StoreError, configure
from jupyter_durable.client.settings import Settings, load
from jupyter_durable.store.location import default_url
from jupyter_durable.testing import Bench, memory_store

PYPROJECT = """
[tool.jupyter-durable]
store = "memory:"
max-concurrency = 4
default_timeout = 60
"""


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    assert settings == Settings(store=default_url())
    assert (settings.executor, settings.default_timeout, settings.display, settings.inputs) == (
        None,
        None,
        "auto",
        65_536,
    )
    assert settings.store.startswith("sqlite:///")
    assert "(default)" in repr(settings)


def test_pyproject_is_found_above_and_the_environment_wins_over_it(tmp_path: Path) -> None:
    """Keys with hyphens or underscores; every key says where it came from."""
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    below = tmp_path / "notebooks" / "deep"
    below.mkdir(parents=True)
    environment = {"JUPYTER_DURABLE_MAX_CONCURRENCY": "2", "JUPYTER_DURABLE_INPUTS": "1KiB", "OTHER": "x"}
    settings = load(environment, below)
    assert (settings.store, settings.max_concurrency, settings.default_timeout, settings.inputs) == (
        "memory:",
        2,
        60,
        1024,
    )
    assert settings.sources == {
        "store": str(tmp_path / "pyproject.toml"),
        "default_timeout": str(tmp_path / "pyproject.toml"),
        "max_concurrency": "JUPYTER_DURABLE_MAX_CONCURRENCY",
        "inputs": "JUPYTER_DURABLE_INPUTS",
    }
    assert f"max_concurrency = 2  (JUPYTER_DURABLE_MAX_CONCURRENCY)\ndefault_timeout = 60.0  ({tmp_path}" in repr(
        settings
    )


def test_only_the_nearest_pyproject_counts_and_one_without_the_table_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "pyproject.toml").write_text("[project]\nname = 'own'\n")
    assert load({}, tmp_path / "own").sources == {}


@pytest.mark.parametrize("variable", ["INPUTS=much", "STORES=memory:", "EXECUTOR=ray", "DEFAULT_TIMEOUT=0"])
def test_a_wrong_variable_is_named(tmp_path: Path, variable: str) -> None:
    name, _, value = f"JUPYTER_DURABLE_{variable}".partition("=")
    with pytest.raises(SDKUsageError, match=f"^{name}: "):
        load({name: value}, tmp_path)


SPELLINGS = (
    "[tool.jupyter-durable]\ninputs = 7",
    "[ tool . jupyter-durable ]\ninputs = 7",
    "[tool.'jupyter-durable']\ninputs = 7",
    '["tool"."jupyter-durable"]\ninputs = 7',
    "['tool'\t.\t'jupyter-durable']\ninputs = 7",
    "[tool]\njupyter-durable = {inputs = 7}",
    "[tool]\njupyter-durable.inputs = 7",
    "[tool]\n[tool.jupyter-durable]\ninputs = 7",
    "tool.jupyter-durable.inputs = 7",
    "tool.jupyter-durable = {inputs = 7}",
    "tool = {jupyter-durable = {inputs = 7}}",
    "tool = { 'jupyter-durable' = {inputs = 7}}",
    '"tool" = {jupyter-durable.inputs = 7}',
    '["t\\u006fol".jupyter-durable]\ninputs = 7',
    '[tool."jupyter\\u002ddurable"]\ninputs = 7',
    '["\\U00000074ool".jupyter-durable]\ninputs = 7',
)


@pytest.mark.parametrize("text", SPELLINGS)
def test_the_table_is_found_in_every_spelling_of_toml(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert load({}, tmp_path).inputs == 7


def test_a_wrong_key_of_pyproject_is_named_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.jupyter-durable]\ncolour = 'red'\n")
    with pytest.raises(SDKUsageError, match=r"pyproject\.toml: unknown setting 'colour'; known are default_timeout, "):
        load({}, tmp_path)


@pytest.fixture
def bench() -> Any:
    with memory_store() as made:
        yield made


def test_configure_changes_the_keys_given_and_says_what_holds(bench: Bench) -> None:
    before = configure()
    after = configure(inputs="1MiB", default_timeout=5)
    assert (after.inputs, after.default_timeout, after.store) == (1024**2, 5.0, before.store)
    assert after.sources == {"inputs": "configure()", "default_timeout": "configure()"}
    assert configure() == configure(default_timeout=5) == after


@pytest.mark.parametrize(
    "wrong",
    [{"inputs": "x"}, {"max_concurrency": 0}, {"display": "3d"}, {"executor": "ray"}, {"nope": 1}, {"store": 3}],
)
def test_a_wrong_value_changes_nothing(bench: Bench, wrong: dict[str, Any]) -> None:
    before = configure()
    with pytest.raises(SDKUsageError):
        configure(default_timeout=7, **wrong)
    assert configure() == before


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:1/db", "https://host", "s3://bucket", "store.db"])
def test_a_store_that_cannot_be_opened_changes_nothing(bench: Bench, url: str) -> None:
    before = configure()
    with pytest.raises((SDKUsageError, StoreError), match=r"or memory:|whether the database is up|no token for"):
        configure(store=url)
    assert configure() == before


def test_the_same_store_again_keeps_what_is_in_it(bench: Bench) -> None:
    @jd.application()
    @jd.function()
    def kept() -> int:
        return 1

    request = jd.run_local_application(kept)
    configure(store=configure().store)
    assert jd.get_request("last").id == request.id


def test_an_import_never_fails_for_a_wrong_setting(tmp_path: Path) -> None:
    """It is said when something is first asked for."""
    code = "import jupyter_durable as jd\nprint('imported')\njd.list_requests()"
    environment = {**os.environ, "JUPYTER_DURABLE_DISPLAY": "3d"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "imported\n"
    assert "JUPYTER_DURABLE_DISPLAY: display must be one of auto, mime, html, text, widget, not '3d'" in done.stderr
