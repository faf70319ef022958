"""What a restored version takes from the live notebook, and what stays its own."""

from __future__ import annotations

import inspect
import pickle
import sys
import traceback

import pytest

from jupyter_durable.code.form import BODY
from jupyter_durable.code.hashing import code_hash
from jupyter_durable.code.snapshot import ClassRegistry, Missing, find_class
from jupyter_durable.errors import DeserializationError
from tests.code.cases import CASES
from tests.code.notebook import Notebook, bring_back

CELL = "class A:\n    def m(self):\n        return 1\n"
USE = "def make():\n    return A()\ndef check(x):\n    return isinstance(x, A)\n"


def test_functions_are_the_versions_own_when_the_live_ones_changed():
    book = Notebook("def h():\n    return 1\ndef main():\n    return h()")
    data = book.snapshot("main")
    book.run("def h():\n    return 2")
    assert bring_back(data, book.names).namespace["main"]() == 1


def test_plain_data_is_the_live_value_when_there_is_one():
    book = Notebook("K = 1\ndef main():\n    return K")
    data = book.snapshot("main")
    assert bring_back(data, {"K": 5}).namespace["main"]() == 5
    assert bring_back(data).namespace["main"]() == 1


def test_what_is_not_stored_comes_from_the_live_notebook_or_is_missing():
    book = Notebook("import threading\nlock = threading.Lock()\ndef main():\n    return lock")
    data = book.snapshot("main")
    assert bring_back(data).missing == (Missing("lock", "lock = threading.Lock()"),)
    version = bring_back(data, {"lock": 7})
    assert version.missing == ()
    assert version.namespace["main"]() == 7


def test_the_statement_comes_from_the_callback_first():
    book = Notebook("import threading\nlock = threading.Lock()\ndef main():\n    return lock")
    asked = book.snapshot("main", cells=lambda name: "lock = make()  # cell 3" if name == "lock" else None)
    assert bring_back(asked).missing[0].statement == "lock = make()  # cell 3"


def test_a_module_that_is_not_installed_is_missing():
    book = Notebook("def main():\n    return lib")
    lib = type(sys)("lib_that_is_gone")
    sys.modules["lib_that_is_gone"] = book.names["lib"] = lib
    data = book.snapshot("main")
    del sys.modules["lib_that_is_gone"]
    assert bring_back(data).missing == (Missing("lib", "import lib_that_is_gone as lib"),)


def test_an_unchanged_class_is_the_live_class_after_its_cell_ran_again():
    """The cell is executed again: a new class object, equal in text."""
    book = Notebook(CELL, USE)
    data = book.snapshot("make", "check")
    book.run(CELL)
    version = bring_back(data, book.names)
    assert type(version.namespace["make"]()) is book["A"]
    assert version.namespace["check"](book["A"]())
    assert version.namespace["A"] is book["A"]


def test_a_changed_class_is_the_versions_and_the_live_one_stays_as_it_is():
    book = Notebook(CELL, USE)
    data = book.snapshot("make", "check")
    book.run(CELL.replace("return 1", "return 2"))
    version = bring_back(data, book.names)
    made = version.namespace["make"]()
    assert (made.m(), book["A"]().m()) == (1, 2)
    assert not isinstance(made, book["A"])
    assert version.namespace["check"](made)


def test_restoring_does_not_touch_the_live_class():
    book = Notebook(CELL, USE)
    data = book.snapshot("make")
    method = book["A"].m
    version = bring_back(data, book.names)
    assert version.namespace["A"] is book["A"]
    assert book["A"].m is method


def test_restoring_does_not_touch_the_class_it_was_made_of():
    book = Notebook(CELL, USE)
    before, method = book["A"], book["A"].m
    data = book.snapshot("make", "check")
    book.run(CELL.replace("return 1", "return 2"))
    version = bring_back(data, book.names)
    assert version.namespace["A"] is not before
    assert before.m is method


def test_an_exception_class_catches_what_the_restored_code_raises():
    book = Notebook("class Bad(ValueError): ...\ndef main():\n    raise Bad('x')")
    data = book.snapshot("main")
    book.run("class Bad(ValueError): ...")
    with pytest.raises(book["Bad"]):
        bring_back(data, book.names).namespace["main"]()


def test_references_to_classes_in_values_mean_the_live_or_the_versions_class():
    book = Notebook(CELL, USE)
    version = bring_back(book.snapshot("make"))
    assert ClassRegistry(book.names, version).find_class("__main__", "A") is book["A"]
    assert ClassRegistry({}, version).find_class("__main__", "A") is version.namespace["A"]
    assert ClassRegistry(book.names).find_class("__main__", "A") is book["A"]
    changed = Notebook(CELL.replace("return 1", "return 2"))
    assert ClassRegistry(changed.names, version).find_class("__main__", "A") is version.namespace["A"]
    assert (
        find_class("collections", "OrderedDict.fromkeys", live={}, version=None)("ab").keys() == {"a": 1, "b": 2}.keys()
    )
    with pytest.raises(DeserializationError, match=r"`Gone`.*run the cell that defines it"):
        find_class("__main__", "Gone", live=book.names, version=version)


