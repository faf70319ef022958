"""What of the code changed between two runs of a cell is seen, whatever it is and wherever it stands."""

from __future__ import annotations

import os

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
