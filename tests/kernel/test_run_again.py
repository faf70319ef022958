"""A notebook run again in a real kernel: files that changed, iterators, what is paid twice, what had been printed."""

from __future__ import annotations

import time
from pathlib import Path

from tests.kernel.conftest import LOGGING, Kernel, Log

CHANGED = "1 reused with changed files: re-run them with %durable replay req_"


def test_a_file_that_changed_is_told_after_cd_too(kernel: Kernel, log: Log, directory) -> None:
    """The cell is served all the same; `--once` executes what read the file."""
    data = directory / "data.csv"
    data.write_text("a\n1\n")
    kernel.run(LOGGING)
    kernel.run(f"%cd -q {directory}")
    kernel.run("%%durable\ndef load(path):\n    _log('load')\n    with open(path) as file:\n        return file.read()")
    body = "%%durable files {}\ntext = load('data.csv')\nif not globals().get('on'):\n    raise ValueError('stop')"
    assert "stop" in kernel.run(body.format("")).error
    assert log.take() == ["load"]
    kernel.run("%cd -q /")
    data.write_text("a\n2\n")
    ran = kernel.run(body.format(""))
    assert log.take() == []
    assert CHANGED in ran.text
    assert "load[0] · from checkpoint" in ran.text
    assert "△ file changed" in ran.text
    assert "file data.csv changed" in kernel.run("%durable preview").stdout
    kernel.run(f"on = True\n%cd -q {directory}")
    ran = kernel.run(body.format("--once"))
    assert (ran.error, log.take()) == ("", ["load"])
    assert "changed files" not in ran.text
    assert kernel.value("text") == "a\n2\n"


def test_a_retry_reads_what_the_first_attempt_read(kernel: Kernel) -> None:
    kernel.run(
        "%%durable --retries 1\ndef total(rows):\n    found = sum(rows)\n"
        "    if jupyter_durable.RequestContext.get().attempt == 1: raise OSError('not now')\n    return found\n"
        "import jupyter_durable"
    )
    ran = kernel.run("print(total(x for x in range(5)))")
    assert (ran.error, ran.stdout) == ("", "10\n")
    assert "total may be tried again, and its argument `rows` holds a generator" in ran.text
    ran = kernel.run("async def rows():\n    yield 1\ntotal(rows())")
    assert "its argument `rows` holds an async_generator, which can be read once" in ran.error


def test_a_retry_over_a_map_object_or_an_open_file_has_all_of_it(kernel: Kernel, directory: Path) -> None:
    """No second attempt sees what the first one left of them, and succeeds with that."""
    (directory / "numbers.txt").write_text("1\n2\n3\n")
    kernel.run(
        "%%durable --retries 1\ndef added(rows):\n    found = sum(map(int, rows))\n"
        "    if jupyter_durable.RequestContext.get().attempt == 1: raise OSError('not now')\n    return found\n"
        "import jupyter_durable"
    )
    ran = kernel.run("print(added(map(str, range(4))))")
    assert (ran.error, ran.stdout) == ("", "6\n")
    assert "added may be tried again, and its argument `rows` holds a map" in ran.text
    file = directory / "numbers.txt"
    ran = kernel.run(f"file = open({str(file)!r})\nprint(added(file))\nfile.close()")
    assert (ran.error, ran.stdout) == ("", "6\n")


def test_what_a_finished_cell_pays_again_is_told_once_after_another_one_did_not_end(kernel: Kernel, log: Log) -> None:
    """Not before there is such a cell; with `once` nothing is paid, and nothing is told."""
    kernel.run(LOGGING)
    kernel.run("%%durable\ndef paid(x):\n    _log('paid')\n    __import__('time').sleep(1.1)\n    return x")
    first, second = "one = paid(1)", "two = paid(2)\nif not globals().get('mended'): raise ValueError('stop')"
    kernel.run(first, "first")
    assert "%durable once on" not in kernel.run(first, "first").text
    assert "stop" in kernel.run(second, "second").error
    ran = kernel.run(first, "first")
    assert len(log.take()) == 4
    assert "this cell had succeeded: it pays once more for what took 1.1 s (1 call)" in ran.text
    assert '%durable once on: "Run All" goes on where it stopped' in ran.text
    assert "%durable once on" not in kernel.run(first, "first").text
    kernel.run("%durable once on\nmended = True")
    log.take()
    assert "%durable once on" not in kernel.run(first, "first").text + kernel.run(second, "second").text
    assert log.take() == []
    kernel.run("%durable once off")


def test_it_is_told_after_an_interrupt_as_after_a_failure(kernel: Kernel, log: Log) -> None:
    """■ in a later cell: the finished one, run again, would pay a second time, and says what spares it."""
    kernel.run("%reload_ext jupyter_durable")  # which has offered it once already
    kernel.run(LOGGING)
    kernel.run("%%durable\ndef dear(x, s=1.1):\n    _log('dear')\n    __import__('time').sleep(s)\n    return x")
    kernel.run("one = dear(1)", "finished")
    id = kernel.send("two = dear(2, 60)", "interrupted")
    while len(log.path.read_text().split()) < 2:
        time.sleep(0.02)
    kernel.interrupt()
    assert "KeyboardInterrupt" in kernel.result(id).error
    ran = kernel.run("one = dear(1)", "finished")
    assert "this cell had succeeded: it pays once more for what took 1.1 s (1 call)" in ran.text
    assert '%durable once on: "Run All" goes on where it stopped' in ran.text


def test_what_served_calls_had_printed_is_printed_again_where_it_is_wanted(kernel: Kernel) -> None:
    """In order, each line marked, to the stream it went to; and it is not kept as what its caller printed."""
    kernel.run(
        "%%durable\nimport sys\ndef say(x):\n    print('said', x)\n    print('no end', end='')\n    return x\n"
        "def over(x):\n    print('over')\n    say(x)\n    print('oops', file=sys.stderr)\n    return x"
    )
    body = "%%durable printing\nprint('begin')\nover(1)\nsay(2)\nif not globals().get('fine'): raise ValueError('stop')"
    ran = kernel.run(body)
    assert "say" in ran.text
    assert ran.stdout == "begin\nover\nsaid 1\nno endsaid 2\nno end"
    assert kernel.run(body).stdout == "begin\n"
    kernel.run("import jupyter_durable; jupyter_durable.configure(reprint=True)")
    ran = kernel.run(body)
    assert ran.stdout == (
        "begin\n│ over, from its log:\n│ over\n│ said 1\n│ no end\n│ say, from its log:\n│ said 2\n│ no end\n"
    )
    assert ran.stderr == "│ oops\n"
    kernel.run("fine = True")
    assert "│ said 2" in kernel.run(body).stdout
    logs = kernel.run("%durable logs").stdout
    assert "from its log" not in logs
    kernel.run("jupyter_durable.configure(reprint=False)")
