"""The commands on a request that failed: what they say to people and to programs, and their exit codes."""

from __future__ import annotations

import json
import sqlite3
import sys
import types
from collections import OrderedDict, namedtuple

import pytest
import typer

from jupyter_durable.cli.app import app
from jupyter_durable.cli.said import Value, value_json
from tests.cli.conftest import Terminal

LOADS = ["load 0", "load 1", "load 2", "load 3"]
VERBS = {
    *("list", "show", "tree", "preview", "inputs", "output", "logs", "replay", "fork", "cancel"),
    *("delete", "pin", "gc", "doctor", "store", "copy", "push", "pull", "run"),
    *("serve", "token", "login", "key", "deploy", "mcp", "export"),
}


def test_every_verb_is_there_and_has_a_sentence_of_help():
    """`jupyter durable --help` names them all."""
    commands = {command.name: command for command in typer.main.get_group(app).commands.values()}
    assert set(commands) == VERBS
    assert all(command.help and command.help.endswith(".") for command in commands.values())


def test_list_gives_a_record_for_each_request(terminal: Terminal):
    (found,) = terminal.json("list")
    assert (found["application"], found["status"], found["executed"]) == ("report", "failed", 5)
    assert terminal.json("list", "--status", "running") == []
    assert terminal.json("list", "--since", "1h") == [found]
    assert terminal.json("list", "--since", "2099-01-01") == []
    assert terminal.json("list", "--text", "report") == [found]
    assert terminal.json("list", "--notebook", found["notebook"]) == [found]


def test_foreign_text_is_shown_escaped(terminal: Terminal):
    """Neither control characters, nor direction characters, nor markup act on the terminal."""
    for verb in ("list", "show", "tree"):
        out = terminal(verb).out
        assert "\x1b" not in out
        assert "\u202e" not in out
    assert "[red]disk[/red] is \\x1b[31mfull\\u202e" in terminal("list").out


def test_show_has_the_runs_the_tree_and_the_traceback(terminal: Terminal):
    shown = terminal.json("show")
    assert [run["status"] for run in shown["runs"]] == ["failed"]
    assert [call["label"] for call in shown["calls"]] == ["report[0]", *(f"load[{n}]" for n in range(4)), "total[0]"]
    assert list(shown["failures"]) == ["total[0]"]
    assert "in total" in terminal("show").out


def test_show_finds_a_request_by_a_prefix(terminal: Terminal):
    id = terminal.json("show")["request"]["id"]
    assert terminal.json("show", id[4:10])["request"]["id"] == id
    assert terminal.json("tree", id)["request"] == id


def test_preview_says_what_a_replay_would_do_and_does_nothing(terminal: Terminal):
    calls = {call["call"]: call["verdict"] for call in terminal.json("preview")["calls"]}
    assert calls["load[2]"] == "reused"
    assert calls["total[0]"] == "executed"
    assert terminal.json("preview", "--from", "load[1]")["calls"][3]["verdict"] == "executed"
    assert terminal.ran == [*LOADS, "total"]


def test_replay_executes_what_failed_with_the_recorded_code(terminal: Terminal):
    """No cell runs here: functions and classes of `__main__` come from the version of the request."""
    terminal.mend()
    done = terminal.json("replay")
    assert done["request"]["status"] == "succeeded"
    assert done["summary"] == "4 from checkpoint · 1 ran"
    assert terminal.ran == [*LOADS, "total", "total"]
    assert terminal.json("output")["value"] == 6


def test_a_replay_that_fails_again_ends_with_1(terminal: Terminal):
    answer = terminal("replay")
    assert answer.code == 1
    assert "failed" in answer.out
    assert "Traceback" not in answer.err


def test_what_user_code_prints_stays_out_of_the_document(terminal: Terminal):
    """With --json, prints go to stderr."""
    answer = terminal("replay", "--json")
    assert "reporting" in answer.err
    assert "reporting" not in answer.out


def test_replay_takes_names_of_calls_to_run_again(terminal: Terminal):
    terminal.mend()
    terminal("replay", "--rerun", "load[1],total")
    assert terminal.ran == [*LOADS, "total", "load 1", "total"]


