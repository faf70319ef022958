"""Looking at a global never runs, nor depends on, what it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.code.zoo import READERS, ZOO

ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import json, sys, warnings
warnings.simplefilter("ignore")
from jupyter_durable.code.hashing import CodeHashes, class_hash, code_hash
from jupyter_durable.code.snapshot import capture
from tests.code.notebook import Notebook, bring_back
from tests.code.zoo import PRELUDE, READERS, ZOO
for name in sys.argv[1:]:
    for where, reader in READERS.items():
        print(json.dumps([name, where, "began"]), flush=True)
        book = Notebook(PRELUDE, ZOO[name], reader)
        first = code_hash(book["_look"], book.names)
        assert CodeHashes(book.names).as_argument(book["_look"]) == CodeHashes(book.names).as_argument(book["_look"])
        data = capture({"_look": book["_look"]}, book.names, body="thing, _look(1)")
        version = bring_back(data, {**book.names})
        assert version.namespace["_look"](7) == 7
        assert code_hash(book["_look"], book.names) == first
        assert bring_back(data, {"thing": book["thing"]})
        print(json.dumps([name, where, "ended"]), flush=True)
"""


@pytest.fixture(scope="module")
def swept() -> dict[tuple[str, str], Any]:
    """What became of each pair; a process that was stopped goes on behind the one that stopped it."""
    names, ended = list(ZOO), {}
    while names:
        child = subprocess.run(
            [sys.executable, "-c", CHILD, *names], capture_output=True, text=True, cwd=ROOT, timeout=400, check=False
        )
        name = ""
        for line in child.stdout.splitlines():
            name, where, what = json.loads(line)
            ended[name, where] = what if what == "ended" else child.stderr[-2000:]
        if child.returncode == 0:
            return ended
        names = names[names.index(name) + 1 :] if name else []
    return ended


@pytest.mark.parametrize("name", ZOO)
def test_looking_at_a_global_asks_nothing_of_it(swept, name: str) -> None:
    """Hashing, capturing and restoring code that meets an odd object ends, and the object was not asked."""
    assert {where: swept.get((name, where), "not reached") for where in READERS} == dict.fromkeys(READERS, "ended")
