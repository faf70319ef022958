"""Which modules count, and that they are seen as they are now."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_durable.code.hashing import changed, code_hash, explain
from jupyter_durable.code.modules import is_local
from tests.code.notebook import Notebook

ROOT = Path(__file__).resolve().parents[2]
LIB = """import json
K = {k}

def low(x):
    return json.dumps(x + K + {n})

def clean(x):
    return low(x)

class Scale:
    by = {n}
    def of(self, x):
        return x * {n}

double = lambda x: x * {n}
"""


@pytest.fixture
def src(tmp_path, monkeypatch):
    """A folder of modules beside that of the notebook."""
    for name in ("notebook", "src"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "notebook")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "notebook" / ".." / "src"), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield tmp_path / "src"
    for name in set(sys.modules) - before:
        del sys.modules[name]
    importlib.invalidate_caches()


def write(path: Path, text: str) -> None:
    """Write a module; its time differs from the one before, however coarse the clock of the file system is."""
    before = path.stat().st_mtime if path.exists() else 1.0e9
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(text)
    os.utime(path, (before + 2, before + 2))
    importlib.invalidate_caches()


USES = {
    "a function of it": ("import lib", "lib.clean(1)", ["lib.low"]),
    "a function imported from it": ("from lib import clean", "clean(1)", ["lib.low"]),
    "a method of a class": ("from lib import Scale", "Scale().of(1)", ["Scale"]),
    "an instance of a class": ("import lib\nscale = lib.Scale()", "scale.of(1)", ["Scale"]),
    "a lambda": ("import lib as l", "l.double(1)", ["l.double"]),
}


@pytest.mark.parametrize("use", USES)
def test_a_module_that_is_reloaded_is_seen_as_it_is_now(src, use):
    """`importlib.reload` and autoreload change what a function uses; line numbers and comments do not."""
    imports, expression, names = USES[use]
    write(src / "lib.py", LIB.format(k=1, n=1))
    book = Notebook(imports, f"def main():\n    return {expression}")
    first = explain(book["main"], book.names)
    for text, expected in (
        ("# a comment\n\n" + LIB.format(k=1, n=1), []),
        (LIB.format(k=1, n=2), names),
        (LIB.format(k=1, n=1), []),
    ):
        write(src / "lib.py", text)
        importlib.reload(sys.modules["lib"])
        book.run(imports)
        assert changed(first, explain(book["main"], book.names)) == expected


def test_a_constant_of_a_module_counts(src):
    """What a helper in a local module reads there belongs to the code."""
    write(src / "lib.py", LIB.format(k=1, n=1))
    book = Notebook("import lib\ndef main():\n    return lib.clean(1)")
    first = explain(book["main"])
    write(src / "lib.py", LIB.format(k=2, n=1))
    importlib.reload(sys.modules["lib"])
    assert changed(first, explain(book["main"])) == ["lib.K"]
    assert not any("json" in name for name in first)


@pytest.mark.parametrize("use", USES)
def test_a_module_that_was_edited_and_not_reloaded_is_not_the_new_one(src, use):
    """What runs is the code that was loaded: its hash is never that of the edited file, and lines may move."""
    imports, expression, _ = USES[use]
    write(src / "lib.py", LIB.format(k=1, n=1))
    book = Notebook(imports, f"def main():\n    return {expression}")
    first = code_hash(book["main"], book.names)
    write(src / "lib.py", "# moved\n\n\n" + LIB.format(k=1, n=1))
    assert code_hash(book["main"], book.names) == first
    write(src / "lib.py", LIB.format(k=1, n=2))
    stale = code_hash(book["main"], book.names)
    importlib.reload(sys.modules["lib"])
    book.run(imports)
    assert stale != code_hash(book["main"], book.names) != first


def test_a_file_that_is_no_python_or_gone_hides_nothing(src):
    """A module whose file cannot be read any more counts by its compiled code."""
    write(src / "lib.py", LIB.format(k=1, n=1))
    book = Notebook("import lib\ndef main():\n    return lib.clean(1)")
    write(src / "lib.py", "def low(:")
    broken = explain(book["main"])
    (src / "lib.py").unlink()
    assert explain(book["main"]) == broken
    assert {"lib.low", "lib.clean", "lib.K"} < broken.keys()


def test_the_working_directory_decides_nothing(src, monkeypatch):
    """After `%cd` the same code has the same hash."""
    write(src / "lib.py", LIB.format(k=1, n=1))
    book = Notebook("import lib\ndef main():\n    return lib.clean(1)")
    first = explain(book["main"])
    for directory in (src, "/", ROOT):
        monkeypatch.chdir(directory)
        assert explain(book["main"]) == first
        assert is_local("lib")


@pytest.mark.parametrize(
    ("imports", "expression"),
    [
        ("import pkg.mod", "pkg.mod.low(1)"),
        ("import pkg.mod as m", "m.low(1)"),
        ("from pkg import mod", "mod.low(1)"),
        ("from pkg.mod import low", "low(1)"),
        ("import pkg.mod as m\nimport pkg", "(m.clean(1), pkg.mod.low(1))"),
    ],
)
@pytest.mark.parametrize("init", [True, False], ids=["package", "namespace package"])
def test_packages_count_as_modules_do(src, init, imports, expression):
    """A helper is seen through its package, one without `__init__.py` too."""
    if init:
        write(src / "pkg" / "__init__.py", "from pkg import mod\n")
    hashes = []
    for n in (1, 2):
        write(src / "pkg" / "mod.py", LIB.format(k=1, n=n))
        if "pkg.mod" in sys.modules:
            importlib.reload(sys.modules["pkg.mod"])
        book = Notebook(imports, f"def main():\n    return {expression}")
        hashes.append(explain(book["main"]))
    assert any(name.endswith("low") for name in changed(*hashes))


def test_modules_that_import_each_other_end(src):
    """A walk over modules that hold one another ends."""
    write(src / "one.py", "import two, one\ndef f(): return two.one.two.f()\n")
    write(src / "two.py", "import one, two\ndef f(): return one.two.one\n")
    book = Notebook("import one\ndef main():\n    return one.two.one.f(), one.f")
    assert "one.f" in explain(book["main"])


EDITABLE = """
import sys
from jupyter_durable.code.modules import is_local
import mine, pytest, numpy, json, cloudpickle, ast
print([is_local(name) for name in ("mine", "mine.inner", "pytest", "numpy", "json", "cloudpickle", "ast", "sys",
       "jupyter_durable.code.modules", "not.loaded")])
