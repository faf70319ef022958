"""S16: a credential that code says in every text there is stands in no view, no answer and no copy; and in no notebook.

What functions are given, return and raise are values: they are stored as they are, and shown masked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from jupyter_durable import context
from jupyter_durable.cli.app import app
from jupyter_durable.client import Request, accepting, this_engine, versions
from jupyter_durable.client.accepting import Origin
from jupyter_durable_kernel.cells.printed import Tee
from jupyter_durable_kernel.view import as_value, call_details, preview_as_value
from jupyter_durable_server import answers
from jupyter_durable_server.asked import Detail, Page, Plan, Wanted
from jupyter_durable_server.stores import Stores, name_of
from tests.engine.conftest import Notebook

CANARY = "77c1d9canary"
GIVEN = "5e20aacanary"
"""The same in values."""
SAID = (
    f"token=tok-{CANARY}",
    f"Authorization: Bearer {CANARY}",
    f"{{'Cookie': 'sid={CANARY}; path=/'}}",
    f"[(b'x-api-key', b'{CANARY}')]",
    f"postgres://me:{CANARY}@host/db",
)
"""What a credential is told in: the forms of errors of clients."""
CODE = """
import logging, pprint, sys
@function(retries=1)
def leaks(client, headers, pairs):
    context = RequestContext.get()
    for n, said in enumerate(client.said):
        context.progress.update(n, 9, said, {"said": said})
        context.metrics.counter(said, 1)
        print(said)
    for piece in client.pieces:
        print(*piece)
    pprint.pprint({"password": client.pieces[0][1]})
    sys.stderr.write("token=")
    sys.stderr.write(client.pieces[0][1] + "\\n")
    logging.StreamHandler(sys.stderr).emit(logging.makeLogRecord({"msg": " ".join(client.pieces[0])}))
    print(headers)
    error = ValueError(" and ".join(client.said), headers, client)  # not to be stored, so only its text is
    for said in client.said:
        error.add_note(said)
    raise error
@function()
def gives(headers):
    return {"headers": headers, "authorization": headers["authorization"]}
@application(input_deserializer="pickle")
def fails(headers, pairs, other=None):
    gives(headers)
    leaks(client, headers, pairs)
"""
CALL = f"""
headers = Headers({{"Authorization": "Bearer {GIVEN}", "Cookie": "sid={GIVEN}", "X-Id": "7"}})
pairs = {{b"authorization": b"Bearer {GIVEN}", "Cookie": "sid={GIVEN}", "all": [("X-Api-Key", "{GIVEN}")]}}
"""


class Client:
    """Says credentials; it is not stored."""

    said = SAID
    pieces = (
        ("password:", CANARY),
        ("Authorization: Bearer", CANARY),
        ("-----BEGIN PRIVATE KEY-----",),
        (f"MII{CANARY}", CANARY),
        ("-----END PRIVATE KEY-----",),
    )

    def __reduce__(self) -> str:
        raise TypeError("not to be stored")


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    """A notebook whose application said a credential everywhere, and failed."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    before, tee = this_engine(), Tee(lambda: None)
    tee.install()
    made = Notebook(tmp_path / "store.db", monkeypatch)
    made.namespace["client"] = Client()
    made.cell(CALL, key=None)
    made.cell(CODE, key=None)
    with pytest.raises(ValueError, match=CANARY):  # what code raises is a value
        made.cell("fails(headers, pairs)")
    yield made
    tee.remove()
    made.engine.store.close()
    context.engine.set(before)


def shown_by_the_kernel(request: Request) -> dict[str, Any]:
    """View, page and text; every call; what a replay would do."""
    shown: dict[str, Any] = {"view": as_value.bundle_of(request)}
    for call in request.calls():
        shown[f"detail of {call._node.label}"] = call_details.detail(call)
    shown["preview"] = preview_as_value.bundle_of(request.preview())
    return shown


def test_no_view_of_a_kernel_holds_it(notebook: Notebook) -> None:
    shown = shown_by_the_kernel(notebook.last())
    assert shown["view"]
    assert len(shown) == 4
    hidden_in(shown)


def hidden_in(shown: dict[str, Any]) -> None:
    """Neither of the two stands in anything of this."""
    for what, said in shown.items():
        for canary in (CANARY, GIVEN):
            at = repr(said).find(canary)
            assert at < 0, (what, repr(said)[max(0, at - 200) : at + 20])


