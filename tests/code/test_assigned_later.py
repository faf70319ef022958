"""What is put into a class after its statement counts like what the statement says, but for what code keeps there."""

from __future__ import annotations

import pytest

from jupyter_durable.code.hashing import CodeHashes, changed, code_hash, explain
from tests.code.notebook import Notebook

READS = "def main(): return C.n"
ASSIGNED = {
    "an assignment": "class C: pass\nC.n = 2",
    "setattr": "class C: pass\nsetattr(C, 'n', 2)",
    "a base": "class B: pass\nclass C(B): pass\nB.n = 2",
    "a keyword of the statement": "class B:\n    def __init_subclass__(cls, n): cls.n = n\nclass C(B, n=2): pass",
    "a decorator": "def put(cls):\n    cls.n = 2\n    return cls\n@put\nclass C: pass",
}
FILLED = {
    "a counter": ("C.n = 0", "def main():\n    C.n += 1\n    return C.n"),
    "a counter of a helper": ("C.n = 0", "def h(): C.n += 1\ndef main():\n    h()\n    return C.n"),
    "a cache": ("C.n = []", "def main():\n    C.n.append(1)\n    return C.n"),
    "a cache by another name": ("C.n = {}", "def main():\n    c = C\n    c.n[1] = 1\n    return C.n"),
}


@pytest.mark.parametrize("name", ASSIGNED)
def test_what_was_assigned_to_a_class_counts_where_code_reads_it(name: str) -> None:
    before, edited = Notebook(ASSIGNED[name], READS), Notebook(ASSIGNED[name].replace("2", "3"), READS)
    assert code_hash(before["main"]) != code_hash(edited["main"])
    hashes = CodeHashes()
    first = hashes.of(before["main"])
    before["B" if name == "a base" else "C"].n = 4
    assert hashes.of(before["main"]) != first
    before["C"].other = 5
    assert changed(explain(before["main"]), hashes.explain(before["main"])) == []


@pytest.mark.parametrize("name", FILLED)
def test_what_code_keeps_in_a_class_is_its_memory(name: str) -> None:
    notebook = Notebook("class C: pass", *FILLED[name])
    before = code_hash(notebook["main"])
    notebook["main"]()
    assert code_hash(notebook["main"]) == before
