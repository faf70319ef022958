"""A server with requests in it, as a colleague finds it: deployed ones, one of a script, one that means harm."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_durable.store import open_store
from jupyter_durable.testing.conformance.rows import mark, started
from tests.applications.conftest import Served
from tests.applications.programs import HEAD

HOSTILE = "<img src=x onerror=alert(1)>\u202eevil"
"""A name of a user's: markup, and a character that turns text round."""
HOSTILE_ID = "req_" + "ba" * 8

APPLICATIONS = (
    HEAD
    + """
from pathlib import Path
from jupyter_durable import configure

@function()
def fetch(page: str) -> str:
    executed(f"fetch {page}")
    return f"text of {page}"

@function()
def summarize(text: str) -> dict:
    executed(f"summarize {text}")
    return {"words": len(text.split()), "of": text}

@application()
@function()
def report(pages: list[str]) -> list[dict]:
    return [summarize(fetch(page)) for page in pages]

@application()
@function()
def fragile(n: int) -> int:
    fetch("the only page")
    raise ValueError("the price list has no column 'amount'")

@application()
@function()
def patient(go: str) -> str:
    fetch("first")
    while not Path(go).exists():
        time.sleep(0.05)
    return fetch("second")

@function()
def ask(question: str) -> str:
    return "an answer to " + question

@application()
@function()
def study(question: str) -> list[str]:
    return [ask(question), ask(question + "?")]

deploy()
configure(store=os.environ["JUPYTER_DURABLE_SERVER"])
study("why")
"""
)


def filled(server: Served) -> dict[str, str]:
    """Deploy, and have a request of each kind; ids by application. `patient` runs until its `gate` is there."""
    server.script(APPLICATIONS)
    ids = {"report": server.begin("report", ["prices", "terms"]), "fragile": server.begin("fragile", 1)}
    for name, id in ids.items():
        server.ended(name, id)
    ids["patient"] = server.begin("patient", str(gate(server)))
    _harm(server)
    return ids


def gate(server: Served) -> Path:
    """The file that `patient` waits for."""
    return server.folder / "go"


def _harm(server: Served) -> None:
    """A request whose names are not those of Python: whoever may write can send any."""
    before = os.environ.get("JUPYTER_DURABLE_TOKEN")
    os.environ["JUPYTER_DURABLE_TOKEN"] = server.token
    try:
        store = open_store(server.url)
        journal = started(store, HOSTILE_ID, application=HOSTILE, notebook=f"/{HOSTILE}/n.ipynb", cell=HOSTILE)
        journal.record(mark(2, name=HOSTILE))
        store.close()
    finally:
        os.environ.pop("JUPYTER_DURABLE_TOKEN")
        if before is not None:
            os.environ["JUPYTER_DURABLE_TOKEN"] = before
