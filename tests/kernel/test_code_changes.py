"""What of the code changed between two runs of a cell is seen, whatever it is and wherever it stands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.kernel.conftest import LOGGING, Kernel, Log, Start

EXAMPLES = {
    "a lambda that reads a loop variable": ("", "lambda x: x * k"),
    "a helper that reads one": ("def helper(x): return x * k", "helper"),
    "an instance whose class reads one": ("class Scale:\n    def __call__(self, x): return x * k", "Scale()"),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_loop_that_is_edited_gives_each_call_its_own_result(kernel: Kernel, log: Log, name: str) -> None:
    """The loop ran over (2, 3) and failed; over (1, 2, 3) one call executes, and each has its own result."""
    definition, argument = EXAMPLES[name]
    kernel.run(LOGGING + "\n" + definition)
    kernel.run("%%durable\ndef applied(f):\n    _log(f(10))\n    return f(10)", "define")
    cell = f"%%durable\ngot = []\nfor k in {{}}:\n    got.append(applied({argument}))\n"
    assert "AssertionError" in kernel.run(cell.format("(2, 3)") + "assert False", name).error
    assert log.take() == ["20", "30"]
    ran = kernel.run(cell.format("(1, 2, 3)"), name)
    assert not ran.error, ran.error
    assert log.take() == ["10"]
    assert kernel.value("got") == [10, 20, 30]
    assert "changed" not in ran.text


@pytest.mark.parametrize("way", ["autoreload", "reload"])
def test_a_module_that_was_edited_is_seen(start: Start, log: Log, directory, way: str) -> None:
    """A module in `../src` that autoreload or `importlib.reload` loads again marks what its old code gave."""
    module, folder = f"helpers_of_{way}", directory / f"src-{way}"
    folder.mkdir()
    file = folder / f"{module}.py"
    file.write_text("def low(x):\n    return x + 1\n")
    kernel = start(f"{way}.ipynb")
    notice = "%load_ext autoreload\n%autoreload 2\n" if way == "autoreload" else ""
    first = f"{notice}import sys, importlib\nsys.path.insert(0, {str(folder)!r})\nsys.dont_write_bytecode = True\n"
    ran = kernel.run(LOGGING + first + f"import {module}\nfrom {module} import low")
    assert not ran.error, ran.error
    kernel.run(f"%%durable\ndef paid(x):\n    _log(x)\n    return low(x), {module}.low(x)", "define")
    cell = "%%durable --once\ngot = paid(1)"
    kernel.run(cell, "paid")
    assert kernel.value("got") == (2, 2)
    kernel.run("%cd /\nimport os; os.chdir('/tmp')")
    ran = kernel.run(cell, "paid")
    assert log.take() == ["1"]
    assert "1 from checkpoint" in ran.text

    file.write_text("# edited\ndef low(x):\n    return x + 2\n")
    os.utime(file, (2e9, 2e9))
    if way == "reload":
        kernel.run(f"importlib.reload({module})\nfrom {module} import low")
    kernel.run(cell, "paid")
    assert kernel.value("got") == (3, 3)
    assert log.take() == ["1"]
    kernel.close()


WHERE = {
    "beside the notebook": "%cd -q {directory}",
    "in an editable install": "import site; site.addsitedir({site!r})",
}


@pytest.mark.parametrize("where", WHERE)
def test_a_module_that_autoreload_loads_again_is_seen_wherever_it_is(
    kernel: Kernel, log: Log, directory: Path, where: str
) -> None:
    """Found through the notebook's folder, or through a path file as `pip install -e` writes one: the result of its old
    code is marked, and `--once` executes the call again."""
    module = f"edited_{where.split()[-1]}"
    site = directory / "site-packages"
    project = directory if "beside" in where else directory / "project"
    for folder in (site, project):
        folder.mkdir(exist_ok=True)
    (site / "project.pth").write_text(str(project))
    file = project / f"{module}.py"
    file.write_text("def low(x):\n    return x + 1\n")
    found = WHERE[where].format(directory=directory, site=str(site))
    reload = "%load_ext autoreload\n%autoreload 2\nimport sys; sys.dont_write_bytecode = True"
    ran = kernel.run(f"{LOGGING}\n{found}\n{reload}")
    assert not ran.error, ran.error
    ran = kernel.run(f"%%durable\nimport {module}\ndef priced(x):\n    _log(x)\n    return {module}.low(x)", "priced")
    assert not ran.error, ran.error
    cell = "%%durable {}\ngot = priced(1)\nassert globals().get('ready')"
    assert "AssertionError" in kernel.run(cell.format(""), where).error
    assert (log.take(), kernel.value("got")) == (["1"], 2)

    file.write_text("# edited\ndef low(x):\n    return x + 2\n")
    os.utime(file, (2e9, 2e9))
    ran = kernel.run(cell.format(""), where)
    assert (log.take(), kernel.value("got")) == ([], 2)
    assert "1 reused with changed code: re-run them" in ran.text
    kernel.run("ready = True")
    kernel.run(cell.format("--once"), where)
    assert (log.take(), kernel.value("got")) == (["1"], 3)
    kernel.run("%autoreload 0\nready = False\n%cd -q /")
