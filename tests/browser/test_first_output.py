"""The place of a view that never came takes no room in the page, and the view that comes stands in it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.lab import Lab, Notebook

DEFINE = "%%durable\nimport time\ndef say(x, seconds=0.0):\n    print('in', x)\n    time.sleep(seconds)\n    return x"
SILENT = "print('a')\nsay(1)\nNone"
SHOWN = "print('a')\nsay(2, 1.5)\nNone"
OUTPUTS = """index => [...document.querySelectorAll(
    `.jp-Cell[data-windowed-list-index='${index}'] .jp-OutputArea-child`
)].map(child => [
    child.querySelector('.jp-durable-view:not([hidden])') ? 'view' : child.innerText.trim(),
    child.getBoundingClientRect().height
])"""
"""What each output of a cell is, and how high."""


@pytest.mark.full
def test_a_view_stands_above_what_is_printed_and_leaves_no_gap_where_it_does_not_come(lab: Lab, page: Page) -> None:
    """In the page, and again when the saved notebook is opened."""
    notebook = Notebook(page, lab, lab.write("first.ipynb", [DEFINE, SILENT, SHOWN]))
    for cell in range(3):
        notebook.run_to_end(cell)
    expect(notebook.view(2).locator(".jp-durable-state")).to_have_text(re.compile("succeeded"))
    notebook.save()
    page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")
    for _ in range(2):
        assert page.evaluate(OUTPUTS, 1)[:-1] in ([], [["", 0]])
        assert [what for what, _ in page.evaluate(OUTPUTS, 2)] == ["view", "a\nin 2"]
        notebook = Notebook(page, lab, "first.ipynb")
        expect(notebook.view(2).locator(".jp-durable-state")).to_have_text(re.compile("succeeded"))
