"""S7 and S15: nothing else of ours listens or connects, in Python or in the page: Jupyter serves and asks."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PYTHON: Final = sorted(
    path
    for package in ("jupyter_durable", "kernel/jupyter_durable_kernel", "kernel/jupyter_durable_server")
    for path in (ROOT / package).rglob("*.py")
    if not {("jupyter_durable", "server"), ("store", "http")} & set(pairwise(path.relative_to(ROOT).parts))
)
"""All but the remote backend and the store that asks it, which `server_app` is about."""
OF_THE_NETWORK: Final = {
    "_socket", "aiohttp", "ftplib", "http", "httpx", "requests", "smtplib", "socket", "socketserver", "ssl",
    "telnetlib", "urllib3", "urllib", "websocket", "websockets", "xmlrpc",
}  # fmt: skip
HARMLESS: Final = {"_socket.gethostname", "socket.gethostname", "urllib.parse"}
"""The name of this machine, which owners have; the parts of a URL."""
NAMES_A_TYPE: Final = {"jupyter_durable/serializer/pickler.py"}
"""Sockets are no values."""
ASKS_A_SERVER: Final = {"jupyter_durable/client/backend.py", "jupyter_durable/client/remote.py"}
"""The one that the settings name, for deployed applications; `applications` is about it."""
LISTENS: Final = {"create_server", "listen", "open_connection", "start_server", "start_unix_server", "urlopen"}
PROGRAM: Final = """
import json, sys
seen = []
sys.addaudithook(lambda event, given: seen.append((event, repr(given))) if event.startswith("socket.") else None)
from jupyter_durable import *
configure(store=sys.argv[1])
@function(timeout=5)
def part(n):
    return n
@application()
@function()
def flow(n: int) -> list[int]:
    return list(part.map(range(n)))
request = run_local_application(flow, 5)
request.replay()
request.fork()
list_requests()
print(json.dumps([each for each in seen if each[0] not in ("socket.gethostname", "socket.__new__")]))
"""


def used(tree: ast.AST) -> set[str]:
    """Modules of the network that a file imports, but what is harmless; and methods that listen or connect."""
    found: set[str] = set()
    attributes = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            uses = {each for each in attributes if each.startswith(f"{name}.")} or {name}
            harmless = all(any(f"{use}.".startswith(f"{one}.") for one in HARMLESS) for use in uses)
            if name.partition(".")[0] in OF_THE_NETWORK and not harmless:
                found.add(name)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LISTENS:
            found.add(node.func.attr)
    return found


def test_no_module_of_ours_listens_or_connects() -> None:
    found = {str(path.relative_to(ROOT)): used(ast.parse(path.read_text())) for path in PYTHON}
    assert {path for path, what in found.items() if what} == NAMES_A_TYPE | ASKS_A_SERVER


@pytest.mark.parametrize(
    "source",
    [
        "import socket\nsocket.socket().connect(x)",
        "from urllib.request import urlopen",
        "import http.server",
        "import asyncio\nasyncio.start_server(f)",
        "import httpx as h",
        "from socket import socket, gethostname",
    ],
)
def test_what_would_listen_or_connect_is_found(source: str) -> None:
    assert used(ast.parse(source))
    assert not used(ast.parse("import socket\nfrom urllib.parse import quote\nsocket.gethostname()"))


def test_a_request_that_runs_is_replayed_and_forked_opens_no_connection_and_no_port(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, f"sqlite:///{tmp_path / 'store.db'}"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=100,
        check=True,
    )
    assert json.loads(ran.stdout.splitlines()[-1]) == []


OTHER_PAGE = ROOT / "labextension" / "src" / "page"
"""That of `jupyter durable serve`, which has no Jupyter to ask."""


def test_the_page_asks_jupyters_own_server_only() -> None:
    """By `ServerConnection`, whose address and token are of the page's configuration."""
    direct = re.compile(
        r"(?<![\w.])(fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon)\s*\(|https?://(?!www\.w3\.org/)"
    )
    found = sorted((ROOT / "labextension" / "src").rglob("*.ts"))
    sources = [path for path in found if not path.is_relative_to(OTHER_PAGE)]
    assert len(sources) > 20
    for path in sources:
        code = re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", path.read_text(), flags=re.DOTALL)
        assert not direct.search(code), path
    assert any("ServerConnection.makeRequest" in path.read_text() for path in sources)


def test_the_page_of_a_server_asks_that_server_only() -> None:
    """In one place, by an address that names no host."""
    asking = [
        path.read_text() for path in OTHER_PAGE.rglob("*.ts") if re.search(r"(?<![\w.])fetch\(", path.read_text())
    ]
    assert len(asking) == 1
    assert re.findall(r"fetch\([^,]+,", asking[0]) == ["fetch(`page/${path}`,"]