def test_no_answer_of_the_server_holds_it(notebook: Notebook) -> None:
    notebook.engine.store.close()
    url = f"sqlite:///{notebook.path}"
    known, name = Stores(lambda: [url]), name_of(url)
    listed = answers.listing(known, Wanted(limit=100), "")
    (id,) = [each["id"] for each in listed["requests"] if each["application"] == "fails"]
    shown = {"list": listed, "info": answers.info(known, name, id, ""), "snapshot": answers.snapshot(known, name, id)}
    shown["plan"] = answers.preview(known, name, id, Plan())
    shown["page"] = answers.page(known, name, id, Page(parent=1, offset=0))
    for call in shown["snapshot"]["calls"]:
        shown[call["label"]] = answers.detail(known, name, id, Detail(call=call["id"]))
    assert len(shown) >= 8
    hidden_in(shown)


def test_no_command_shows_it_and_a_copy_holds_it_in_no_text(notebook: Notebook) -> None:
    notebook.engine.store.close()
    notebook.restart()
    shown, copied = {}, notebook.path.with_name("copied.db")
    others = json.dumps({"Authorization": f"Bearer {GIVEN}"})
    words = [[each, "last"] for each in ("show", "tree", "logs", "output", "preview")]
    words += [[each, "last", "gives[0]"] for each in ("inputs", "output", "logs")]
    words += [["logs", "last", "leaks[0]"], ["list"], ["doctor"], ["store"], ["copy", str(copied)]]
    words += [["fork", "last", "--input", others], ["replay", "last"], ["show", "last"]]
    for word in words:
        for form in ([], ["--json"]) if word[0] != "copy" else ([],):
            done = CliRunner().invoke(app, ["--store", f"sqlite:///{notebook.path}", *word, *form])
            shown[" ".join([*word, *form])] = done.output + done.stderr
    hidden_in(shown)
    assert "***" in shown["logs last"]
    assert "***" in shown["inputs last gives[0]"]
    data = copied.read_bytes()
    at = data.find(CANARY.encode())
    assert at < 0, data[at - 300 : at + 100]
    assert copied.stat().st_mode & 0o077 == 0


def test_a_fork_with_another_input_shows_it_nowhere(notebook: Notebook) -> None:
    request = notebook.last()
    fork = request.fork(input=({"authorization": f"Bearer {GIVEN}"}, {}, f"password={CANARY}"))
    assert (fork.status, fork.id != request.id) == ("failed", True)
    hidden_in({**shown_by_the_kernel(fork), "text": str(fork), "tree": fork.tree(), "error": str(fork.error)})


def test_headers_of_a_request_are_what_they_are_for_its_code_and_stand_in_nothing_that_is_shown(
    notebook: Notebook,
) -> None:
    notebook.cell(
        "@application()\n@function()\ndef asks(n: int) -> bool:\n"
        "    headers = RequestContext.get().headers\n    print(headers, dict(headers))\n"
        "    ran(headers['authorization'])\n    return headers.get('x-id') == '7'",
        key=None,
    )
    origin = Origin(headers=json.dumps([["Authorization", f"Bearer {GIVEN}"], ["Cookie", f"a={GIVEN}"], ["X-Id", "7"]]))
    spec = notebook.namespace["asks"].__durable__
    row, _ = accepting.accept(notebook.engine, spec, (1,), {}, origin, versions.live_code(None))
    request = Request(notebook.engine, row)
    request.replay()
    assert request.output() is True
    assert notebook.executed() == [f"Bearer {GIVEN}"]
    shown = {**shown_by_the_kernel(request), "text": str(request), "logs": notebook.engine.store.logs(row.serial)}
    hidden_in(shown)


def test_a_copy_holds_no_signing_key(notebook: Notebook, tmp_path: Path) -> None:
    """S18: what is handed on is requests and values, not what vouches for them."""
    copied = tmp_path / "handed" / "on.db"
    copied.parent.mkdir()
    notebook.engine.store.copy(copied)
    (key_file,) = [path for path in (tmp_path / "jupyter").rglob("key*") if path.is_file()]
    keys = re.findall(rb"[0-9a-f]{64}", key_file.read_bytes()) or [key_file.read_bytes()]
    for path in copied.parent.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        for key in keys:
            assert key not in data
            assert len(key) < 64 or bytes.fromhex(key.decode()) not in data
