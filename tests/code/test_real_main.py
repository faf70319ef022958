"""The real `__main__`: cells of an IPython shell, a script, `python -c`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

BODY = """
import dataclasses, json as j, threading
from collections import namedtuple
K = {"rate": 2}
client = threading.Lock()
P = namedtuple("P", "x y")
@dataclasses.dataclass
class Config:
    n: int = 1
    def up(self):
        return Config(self.n + K["rate"])
CONFIG = Config(5)
class Plain:
    size = 3
def low(x):
    return P(x, CONFIG.up().n), Plain.size
def main(x):
    return j.dumps([low(x), K])
def blocked():
    return client
"""
CAPTURE = """
import sys
from jupyter_durable.code.snapshot import capture
from jupyter_durable.code.hashing import code_hash
open(sys.argv[-1], "wb").write(capture({"main": main, "blocked": blocked}, globals()))
print(code_hash(main, globals()).hex())
"""
READ = """
import json, sys
from jupyter_durable.code.snapshot import restore
from jupyter_durable.code.hashing import code_hash
version = restore(open(sys.argv[-1], "rb").read(), redecorate=lambda fn, options: fn, live=globals())
names = version.namespace
print(json.dumps([
    names["main"](1), [list(row) for row in version.missing], code_hash(names["main"], names).hex(),
    type(names["CONFIG"]) is names["Config"], sorted(version.sources)]))
"""
SHELL = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.user_module.__dict__  # the real __main__ of this process is not the shell's namespace
for cell in json.loads(sys.argv[1]):
    shell.run_cell(cell, store_history=True).raise_error()
"""


def _run(args: list[str]) -> str:
    done = subprocess.run(
        [sys.executable, *args],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def _script(tmp_path, target):
    (tmp_path / "script.py").write_text(BODY + CAPTURE)
    return _run([str(tmp_path / "script.py"), target])


def _command(tmp_path, target):
    return _run(["-c", BODY + CAPTURE, target])


def _shell(tmp_path, target):
    cells = [*BODY.strip().split("\n@", 1), CAPTURE]
    cells[1] = "@" + cells[1]
    return _run(["-c", "import json" + SHELL, json.dumps(cells), target])


@pytest.mark.parametrize("origin", [_script, _command, _shell], ids=["script", "command", "shell"])
def test_code_of_the_real_main_is_restored_where_nothing_is_defined(origin, tmp_path):
    target = str(tmp_path / "snapshot")
    hashed = origin(tmp_path, target)
    result, missing, hashed_again, same_class, sources = json.loads(_run(["-c", READ, target]))
    assert json.loads(result) == [[[1, 7], 3], {"rate": 2}]
    assert [name for name, _ in missing] == ["client"]
    assert same_class
    if origin is not _command:  # `python -c` keeps no source
        assert missing == [["client", "client = threading.Lock()"]]
        assert hashed_again == hashed
        assert sources == ["Config", "Plain", "blocked", "low", "main"]


def test_a_cell_magic_in_the_first_line_reads_as_a_comment(tmp_path):
    """As the extension leaves it: the magic is a comment, the lines stay where they are."""
    from jupyter_durable.code.snapshot import capture
    from tests.code.notebook import Notebook, bring_back

    book = Notebook("def f(x):\n    return x")
    body = "%%durable mine\ny = f(1)\n"
    assert bring_back(capture({}, book.names, body=body)).namespace["f"](2) == 2
