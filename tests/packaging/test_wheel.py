"""What the one wheel holds and says of itself."""

from __future__ import annotations

import email
import json
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from the working tree."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    assert built.name == "jupyter_durable-0.1.0-py3-none-any.whl"
    return zipfile.ZipFile(built)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    return email.message_from_bytes(wheel.read("jupyter_durable-0.1.0.dist-info/METADATA"))


def test_every_module_of_the_packages_is_in_it(wheel: zipfile.ZipFile) -> None:
    kernel = ROOT / "kernel"
    for base, package in (
        (ROOT, "jupyter_durable"),
        (kernel, "jupyter_durable_kernel"),
        (kernel, "jupyter_durable_server"),
    ):
        present = {path.relative_to(base).as_posix() for path in (base / package).rglob("*.py")}
        assert present
        assert present <= set(wheel.namelist())


def test_nothing_else_is_in_it(wheel: zipfile.ZipFile) -> None:
    roots = {name.split("/")[0] for name in wheel.namelist()}
    assert roots == {
        "jupyter_durable",
        "jupyter_durable_kernel",
        "jupyter_durable_server",
        "jupyter_durable-0.1.0.data",
        "jupyter_durable-0.1.0.dist-info",
    }


def test_the_templates_of_exports_are_in_it(wheel: zipfile.ZipFile) -> None:
    folder = ROOT / "jupyter_durable" / "export" / "templates"
    present = {path.relative_to(ROOT).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert "jupyter_durable/export/templates/server/Dockerfile" in present
    assert present <= set(wheel.namelist())


def test_both_packages_are_typed(wheel: zipfile.ZipFile) -> None:
    assert {"jupyter_durable/py.typed", "jupyter_durable_kernel/py.typed"} <= set(wheel.namelist())


def test_the_kernelspec_lands_where_jupyter_looks(wheel: zipfile.ZipFile) -> None:
    name = "jupyter_durable-0.1.0.data/data/share/jupyter/kernels/durable/kernel.json"
    spec = json.loads(wheel.read(name))
    assert spec["display_name"] == "Python 3 (Durable)"
    assert spec["argv"] == ["python", "-m", "jupyter_durable_kernel", "-f", "{connection_file}"]


def test_the_kernel_has_its_own_logo(wheel: zipfile.ZipFile) -> None:
    folder = "jupyter_durable-0.1.0.data/data/share/jupyter/kernels/durable"
    assert b"<script" not in wheel.read(f"{folder}/logo-svg.svg")
    for size in (32, 64):
        png = wheel.read(f"{folder}/logo-{size}x{size}.png")
        assert (png[:8], int.from_bytes(png[16:20])) == (b"\x89PNG\r\n\x1a\n", size)


def test_the_server_extension_is_enabled_where_it_is_installed(wheel: zipfile.ZipFile) -> None:
    folder = "jupyter_durable-0.1.0.data/data/etc/jupyter/jupyter_server_config.d"
    (name,) = [name for name in wheel.namelist() if name.startswith(folder)]
    assert json.loads(wheel.read(name)) == {"ServerApp": {"jpserver_extensions": {"jupyter_durable_server": True}}}


def test_the_labextension_lands_where_jupyterlab_looks(wheel: zipfile.ZipFile) -> None:
    folder = "jupyter_durable-0.1.0.data/data/share/jupyter/labextensions/jupyter-durable"
    described = json.loads(wheel.read(f"{folder}/package.json"))
    assert (described["name"], described["version"]) == ("jupyter-durable", "0.1.0")
    assert f"{folder}/{described['jupyterlab']['_build']['load']}" in wheel.namelist()
    assert json.loads(wheel.read(f"{folder}/install.json"))["packageName"] == "jupyter-durable"


def test_the_widget_is_in_it_and_found_by_name(wheel: zipfile.ZipFile) -> None:
    program = wheel.read("jupyter_durable_kernel/static/widget.js").decode()
    assert "export{" in program
    assert "@jupyterlab" not in program  # it is for every front end that shows widgets
    assert ".jp-durable-view" in wheel.read("jupyter_durable_kernel/static/widget.css").decode()
    entry_points = wheel.read("jupyter_durable-0.1.0.dist-info/entry_points.txt").decode()
    assert "[jupyter_durable.widget]\nrequest = jupyter_durable_kernel.widget:request_widget" in entry_points


def test_the_page_of_the_server_is_in_it(wheel: zipfile.ZipFile) -> None:
    program = wheel.read("jupyter_durable/server/page/static/page.js").decode()
    assert "@jupyterlab" not in program
    assert ".jp-durable-site" in wheel.read("jupyter_durable/server/page/static/page.css").decode()


def test_jupyterlab_lists_the_extension_as_enabled() -> None:
    command = [sys.executable, "-m", "jupyter", "labextension", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    (line,) = [line for line in (listed.stdout + listed.stderr).splitlines() if "jupyter-durable" in line]
    assert "enabled" in line
    assert "OK" in line


def test_the_lock_file_of_the_page_names_no_registry() -> None:
    text = (ROOT / "labextension" / "yarn.lock").read_text()
    assert "http://" not in text
    assert "https://" not in text


def test_the_jupyter_launcher_finds_the_command(wheel: zipfile.ZipFile) -> None:
    entry_points = wheel.read("jupyter_durable-0.1.0.dist-info/entry_points.txt").decode()
    assert "jupyter-durable = jupyter_durable.cli:main" in entry_points


def test_the_licence_is_named_and_enclosed(wheel: zipfile.ZipFile, metadata: Message) -> None:
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "jupyter_durable-0.1.0.dist-info/licenses/LICENSE" in wheel.namelist()
    assert metadata["Requires-Python"] == ">=3.11"


def test_without_extras_nothing_of_jupyter_is_required(metadata: Message) -> None:
    base = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    names = {line.split(">")[0] for line in base}
    assert names == {"blake3", "cloudpickle", "httpx", "msgspec", "pydantic", "rich", "typer", "zstandard"}


def test_committed_build_files_name_no_index_host() -> None:
    for path in (Path("pyproject.toml"), Path("constraints.txt"), Path("scripts/_env")):
        text = (ROOT / path).read_text()
        assert "index-url" not in text
        assert " @ " not in text


def test_the_source_distribution_holds_what_was_built_and_no_caches(tmp_path: Path) -> None:
    """hatch reads only the `.gitignore` of the root: caches of the page's build would make it 130 MB."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = tmp_path.glob("*.tar.gz")
    assert built.stat().st_size < 5_000_000
    with tarfile.open(built) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    assert "labextension/dist/package.json" in names
    unwanted = ("labextension/.yarn/", "labextension/lib/", "labextension/node_modules/", "docs/images/")
    assert not [name for name in names if name.startswith(unwanted)]
