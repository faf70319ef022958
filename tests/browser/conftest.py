"""One server and one browser for all browser tests.

They end with the last of these tests: while playwright runs, an event loop runs in this thread, and tests that come
later could not have one of their own.

Rules of this file
- What a failed test saw is kept: a picture and the page's console, in `.artifacts`; the report says where.
- No test leaves a busy kernel to the next one, nor its theme.
- Pages are tabs of one window, which takes a fifth less to open than a window of its own and keeps what was loaded;
  what a test's pages had stored, and were allowed, is forgotten with it. A tab that is as a new one is used again.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.kept import SIZE, Console, Tabs
from tests.browser.lab import ARTIFACTS, Lab, Settings, running_lab

PATIENCE = 90_000
"""Milliseconds in which what is expected comes on a slow and busy machine: only a fault waits so long."""
expect.set_options(timeout=PATIENCE)
QUIET = ("gpu", "quic", "background-networking", "component-update", "sync")
STORED = "local_storage,indexeddb,cache_storage,service_workers"


CONSOLE = pytest.StashKey[Console]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what is on the page when a test fails; a page that is not there any more has only its console."""
    report = yield
    console = item.stash.get(CONSOLE, None)
    if report.failed and console is not None and call.when != "teardown":
        name = re.sub(r"[^\w.-]+", "-", item.name).strip("-")
        kept = console.keep(ARTIFACTS / f"failed-{name}")
        report.sections.append(("The page", kept))
    return report


def chromium() -> str:
    """Path of Debian's chromium, installed when it is not there."""
    # One worker at a time: apt-get refuses a second one while it is at its lists.
    with (Path(tempfile.gettempdir()) / f"jupyter-durable-chromium-{os.getuid()}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if shutil.which("chromium") is None:
            sudo = [] if os.geteuid() == 0 else ["sudo"]
            subprocess.run([*sudo, "apt-get", "update", "-qq"], check=True)
            wanted = ["chromium", "fonts-dejavu-core"]
            subprocess.run([*sudo, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted], check=True)
    found = shutil.which("chromium")
    assert found is not None
    return found


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's chromium; it calls nobody."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--no-first-run", *[f"--disable-{name}" for name in QUIET]]
        yield playwright.chromium.launch(executable_path=chromium(), args=arguments)


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab."""
    with running_lab(tmp_path_factory.mktemp("lab")) as made:
        yield made


@pytest.fixture(scope="package")
def window(browser: Browser) -> BrowserContext:
    """A window as wide as a laptop's."""
    made = browser.new_context(viewport=SIZE)
    made.set_default_timeout(PATIENCE)
    return made


@pytest.fixture(scope="package")
def first_tab(window: BrowserContext) -> Page:
    """An empty page, which holds the window open."""
    return window.new_page()


@pytest.fixture(scope="package")
def tabs(window: BrowserContext, first_tab: Page) -> Tabs:
    """The tabs of the window."""
    return Tabs(window)


@pytest.fixture
def page(window: BrowserContext, first_tab: Page, tabs: Tabs, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page as wide as a laptop's. After it, kernels of the test's servers that are still at it are ended."""
    ARTIFACTS.mkdir(exist_ok=True)
    console = tabs.take(new="settings" in request.fixturenames)
    request.node.stash[CONSOLE] = console
    yield console.page
    servers = [server for server in request.node.funcargs.values() if isinstance(server, Lab)]
    if "settings" not in request.fixturenames and "lab" in request.node.funcargs:
        tabs.give_back(console, request.node.funcargs["lab"])
    forget(window, first_tab, tabs.kept)
    for server in servers:
        server.end_busy_kernels()
        server.forget_theme()


def forget(window: BrowserContext, first_tab: Page, kept: Page | None) -> None:
    """Close all pages but the first tab and the kept one, and drop what they had stored and were allowed."""
    places = set()
    for page in window.pages:
        if page is not first_tab:
            places.add(urlsplit(page.url)[:2])
            if page is not kept:
                page.close()
    session = window.new_cdp_session(first_tab)
    for place in ["://".join(place) for place in places if place[0] == "http"]:
        session.send("Storage.clearDataForOrigin", {"origin": place, "storageTypes": STORED})
    session.detach()
    if kept is None:  # its login is one of them
        window.clear_cookies()
    window.clear_permissions()


@pytest.fixture
def settings(lab: Lab) -> Iterator[Settings]:
    """Writes the settings of the pages that open then; they are forgotten with the test."""
    written = []

    def write(said: dict[str, Any], of: str = "jupyter-durable/plugin") -> None:
        file = lab.directory.parent / "settings" / f"{of}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(said))
        written.append(file)

    yield write
    for file in written:
        file.unlink()