def test_a_version_restored_in_the_live_notebook_can_be_captured_again():
    book = Notebook(CELL, USE)
    first = bring_back(book.snapshot("make", "check"))
    names = first.namespace
    from jupyter_durable.code.snapshot import capture

    again = bring_back(capture({"make": names["make"], "check": names["check"]}, names))
    assert again.namespace["make"]().m() == 1
    assert code_hash(again.namespace["make"], again.namespace) == code_hash(book["make"], book.names)


def test_tracebacks_and_getsource_show_the_lines_of_the_cell():
    book = Notebook("import json\n\n\ndef main():\n    x = 1\n    return x / 0\n")
    version = bring_back(book.snapshot("main"))
    with pytest.raises(ZeroDivisionError) as caught:
        version.namespace["main"]()
    frame = traceback.extract_tb(caught.tb)[-1]
    assert (frame.lineno, frame.line) == (6, "return x / 0")
    assert (
        inspect.getsource(version.namespace["main"])
        == version.sources["main"]
        == ("def main():\n    x = 1\n    return x / 0\n")
    )


@pytest.mark.parametrize(
    "name",
    [
        "a plain function",
        "mutual recursion",
        "a closure",
        "defaults and keyword defaults",
        "a class with super and inheritance",
    ],
)
def test_another_python_compiles_from_source(name):
    """The snapshot says it was written by another minor version: marshalled code is not touched."""
    snapshot = pickle.loads(Notebook(*CASES[name].cells).snapshot("main"))
    for code in snapshot["codes"]:
        code["marshalled"] = b"foreign"
    version = bring_back(pickle.dumps(snapshot | {"python": (3, 99)}))
    assert repr(eval(CASES[name].ask, version.namespace)) == CASES[name].answer


@pytest.mark.parametrize("text", ["def main():\n    return 1", "main, other = lambda: 1, lambda: 2"])
def test_another_python_names_both_versions_when_there_is_no_source_to_compile(text):
    book = Notebook()
    if text.startswith("def"):
        exec(compile(text, "<nowhere>", "exec", dont_inherit=True), book.names)
    else:
        book.run(text)
    snapshot = pickle.loads(book.snapshot("main"))
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    with pytest.raises(DeserializationError, match=rf"3\.99.*{here}.*upgrade_to_latest_version"):
        bring_back(pickle.dumps(snapshot | {"python": (3, 99)}))


@pytest.mark.parametrize("cut", [0, 1, 100, -3])
def test_a_damaged_snapshot_is_a_clear_error(cut):
    data = Notebook(CELL, USE).snapshot("make")
    with pytest.raises(DeserializationError):
        bring_back(data[:cut])


def test_the_outer_form_loads_no_code():
    import os

    with pytest.raises(DeserializationError, match=r"posix\.getcwd|nt\.getcwd"):
        bring_back(pickle.dumps(os.getcwd))


def test_a_newer_snapshot_is_refused():
    snapshot = pickle.loads(Notebook(CELL).snapshot("A"))
    with pytest.raises(DeserializationError, match="newer"):
        bring_back(pickle.dumps(snapshot | {"format": 99}))


def test_a_body_brings_what_it_reads_before_it_binds_it():
    book = Notebook("K = 2\nold = 3\nimport threading\nclient = threading.Lock()\ndef f(x):\n    return x * K")
    body = "old = f(1)\ndef g():\n    return client\nprint(old, g())"
    version = bring_back(book.snapshot(body=body))
    assert version.body == body
    assert version.namespace["f"](4) == 8
    assert "old" not in version.namespace
    assert version.missing == (Missing("client", "client = threading.Lock()"),)


def test_a_body_with_a_credential_is_not_stored():
    body = "client = connect(api_key='hunter2-hunter2')\nf(client)"
    data = Notebook().snapshot(body=body)
    assert b"hunter2" not in data
    version = bring_back(data)
    assert version.body is None
    assert version.missing == (Missing(BODY, "client = connect(api_key='***')\nf(client)"),)


def test_the_options_of_a_durable_function_go_through_the_callback():
    book = Notebook("@function(cpu=3)\ndef main():\n    return 1")
    data = book.snapshot("main", options=lambda spec: {"own": spec.options["cpu"] + 1})
    assert bring_back(data).namespace["main"].__durable__.options == {"own": 4}