def test_replay_from_a_call_runs_all_that_is_later(terminal: Terminal):
    terminal.mend()
    terminal("replay", "--from", "load[2]")
    assert terminal.ran == [*LOADS, "total", "load 2", "load 3", "total"]


def test_a_strict_replay_of_unchanged_code_passes(terminal: Terminal):
    terminal.mend()
    assert terminal("replay", "--strict").code == 0
    assert terminal.ran == [*LOADS, "total", "total"]


@pytest.mark.parametrize("words", [["--latest"], ["--rerun", "changed"]])
def test_the_code_of_now_is_not_here(terminal: Terminal, words: list[str]):
    """Without the cells a request would run without its functions, so nothing runs."""
    answer = terminal("replay", *words)
    assert answer.code == 2
    assert "%durable replay --latest" in answer.err
    assert len(terminal.json("show")["runs"]) == 1


def test_fork_leaves_the_request_alone(terminal: Terminal):
    terminal.mend()
    made = terminal.json("fork", "--input", "2")
    first = terminal.json("list")[-1]
    assert (made["request"]["status"], made["request"]["forked_from"]) == ("succeeded", first["id"])
    assert first["status"] == "failed"
    assert terminal.json("output", made["request"]["id"])["value"] == 1


def test_a_fork_of_a_replayed_request_reuses_what_the_replay_reused(terminal: Terminal):
    terminal.mend()
    terminal("replay")
    forked = terminal.json("fork", "--from", "total")
    assert forked["request"]["status"] == "succeeded"
    assert terminal.ran == [*LOADS, "total", "total", "total"]


def test_inputs_and_outputs_of_calls_need_no_cell(terminal: Terminal):
    """A value of a class of `__main__` is shown by a process that never defined it."""
    assert terminal.json("inputs", "load[2]")["args"][0]["value"] == 2
    assert terminal("output", "load[2]").out == "Page(title='page 2', size=2)\n"
    form = terminal.json("output", "last", "load[2]")
    assert (form["type"], form["json"]) == ("Page", False)
    assert "Page" in terminal("inputs", "total").out


PW = "hunter2canary"
Login = namedtuple("Login", "user password")


@pytest.mark.parametrize(
    "value",
    [
        f"password={PW}",
        {"password": PW, "n": 1},
        {"a": [{"b": {"token": PW.encode()}}]},
        {"password": [PW], "secret": {"value": PW}},
        [("password", PW)],
        f"password={PW}".encode(),
        json.dumps({"a": json.dumps({"password": PW})}),
        ["Cookie", f"sid={PW}"],
        Login("me", PW),
        [Login("me", PW)],
        types.SimpleNamespace(password=PW),
        OrderedDict(api_key=PW),
        f"redis://:{PW}@host/0",
    ],
)
def test_a_credential_in_a_value_is_shown_only_when_it_is_asked_for(value: object):
    """In text and in JSON, by its name and by its looks."""
    for shown in (Value(value).text, json.dumps(value_json(value))):
        assert PW not in shown
        assert "***" in shown
    assert PW in Value(value, raw=True).text
    assert PW in json.dumps(value_json(value, raw=True))


@pytest.mark.parametrize("value", [3, "plain", [1, {"max_tokens": 100}], {"tokens": [1, 2]}, None, (1.5, "x")])
def test_a_value_without_one_is_shown_as_it_is(value: object):
    assert value_json(value) == value_json(value, raw=True)
    assert value_json(value)["value"] == json.loads(json.dumps(value))
    assert Value(value).text == (value if isinstance(value, str) else repr(value))


@pytest.mark.parametrize("value", [10**5000, -(10**5000), [10**5000], {"a": 10**5000}], ids=type)
def test_a_number_of_more_digits_than_python_writes_is_shown(value: object):
    assert value_json(value)["json"] is False
    assert "0x" in Value(value).text or "digits" in Value(value).text


def test_the_output_of_a_failed_call_is_its_traceback_and_1(terminal: Terminal):
    answer = terminal("output", "total[0]")
    assert answer.code == 1
    assert "in total" in answer.err
    assert "\x1b" not in answer.err
    assert terminal("output").code == 1


def test_cancel_of_what_has_ended_is_wrong_use(terminal: Terminal):
    answer = terminal("cancel")
    assert answer.code == 2
    assert "nothing to cancel" in answer.err


