"""`%durable`: every verb answers in plain words, and every mistake is one line that says what there is."""

from __future__ import annotations

import re
import shutil

import pytest

from jupyter_durable.serializer.signing import KeyFile
from tests.kernel.conftest import LOGGING, Kernel, Log, Start


@pytest.fixture(scope="module")
def failed(kernel: Kernel) -> str:
    """A request whose third call failed; its id."""
    kernel.run(LOGGING + "\nlimit = 3")
    kernel.run(
        "%%durable\ndef step(n):\n    print('at', n)\n"
        "    if n >= limit: raise ValueError(f'{n} is too much')\n    return n"
    )
    kernel.run("%%durable steps\nfor n in range(1, 5): step(n)")
    return str(kernel.value("__import__('jupyter_durable').get_request('last').id"))


def test_alone_it_says_where_things_are_and_what_there_is(kernel: Kernel, failed: str, directory) -> None:
    text = kernel.run("%durable").stdout
    assert f"store: sqlite:///{directory}/store.db" in text
    assert "nothing is running" in text
    assert re.search(rf"✕ failed +{failed} +steps +run 1 +3 ran +just now +ValueError: 3 is too much", text)


def test_list_takes_status_age_notebook_and_text(kernel: Kernel, failed: str) -> None:
    assert failed in kernel.run("%durable list --status failed").stdout
    assert failed not in kernel.run("%durable list --status succeeded").stdout
    assert failed in kernel.run("%durable list --since 1h --text steps --limit 3").stdout
    assert kernel.run("%durable list --notebook /nowhere.ipynb").stdout == "no requests\n"


def test_show_tree_logs_inputs_and_output_of_a_request(kernel: Kernel, failed: str) -> None:
    for id in ("", failed, failed[:8], failed.removeprefix("req_"), "last"):
        assert "run 1: adaptive failed · 0 from checkpoint · 3 ran" in kernel.run(f"%durable show {id}").stdout
    assert "  ✕ step[2] · ran" in kernel.run("%durable tree").stdout
    assert kernel.run("%durable logs").stdout == "step[0]:\nat 1\nstep[1]:\nat 2\nstep[2]:\nat 3\n"
    assert kernel.run(f"%durable logs {failed} step[1]").stdout == "step[1]:\nat 2\n"
    assert kernel.run("%durable inputs step[2]").stdout == "(3)\n"
    assert kernel.run("%durable output step[1]").text == "2"


def test_preview_runs_nothing_and_replay_goes_on(kernel: Kernel, failed: str) -> None:
    text = kernel.run("%durable preview").stdout
    assert "step[1]  reused" in text.replace("    ", "  ")
    assert "step[2]  executed: failed" in text.replace("    ", "  ")
    ran = kernel.run("%durable replay")
    assert "failed · run 2 · 2 from checkpoint · 1 ran" in ran.stdout
    ran = kernel.run(f"%durable replay {failed} --strict")
    assert "failed · run 3" in ran.stdout
    kernel.run("limit = 9")
    ran = kernel.run("%durable replay --latest")
    assert "succeeded" in ran.stdout, ran


def test_fork_leaves_the_request_alone(kernel: Kernel, failed: str) -> None:
    text = kernel.run("%durable fork --from step[1]").stdout
    assert failed not in text
    assert "1 from checkpoint · 3 ran" in text
    assert "4 ran" in kernel.run("%durable fork --rerun step").stdout


def test_debug_shows_the_failure_of_a_recorded_call(kernel: Kernel) -> None:
    kernel.run("%%durable\ndef odd(n):\n    return 1 / n\nodd(0)")
    ran = kernel.run("%durable debug odd[0]")
    assert "ZeroDivisionError" in ran.error
    assert "jupyter_durable" not in ran.error
    assert "takes no input" in ran.stdout
    kernel.run("%%durable\ndef odd(n):\n    return n")
    assert "returned 0; it did not fail this time" in kernel.run("%durable debug odd[0]").stdout
    kernel.run("%%durable\ndef odd(n):\n    return 1 / n")


def test_pin_cancel_delete_and_gc(kernel: Kernel) -> None:
    kernel.run("%%durable\ndef odd(n):\n    return 1 / n")
    kernel.run("%%durable gone\nodd(0)")
    id = kernel.value("__import__('jupyter_durable').get_request('last').id")
    assert "kept from" in kernel.run("%durable pin").stdout
    assert "pinned" in kernel.run("%durable show").stdout
    assert "open to" in kernel.run("%durable pin --off").stdout
    assert "would remove" in kernel.run("%durable gc --older-than 1s --dry-run").stdout
    assert "nothing to cancel" in kernel.run(f"%durable cancel {id}").stderr
    assert (
        kernel.run(f"%durable delete {id}").stdout
        == f"{id} is deleted, with all that only it had: values, files, code\n"
    )
    assert "there is no request" in kernel.run(f"%durable show {id}").stderr


