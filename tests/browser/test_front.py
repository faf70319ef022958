"""Marks, commands, settings, status bar and notifications, in a real page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.lab import ARTIFACTS, SETUP, Lab, Notebook

CHAIN = """done = []
@function()
def part(n):
    done.append(n)
    if n == 3 and not repaired:
        raise RuntimeError("no answer")
    return n * 10
@application()
@function()
def chain(n: int) -> int:
    return sum(part(i) for i in range(n))
repaired = False"""
REPAIRED = CHAIN.replace("False", "True")
ENDLESS = "@application()\n@function()\ndef endless() -> int:\n    time.sleep(60)\nendless()"
REPAIR = "repaired = True; done.clear()"
APPS = pytest.mark.parametrize("app", ["lab/tree", "notebooks"])
SETTINGS = "jupyter-durable:plugin"


def mark(notebook: Notebook, index: int) -> Locator:
    """The mark of a cell."""
    return notebook.page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{index}'] > .jp-durable-mark")


def state(notebook: Notebook, index: int) -> Locator:
    return mark(notebook, index).locator(".jp-durable-state")


def activate(notebook: Notebook, index: int) -> None:
    notebook.page.evaluate("index => { jupyterapp.shell.currentWidget.content.activeCellIndex = index; }", index)


def command(page: Page, id: str, **args: Any) -> None:
    """Begin a command."""
    page.evaluate("([id, args]) => { jupyterapp.commands.execute(id, args); }", [id, args])


def enabled(page: Page, id: str, **args: Any) -> bool:
    return bool(page.evaluate("([id, args]) => jupyterapp.commands.isEnabled(id, args)", [id, args]))


def caption(page: Page, id: str, **args: Any) -> str:
    return str(page.evaluate("([id, args]) => jupyterapp.commands.caption(id, args)", [id, args]))


@APPS
def test_a_cell_that_owns_a_request_is_marked_and_resumed_from_its_mark(lab: Lab, page: Page, app: str) -> None:
    """Failed, then 3 from checkpoint; cells without a request are left alone; the active cell need not be this one."""
    cells = [SETUP, CHAIN, "total = chain(6)", REPAIR, "[total, done]"]
    notebook = Notebook(page, lab, lab.write(f"marks-{app[:3]}.ipynb", cells), app=app)
    for index in (0, 1, 2):
        notebook.run_to_end(index)
    expect(state(notebook, 2)).to_have_text("✕failed")
    expect(state(notebook, 2)).to_have_attribute("title", re.compile(r"chain · failed[\s\S]*req_"))
    notebook.run_to_end(3)
    activate(notebook, 0)
    mark(notebook, 2).get_by_role("button", name="Resume").click()
    expect(state(notebook, 2)).to_have_text("✓3 from checkpoint")
    expect(mark(notebook, 2).get_by_role("button")).to_be_hidden()
    notebook.run_to_end(4)
    expect(page.locator(".jp-OutputArea-output", has_text="[150, [3, 4, 5]]")).to_be_visible()
    assert page.locator(".jp-durable-mark").count() == 1
    assert page.locator(".jp-durable-owner").count() == 1


def test_a_mark_is_live_and_stays_while_the_cell_runs_again(lab: Lab, page: Page) -> None:
    notebook = Notebook(page, lab, lab.write("live.ipynb", [SETUP, ENDLESS]))
    notebook.run_to_end(0)
    notebook.run(1)
    expect(state(notebook, 1)).to_have_text("●running")
    expect(mark(notebook, 1).get_by_role("button")).to_be_hidden()
    command(page, "durable:cancel-request")
    expect(state(notebook, 1)).to_have_text("⊘cancelled")
    notebook.idle()
    page.evaluate(
        "() => { window.gone = 0; const cell = document.querySelector('.jp-durable-mark').parentNode;"
        "new MutationObserver(() => { window.gone += !cell.querySelector('.jp-durable-mark'); })"
        ".observe(cell, {childList: true}); }"
    )
    mark(notebook, 1).get_by_role("button", name="Resume").click()
    expect(state(notebook, 1)).to_have_text("●running")
    expect(state(notebook, 1)).to_have_attribute("title", re.compile("run 2"))
    command(page, "durable:cancel-request")
    expect(state(notebook, 1)).to_have_text("⊘cancelled")
    assert page.evaluate("() => window.gone") == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 800])
def test_how_it_looks(lab: Lab, page: Page, theme: str, width: int) -> None:
    """Screenshots for people: marks of all states, the menu, and a notification."""
    page.set_viewport_size({"width": width, "height": 900})
    cells = [SETUP, CHAIN, "total = chain(6)", REPAIR, "total = chain(7)", ENDLESS]
    notebook = Notebook(page, lab, lab.write(f"front-{theme}-{width}.ipynb", cells))
    if theme == "dark":
        page.evaluate("() => jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
        expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    for index in (0, 1, 2):
        notebook.run_to_end(index)
    notebook.run_to_end(4)
    notebook.run_to_end(3)
    mark(notebook, 4).get_by_role("button", name="Resume").click()
    expect(state(notebook, 4)).to_have_text("✓3 from checkpoint")
    notebook.run(5)
    expect(state(notebook, 5)).to_have_text("●running")
    activate(notebook, 2)
    page.wait_for_timeout(300)
    page.screenshot(path=ARTIFACTS / f"front-{theme}-{width}.png")
    page.evaluate("() => jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
    command(page, "notebook:interrupt-kernel")