def test_pin_keeps_a_request_from_collection(terminal: Terminal):
    assert terminal.json("pin")["pinned"] is True
    assert terminal.json("gc", "--older-than", "0s")["requests"] == []
    assert terminal.json("pin", "--off")["pinned"] is False
    id = terminal.json("list")[0]["id"]
    assert terminal.json("gc", "--older-than", "0s", "--dry-run")["requests"] == [id]
    assert len(terminal.json("list")) == 1
    assert terminal.json("gc", "--older-than", "0s")["requests"] == [id]
    assert terminal.json("list") == []


def test_delete_removes_a_request_and_needs_its_name(terminal: Terminal):
    assert terminal("delete").code == 2
    id = terminal.json("list")[0]["id"]
    assert terminal.json("delete", id) == {"deleted": id}
    assert terminal.json("list") == []


def test_logs_are_a_list_even_when_nothing_was_printed(terminal: Terminal):
    assert isinstance(terminal.json("logs"), list)
    assert terminal("logs").code == 0


def test_doctor_finds_nothing_wrong(terminal: Terminal):
    findings = terminal.json("doctor")["findings"]
    assert {each["level"] for each in findings} <= {"ok", "warning"}


def test_store_says_where_requests_are_kept(terminal: Terminal):
    assert terminal.json("store")["store"] == terminal.url


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["show", "req_nothing"], "there is no request"),
        (["inputs", "load[9]"], "no call load[9]; it has load[0]"),
        (["replay", "--from", "nothing"], "no call"),
        (["list", "--status", "great"], "known are queued"),
        (["list", "--since", "soon"], "2h or 7d"),
        (["gc", "--older-than", "long"], "30d"),
        (["run", "nothing.ipynb"], "there is no notebook"),
    ],
)
def test_wrong_use_is_one_sentence_and_2(terminal: Terminal, words: list[str], told: str):
    answer = terminal(*words)
    assert answer.code == 2
    assert told in answer.err
    assert answer.out == ""
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize(
    "verb", ["show", "tree", "delete", "pin", "cancel", "logs", "replay", "fork", "preview", "copy"]
)
def test_a_word_that_is_no_utf8_is_wrong_use(terminal: Terminal, verb: str):
    """So are bytes of an argument, as the system gives them; nothing is found by them."""
    answer = terminal(verb, "\udcff")
    assert answer.code == 2
    assert "there is no request" in answer.err or "is no UTF-8" in answer.err
    assert terminal.json("list", "--text", "\udcff") == terminal.json("list", "--notebook", "\udcff") == []


def test_an_ambiguous_prefix_names_the_requests(terminal: Terminal):
    terminal.mend()
    terminal("fork", "--input", "1")
    answer = terminal("show", "req_")
    assert answer.code == 2
    assert answer.err.count("req_") >= 3


def test_a_store_that_is_not_there_is_not_made(terminal: Terminal):
    url = f"sqlite:///{terminal.directory / 'slip.db'}"
    answer = terminal("list", "--store", url)
    assert answer.code == 2
    assert "there is no store at" in answer.err
    assert not (terminal.directory / "slip.db").exists()


def test_a_store_that_is_newer_or_damaged_is_one_sentence(terminal: Terminal):
    newer = terminal.directory / "newer.db"
    terminal.json("list")
    with sqlite3.connect(terminal.directory / "store.db") as connection:
        connection.execute("VACUUM INTO ?", (str(newer),))
    connection.close()
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    damaged = terminal.directory / "damaged.db"
    damaged.write_bytes(b"not a database at all" * 100)
    for path, told in ((newer, "upgrade jupyter-durable"), (damaged, "")):
        answer = terminal("list", "--store", f"sqlite:///{path}")
        assert answer.code == 2
        assert answer.err.startswith("Error: ")
        assert told in answer.err
        assert "Traceback" not in answer.err


def test_the_command_finds_nothing_of_its_own_in_main(terminal: Terminal):
    """Recorded code runs in an empty `__main__`, and this process has its own again afterwards."""
    before = sys.modules["__main__"]
    terminal.mend()
    terminal("replay")
    assert sys.modules["__main__"] is before
