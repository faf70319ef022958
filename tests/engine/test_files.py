"""Files that a call read: a reuse after one of them has changed is marked, and `rerun="changed"` executes it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_durable.runner import opened
from jupyter_durable.runner.opened import Files, Opened, changed_file, unpacked

LOADERS = {
    "open": "with open(path) as file: text = file.read()",
    "pathlib": "text = Path(path).read_text()",
    "bytes": "with open(os.fsencode(path), 'rb') as file: text = file.read()",
    "descriptor": "at = os.open(path, os.O_RDONLY); text = os.read(at, 100); os.close(at)",
    "relative": "text = Path(os.path.relpath(path)).read_text()",
    "thread": (
        "copied = contextvars.copy_context().run;"
        " thread = threading.Thread(target=copied, args=(Path(path).read_text,)); thread.start(); thread.join()"
    ),
    "executor": (
        "from concurrent.futures import ThreadPoolExecutor as Pool\n"
        "    with Pool(1) as pool: text = pool.submit(Path(path).read_text).result()"
    ),
    "executor of a loop": (
        "import asyncio\n    async def read(): return await asyncio.get_running_loop().run_in_executor("
        "None, Path(path).read_text)\n    text = asyncio.run(read())"
    ),
    "pandas": "import pandas; text = pandas.read_csv(path).to_csv()",
    "numpy": "import numpy; text = numpy.loadtxt(path, delimiter=',', dtype=str)",
    "native": "text = os.path.getsize(path)",
    "nothing": "text = 0",
}
DEFINE = """
import contextvars, os, threading, time
from pathlib import Path
@function()
def load(path):
    ran("load")
    {load}
    return 1
@function()
def other(x):
    ran("other")
    return x
@function()
def over(path):
    ran("over")
    return other(2) + load(path)