MISTAKES = {
    "bogus": "there is no such verb; there are list, show",
    "tree req_nothing": "there is no request 'req_nothing'",
    "show a b": "too many words. Usage: %durable show [ID]",
    "list --bogus": "unknown option '--bogus'; it takes --status, --since",
    "list --status odd": "status 'odd' is unknown; known are queued",
    "list --since soon": "'soon' is no time",
    "list --limit x": "--limit takes a whole number",
    "list --status": "--status needs a value",
    "replay --from nothing[3]": "has no call 'nothing[3]'; it has",
    "replay --rerun nothing": "has no call 'nothing'; it has",
    "inputs": "which call? Write name[n]",
    "inputs odd[99]": "has no call odd[99]; it has",
    "delete": "which request?",
    "once perhaps": "takes on or off, not 'perhaps'",
    "store ftp://x": "is not the URL of a store",
    "store http://x": "use https://",
    "store https://x": "no token for https://x",
    "push": "which request, and which store?",
    "pull last": "which store?",
    "trust": "whose key?",
    "trust /nowhere": "cannot be read",
    "gc --older-than x": "'x' is no length of time",
    "fork --input 1/0": "'1/0' raises ZeroDivisionError",
    "show 'a": "No closing quotation",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_one_line(kernel: Kernel, failed: str, line: str) -> None:
    kernel.run("%%durable\nodd(0)")
    ran = kernel.run(f"%durable {line}")
    assert ran.stderr.startswith("UsageError: "), ran
    assert MISTAKES[line] in ran.stderr
    assert ran.stderr.count("\n") <= 1
    assert not ran.error


def test_once_and_store_say_what_holds(kernel: Kernel, directory) -> None:
    assert "once is off" in kernel.run("%durable once").stdout
    assert f"sqlite:///{directory}/store.db" in kernel.run("%durable store").stdout
    assert (
        f"store: sqlite:///{directory}/other.db" in kernel.run(f"%durable store sqlite:///{directory}/other.db").stdout
    )
    assert "no requests yet" in kernel.run("%durable").stdout
    kernel.run(f"%durable store sqlite:///{directory}/store.db")


def test_doctor_names_the_store_the_key_and_the_versions(kernel: Kernel) -> None:
    text = kernel.run("%durable doctor").stdout
    for word in ("store:", "signing key", "Python 3", "SQLite"):
        assert word in text


def test_values_of_another_key_are_loaded_only_when_it_is_trusted(start: Start, directory, log: Log, tmp_path) -> None:
    kernel = start("theirs.ipynb")
    kernel.run("%%durable\ndef made(n):\n    return n\nmade(41)")
    kernel.run("from jupyter_durable.client import this_engine")
    path = kernel.value("str(__import__('jupyter_durable.client.process', fromlist=['x']).key_file().path)")
    KeyFile(tmp_path / "mine" / "key").keys()
    shutil.copy(path, tmp_path / "theirs")
    shutil.copy(path, tmp_path / "kept")
    try:
        shutil.copy(tmp_path / "mine" / "key", path)
        kernel.run("this_engine().forget_signer()")
        assert "✓ succeeded" in kernel.run("%durable list --limit 1").stdout
        ran = kernel.run("%durable output made[0]")
        assert "which is not yours" in ran.stderr
        assert "%durable trust" in ran.stderr
        assert "another key" in kernel.run("%durable doctor").stdout
        assert "trusted: key" in kernel.run(f"%durable trust {tmp_path}/theirs").stdout
        assert kernel.run("%durable output made[0]").text == "41"
    finally:
        shutil.copy(tmp_path / "kept", path)


def test_help_and_completion_know_every_verb(kernel: Kernel) -> None:
    help = _inspected(kernel, "%durable")
    for verb in ("list", "show", "replay", "debug", "doctor"):
        assert f"    {verb} " in help or f"    {verb}\n" in help
    assert kernel.value("'--plain' in get_ipython().object_inspect_text('%%durable')")
    assert "durable" in kernel.run("%lsmagic").text
    assert _completed(kernel, "%durable re") == ["replay"]
    assert "--strict" in _completed(kernel, "%durable replay --")
    assert any(found.startswith("req_") for found in _completed(kernel, "%durable show req"))
    kernel.run("%%durable --fresh\ndef odd(n):\n    return 1 / n\nodd(0)")
    assert "odd[0]" in _completed(kernel, "%durable inputs od")


def _inspected(kernel: Kernel, name: str) -> str:
    reply = kernel.client.inspect(name, reply=True, timeout=100)
    return str(reply["content"]["data"]["text/plain"])


def _completed(kernel: Kernel, line: str) -> list[str]:
    reply = kernel.client.complete(line, reply=True, timeout=100)
    return list(reply["content"]["matches"])