"""


@pytest.mark.parametrize("kind", ["path file", "link to a folder", "installed"])
def test_an_editable_install_is_local_and_an_installed_package_is_not(tmp_path, kind):
    """What lies in site-packages is a library; what an install only points to is the user's own."""
    site = tmp_path / "lib" / "site-packages"
    project = site if kind == "installed" else tmp_path / "project"
    write(project / "mine" / "__init__.py", "import mine.inner\n")
    write(project / "mine" / "inner.py", "")
    site.mkdir(parents=True, exist_ok=True)
    if kind == "path file":
        (site / "mine.pth").write_text(str(project))
    elif kind == "link to a folder":
        (site / "mine").symlink_to(project / "mine")
    child = subprocess.run(
        [sys.executable, "-c", f"import site; site.addsitedir({str(site)!r})\n{EDITABLE}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    own = kind != "installed"
    assert eval(child.stdout) == [own, own, *([False] * 8)]


LATER = {
    "a module": "import later\n    return later.of(1)",
    "by another name": "import later as l\n    return l.of(1)",
    "a function of it": "from later import of\n    return of(1)",
    "all of it, through another": "from stars import of\n    return of(1)",
    "a module of a package": "import pack.part\n    return pack.part.of(1)",
    "from a package": "from pack import part\n    return part.of(1)",
    "what a package passes on": "from pack import of\n    return of(1)",
    "a class": "from later import Scale\n    return Scale().of(1)",
    "in an inner function": "def g():\n        import later\n        return later.of(1)\n    return g()",
}
LATER_TEXT = "N = 1\ndef low(x):\n    return x + N\ndef of(x):\n    return low(x)\n"
LATER_TEXT += "class Scale:\n    of = lambda self, x: low(x)\n"


def write_later(src: Path, text: str) -> None:
    write(src / "later.py", text + "def unused():\n    return 0\n")
    write(src / "stars.py", "from later import *\n")
    write(src / "pack" / "__init__.py", "from .part import of\n")
    write(
        src / "pack" / "part.py", "from later import low\ndef of(x):\n    from .deep import by\n    return low(by(x))\n"
    )
    write(src / "pack" / "deep.py", "from . import other\ndef by(x):\n    return x\n")
    write(src / "pack" / "other.py", "")


@pytest.mark.parametrize("use", LATER)
def test_what_a_function_imports_itself_counts_before_it_is_loaded_and_after(src, use):
    """What it does not reach of the module does not."""
    write_later(src, LATER_TEXT)
    book = Notebook(f"def main():\n    {LATER[use]}\n")
    before = explain(book["main"], book.names)
    assert book["main"]() == 2
    assert explain(book["main"], book.names) == before
    write(src / "later.py", "# moved\n\n" + LATER_TEXT + "def unused():\n    return 1\n")
    assert explain(book["main"], book.names) == before
    write_later(src, LATER_TEXT.replace("N = 1", "N = 2"))
    assert changed(before, explain(book["main"], book.names)) == ["import later.N"]
    write_later(src, LATER_TEXT.replace("x + N", "x - N"))
    assert changed(before, explain(book["main"], book.names)) == ["import later.low"]


def test_what_a_method_or_a_function_of_a_module_imports_itself_counts(src):
    write_later(src, LATER_TEXT)
    write(src / "lib.py", "def f():\n    from later import of\n    return of(1)\n")
    book = Notebook(
        "import lib\nclass A:\n    def m(self):\n        import pack.deep as d\n        return d.by(1)\n"
        "def main():\n    return lib.f(), A().m()\n"
    )
    before = explain(book["main"], book.names)
    write_later(src, LATER_TEXT.replace("x + N", "x - N"))
    write(src / "pack" / "deep.py", "def by(x):\n    return x + 1\n")
    assert changed(before, explain(book["main"], book.names)) == ["import later.low", "import pack.deep.by"]


def test_neither_libraries_nor_what_is_nowhere_nor_durable_functions_count_where_a_function_imports_them(src):
    write(
        src / "later.py",
        "from jupyter_durable import function\nTOKEN = 'one-one-one-one'\n@function()\ndef of(x):\n    return TOKEN\n",
    )
    book = Notebook(
        "def main():\n    import json, pytest, os.path, nowhere, nowhere.to_be.found\n    from . import relative\n"
        "    from later import of, TOKEN\n    return of(TOKEN)\n"
    )
    before = explain(book["main"], book.names)
    assert [name for name in before if not name.startswith("import later")] == ["main"]
    write(
        src / "later.py",
        (src / "later.py").read_text().replace("return TOKEN", "return 1").replace("one-one", "two-two"),
    )
    assert explain(book["main"], book.names) == before