"""
BODY = "found = {call}\nother(1)\nif FAIL: raise OSError('stopped here')"


@pytest.fixture
def data(notebook, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,b\n1,2\n")
    notebook.namespace.update(PATH=str(path), FAIL=True)
    return path


def run(notebook, call="load(PATH)", **options):
    """The cell; what of it executed."""
    with contextlib.suppress(OSError):
        notebook.cell(BODY.format(call=call), **options)
    return notebook.executed()


def define(notebook, load="with open(path) as file: text = file.read()"):
    notebook.cell(DEFINE.format(load=load), key="define")


@pytest.mark.parametrize("load", LOADERS)
def test_a_reuse_after_a_file_changed_is_marked(notebook, data, load):
    """However it was read; natively, where a path among the arguments says so. Nothing executes for it."""
    define(notebook, LOADERS[load])
    assert run(notebook) == ["load", "other"]
    assert run(notebook) == []
    assert notebook.last().counts().file_changed == 0
    data.write_text("a,b\n9,2\n")
    assert run(notebook) == []
    request = notebook.last()
    assert [call.file_changed for call in request.calls()] == [True, False]
    assert "△ file changed" in request.tree()
    assert "1 reused with changed files" in str(request)
    assert "load[0]   reused: file data.csv changed" in str(request.preview())
    assert "load[0]   executed: file data.csv changed" in str(request.preview(rerun="changed"))


@pytest.mark.parametrize("load", sorted(LOADERS.keys() - {"native", "nothing"}))
def test_what_python_opens_is_heard(notebook, data, load):
    """Where no argument names the file."""
    define(notebook, f"path = PATH\n    {LOADERS[load]}")
    run(notebook, "load(0)")
    assert run(notebook, "load(0)") == []
    assert notebook.last().counts().file_changed == 0
    data.write_text("a,b\n9,2\n")
    assert run(notebook, "load(0)") == []
    assert notebook.last().counts().file_changed == 1


@pytest.mark.parametrize(
    "call", ["load(PATH)", "over(PATH)", "load.map([PATH])[0]", "load(path=PATH)", "load(Path(PATH))"]
)
def test_rerun_changed_executes_what_read_it_and_its_callers(notebook, data, call):
    """What else they call is served."""
    define(notebook)
    callers = ["over", "other"] if call.startswith("over") else []
    assert run(notebook, call) == [*callers, "load", "other"]
    data.write_text("a,b\n9,2\n")
    notebook.namespace["FAIL"] = False
    assert run(notebook, call, once=True) == [*callers[:1], "load"]
    assert notebook.last().counts().file_changed == 0
    assert run(notebook, call, once=True) == []


@pytest.mark.parametrize("year", [-400, 1600, 1969, 2261, 2263, 2440, 30_000])
def test_a_file_may_have_any_time_that_a_file_system_holds(notebook, data, monkeypatch, year):
    """Clocks that were wrong, and archives: beyond 2262 and before 1677 nanoseconds need more than 64 bits."""
    stat, then = os.stat, (year - 1970) * 31_556_952 * 10**9

    def dated(path, *args, **kwargs):
        found = stat(path, *args, **kwargs)
        if not isinstance(path, int) and os.fspath(path) == str(data):
            return SimpleNamespace(st_mode=found.st_mode, st_size=found.st_size, st_ino=found.st_ino, st_mtime_ns=then)
        return found

    monkeypatch.setattr(os, "stat", dated)
    define(notebook)
    assert run(notebook) == ["load", "other"]
    assert run(notebook) == []
    assert notebook.last().counts().file_changed == 0
    data.write_text("another size")
    assert run(notebook) == []
    assert notebook.last().counts().file_changed == 1


def test_a_changed_file_below_marks_what_is_served_as_a_whole(notebook, data):
    define(notebook)
    run(notebook, "over(str(PATH))")
    data.write_text("other")
    assert run(notebook, "over(str(PATH))") == []
    assert [call.name for call in notebook.last().calls() if call.file_changed] == ["over"]


def test_a_root_that_is_served_as_a_whole_is_marked(notebook, data):
    """An application that succeeded, with its own file and with that of a call below it."""
    define(notebook)
    notebook.cell("@application()\n@function()\ndef app(path):\n    ran('app')\n    return load(path)", key="app")
    notebook.cell("app(PATH)", key="run")
    notebook.executed()
    data.write_text("other")
    request = notebook.last().replay()
    assert notebook.executed() == []
    assert request.root_call().file_changed
    assert "1 reused with changed files" in str(request)
    assert "reused though a file changed" in str(request.preview())
    data.write_text("a,b\n1,2\n")
    assert not request.replay().root_call().file_changed
    data.write_text("other")
    request.replay(rerun="changed")
    assert notebook.executed() == ["app", "load"]
    assert request.counts().file_changed == 0


CHANGES = {
    "same size": (lambda path: path.write_text("a,b\n9,2\n"), True),
    "longer": (lambda path: path.write_text("a,b\n1,2\n3,4\n"), True),
    "another file of that name": (lambda path: (path.unlink(), path.write_text("a,b\n9,2\n")), True),
    "gone": (lambda path: path.unlink(), True),
    "a directory": (lambda path: (path.unlink(), path.mkdir()), True),
    "touched": (lambda path: os.utime(path), False),
    "written again": (lambda path: path.write_text("a,b\n1,2\n"), False),
    "copied": (lambda path: Path(shutil.copy(path, f"{path}.new")).rename(path), False),
    "mode": (lambda path: path.chmod(0o600), False),
}


@pytest.mark.parametrize("change", CHANGES)
def test_content_decides_where_it_is_known(notebook, data, change):
    """A touch, a rewrite or a copy of a small file is no change."""
    os.utime(data, ns=(0, 0))
    define(notebook)
    run(notebook)
    make, changed = CHANGES[change]
    make(data)
    assert run(notebook) == []
    assert notebook.last().counts().file_changed == changed


@pytest.mark.parametrize("change", ["same size", "touched", "gone"])
def test_a_large_file_is_told_by_size_and_time(notebook, data, change, monkeypatch):
    monkeypatch.setattr(opened, "HASHED_BYTES", 3)
    define(notebook)
    run(notebook)
    assert run(notebook) == []
    assert notebook.last().counts().file_changed == 0
    CHANGES[change][0](data)
    if change != "gone":
        os.utime(data, ns=(5, 5))
    run(notebook)
    assert notebook.last().counts().file_changed == 1


def test_a_change_in_the_same_tick_of_the_clock_is_seen(notebook, data):
    """Where size, time and inode are equal, a file that had just been written is compared by its content."""
    define(notebook)
    before = data.stat()
    run(notebook)
    data.write_text("a,b\n9,2\n")
    os.utime(data, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert run(notebook) == []
    assert notebook.last().counts().file_changed == 1


OWN = {
    "written, then read": "p = Path(path + '.x'); p.write_text('x'); p.read_text(); p.unlink()",
    "written beside, then moved": (
        "p = Path(path + '.new'); p.write_text('x'); os.replace(p, path + '.x'); Path(path + '.x').read_text()"
    ),
    "read, then written": "p = Path(path + '.x'); p.touch(); p.read_text(); p.write_text('1')",
    "read and removed": "p = Path(path + '.x'); os.system(f'echo x > {p}'); p.read_text(); p.unlink()",
    "opened for both": "p = open(path + '.x', 'w+'); p.write('x'); p.close()",
    "not there, then written": (
        "p = Path(path + '.x')\n    try: p.read_text()\n    except OSError: p.write_text('made')"
    ),
    "a temporary directory": (
        "import tempfile\n    with tempfile.TemporaryDirectory() as folder:\n"
        "        p = Path(folder, 'x'); p.write_text('x'); p.read_text()"
    ),
    "a device": "open('/dev/null').close(); open('/proc/self/status').close()",
    "the library": "import this, json; open(json.__file__).close()",
    "a directory": "list(os.scandir(os.path.dirname(path)))",
}


@pytest.mark.parametrize("own", OWN)
@pytest.mark.filterwarnings("ignore:unclosed")
def test_what_a_call_made_itself_and_what_is_no_input_does_not_count(notebook, data, own):
    define(notebook, OWN[own])
    notebook.namespace["NAME"] = str(data)[:-4]  # the argument itself names no file
    assert run(notebook, "load(NAME)") == ["load", "other"]
    for path in data.parent.glob("data.x*"):
        path.write_text("changed by somebody else")
    assert run(notebook, "load(NAME)") == []
    assert notebook.last().counts().file_changed == 0


def test_an_argument_that_the_call_wrote_natively_is_no_input(notebook, data):
    define(notebook, "os.system(f'echo more >> {path}')")
    run(notebook)
    data.write_text("anything")
    run(notebook)
    assert notebook.last().counts().file_changed == 0


def test_a_temporary_file_of_the_run_may_be_gone(notebook, data):
    """One call makes it, another reads it, the cell removes it. That is no change; other content is."""
    define(notebook)
    notebook.cell("@function()\ndef make(path):\n    Path(path).write_text('made')", key="make")
    made = f"{data}.made"
    cell = "make(MADE), load(MADE)"
    notebook.namespace["MADE"] = made
    run(notebook, cell)
    os.unlink(made)
    run(notebook, cell)
    assert notebook.last().counts().file_changed == 0
    Path(made).write_text("by somebody else")
    run(notebook, cell)
    assert notebook.last().counts().file_changed == 1


def test_a_file_that_was_not_there_and_is_now_is_a_change(notebook, data):
    define(notebook, "try: open(path).close()\n    except OSError: text = 'nothing'")
    notebook.namespace["PATH"] = missing = f"{data}.missing"
    run(notebook)
    run(notebook)
    assert notebook.last().counts().file_changed == 0
    Path(missing).write_text("there")
    run(notebook)
    assert notebook.last().counts().file_changed == 1


@pytest.mark.parametrize("writes", [False, True])
def test_a_database(notebook, data, writes):
    """One that the call only read is an input; one that it wrote is none."""
    path = data.with_suffix(".db")
    with contextlib.closing(sqlite3.connect(path)) as link:
        link.execute("CREATE TABLE t (x)")
    statement = "INSERT INTO t VALUES (1)" if writes else "SELECT * FROM t"
    define(notebook, f"import sqlite3; c = sqlite3.connect(NAME); c.execute('{statement}'); c.commit(); c.close()")
    notebook.namespace["NAME"] = str(path)
    run(notebook, "load(3)")
    with contextlib.closing(sqlite3.connect(path)) as link:
        link.execute("CREATE TABLE u (y)")
    run(notebook, "load(3)")
    assert notebook.last().counts().file_changed == (not writes)


def test_it_is_seen_from_another_directory_and_in_another_kernel(notebook, data, monkeypatch):
    """A relative path is kept as the file it named."""
    monkeypatch.chdir(data.parent)
    define(notebook, "with open('data.csv') as file: text = file.read()")
    run(notebook, "load(0)")
    monkeypatch.chdir("/")
    notebook.restart()
    notebook.namespace.update(PATH=str(data), FAIL=True)
    define(notebook, "with open('data.csv') as file: text = file.read()")
    assert run(notebook, "load(0)") == []
    assert notebook.last().counts().file_changed == 0
    data.write_text("other")
    assert run(notebook, "load(0)") == []
    assert notebook.last().counts().file_changed == 1


def test_what_a_failed_attempt_read_does_not_count(notebook, data):
    flag = data.with_suffix(".flag")
    define(notebook)
    notebook.cell(
        "@function(retries=Retries(max_retries=1, initial_delay=0.1, jitter=False))\ndef tried(flag):\n"
        "    if RequestContext.get().attempt == 1:\n"
        "        with contextlib.suppress(OSError): Path(flag).read_text()\n"
        "        raise ValueError\n"
        "    return 1\nimport contextlib",
        key="tried",
    )
    notebook.namespace["FLAG"] = str(flag)
    run(notebook, "tried(FLAG)")
    flag.write_text("there now")
    assert run(notebook, "tried(FLAG)") == []
    assert notebook.last().counts().file_changed == 0


def test_calls_of_a_map_have_each_their_own(notebook, data):
    define(notebook)
    paths = [data.with_name(f"{n}.csv") for n in range(40)]
    for path in paths:
        path.write_text("x")
    notebook.namespace["PATHS"] = [str(path) for path in paths]
    run(notebook, "load.map(PATHS)")
    paths[17].write_text("y")
    assert run(notebook, "load.map(PATHS)") == []
    assert [f"{call.name}[{call.index}]" for call in notebook.last().calls() if call.file_changed] == ["load[17]"]


def test_a_change_made_by_a_call_of_the_same_run_is_seen_by_rerun_changed(notebook, data):
    """The call before it executes anew and writes other content: what had read the old one executes too."""
    define(notebook)
    make = "@function()\ndef make(path):\n    Path(path).write_text('{}')"
    notebook.cell(make.format("old"), key="make")
    notebook.namespace["MADE"] = f"{data}.made"
    run(notebook, "make(MADE), load(MADE)")
    notebook.cell(make.format("new"), key="make")
    notebook.namespace["FAIL"] = False
    assert run(notebook, "make(MADE), load(MADE)", once=True) == ["load"]


def test_more_files_than_are_watched_are_told(notebook, data, monkeypatch):
    monkeypatch.setattr(opened, "MOST", 3)
    define(notebook, "[open(f'{path}.{n}', 'a').close() or Path(f'/etc/hosts').read_text() for n in range(9)]")
    run(notebook)
    assert not any("more files" in text for text in notebook.warnings)
    define(notebook, "[Path(each).read_text() for each in sorted(Path(path).parent.glob('*.many'))]")
    for n in range(9):
        data.with_name(f"{n}.many").write_text("x")
    run(notebook, key="again")
    assert any("load read more files than are watched" in text for text in notebook.warnings)
    data.with_name("1.many").write_text("y")
    run(notebook, key="again")
    assert notebook.last().counts().file_changed == 1


def test_a_call_that_opens_nothing_keeps_nothing(notebook, data):
    define(notebook)
    run(notebook, "other(7), other('text'), other([1, 'a b'])")
    store, row = notebook.engine.store, notebook.last()._row
    assert {call.files for call in store.children(row.serial, 1, 0, 100)} == {None}


def test_damaged_bytes_never_raise(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("x")
    files, read = Files("memory:"), Opened()
    read.reads(str(path), by_name=True)
    kept = files.kept(read)
    assert kept is not None
    assert changed_file(kept, below=False) is None
    for at in range(len(kept)):
        for bit in range(8):
            damaged = bytearray(kept)
            damaged[at] ^= 1 << bit
            assert changed_file(bytes(damaged), below=True) in {None, *(seen.path for seen in unpacked(bytes(damaged)))}
        changed_file(kept[:at], below=True)


def test_threads_of_a_call_may_open_side_by_side(tmp_path):
    read = Opened()
    paths = [tmp_path / str(n) for n in range(100)]
    for path in paths:
        path.write_text("x")

    def reads(part):
        for path in part:
            read.reads(str(path), by_name=True)

    threads = [threading.Thread(target=reads, args=(part,)) for part in (paths[:60], paths[40:], paths[::2])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(unpacked(Files("memory:").kept(read) or b""))) == 100
