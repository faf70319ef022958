"""A tab in which JupyterLab stays loaded from one test to the next: loading it takes four seconds of a processor.

Rules of this file
- A test is given the tab of another one only if it is as a new one would be: nothing is open in it, nothing asks or
  tells, its sides are as they were, and the test before it passed. Whatever else was done to it, a new one is opened.
- Only the first notebook of a test is opened in it (`Notebook` of lab.py); a second one loads the page, as a user does.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Response, ViewportSize
from playwright.sync_api import Error as PlaywrightError

LAST_LINES = 8
SIZE = ViewportSize(width=1280, height=900)

LOADED = """() => {
    const shell = window.jupyterapp.shell;
    window.sides = () => ['left', 'right'].flatMap(area => [...shell.widgets(area)])
        .filter(each => each.isVisible).map(each => each.id).join();
    window.sidesAtFirst = window.sides();
}"""
"""Said when JupyterLab has opened its first notebook: what it is to look like again."""

EMPTY = """async () => {
    if (!window.sides || document.body.dataset.jpThemeLight !== 'true') return false;
    const { shell } = window.jupyterapp;
    for (const widget of [...shell.widgets('main'), ...shell.widgets('down')]) {
        if (widget.context) widget.context.model.dirty = false;
        for (const cell of widget.content?.widgets ?? []) cell.outputArea?.model.clear();
        widget.dispose();
    }
    for (const name of ['running', 'cancelled', 'tops', 'gone', 'updates']) delete window[name];
    return true;
}"""
"""Closes what is open, a view before its notebook; false when it is not JupyterLab, or not light."""

CLEAN = """() => {
    const seen = ['.jp-Dialog', '.lm-Menu', '.Toastify__toast', '.jp-durable-view', '.jp-durable-status']
        .flatMap(each => [...document.querySelectorAll(each)]).filter(each => each.offsetParent);
    window.emptied = !seen.length && window.sides() === window.sidesAtFirst;
    return window.emptied;
}"""
"""Nothing of a test is left, when the kernels that were busy are ended."""
SOON = 2000
"""Milliseconds in which that is so; a new page is opened later than that."""

OPEN = """async path => {
    window.emptied = false;
    const { commands, shell } = window.jupyterapp;
    const opened = await commands.execute('docmanager:open', { path });
    for (const widget of [...shell.widgets('main')]) if (widget !== opened) widget.dispose();
}"""
"""Opens a notebook where nothing is open; what JupyterLab shows in an empty window is closed."""


class Server(Protocol):
    """A `Lab` of lab.py."""

    url: str

    def end_busy_kernels(self) -> None: ...


class Console:
    """A page, and what it said while a test had it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.lines: list[str] = []
        self.failed = False
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.lines.append(f"uncaught: {error.stack or error.message}"))
        page.on("requestfailed", lambda asked: self.lines.append(f"failed: {asked.method} {asked.url} {asked.failure}"))
        page.on("response", self._answered)

    def _heard(self, said: ConsoleMessage) -> None:
        where = said.location
        self.lines.append(f"{said.type}: {said.text} ({where['url']}:{where['lineNumber']})")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.lines.append(f"{response.status}: {response.request.method} {response.url}")

    def keep(self, name: Path) -> str:
        """Write it beside a picture of the page; says where, and what came last."""
        self.failed = True
        said = [self.page.url, *self.lines]
        try:
            self.page.screenshot(path=f"{name}.png")
        except PlaywrightError as error:  # the page is gone, or hangs
            said.append(f"no picture: {error}")
        Path(f"{name}.txt").write_text("\n".join(said) + "\n")
        return "\n".join([f"{name}.png and .txt, which ends:", *said[-LAST_LINES:]])


class Tabs:
    """Hands a tab to each test, the one before if that can be."""

    def __init__(self, window: BrowserContext) -> None:
        self._window = window
        self._kept: Console | None = None

    def take(self, *, new: bool) -> Console:
        """A tab for a test, `new` if the test changes what JupyterLab is as it is loaded."""
        kept, self._kept = self._kept, None
        if kept is not None and not new:
            kept.lines.clear()
            return kept
        if kept is not None:
            kept.page.close()
        return Console(self._window.new_page())

    def give_back(self, console: Console, lab: Server) -> None:
        """Empty the tab, and keep it if it is JupyterLab of `lab` and nothing of the test is left."""
        page = console.page
        try:
            if not console.failed and re.match(rf"{re.escape(lab.url)}/lab\b", page.url) and page.evaluate(EMPTY):
                lab.end_busy_kernels()
                page.wait_for_function(CLEAN, timeout=SOON)
                page.set_viewport_size(SIZE)
                self._kept = console
        except PlaywrightError as error:  # something is left, or the page is gone
            console.lines.append(f"not kept: {error}")

    @property
    def kept(self) -> Page | None:
        """The tab that stays open."""
        return self._kept.page if self._kept is not None else None
