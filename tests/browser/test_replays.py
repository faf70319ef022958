"""A request that succeeded runs again with its checkpoints: under its cell, and in a tab. Real pages, real kernels."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.lab import SETUP, Lab, Notebook, again
from tests.browser.test_panel import Requests, tab

PARTS = """@function()
def part(n):
    return n * 10"""
CELL = """%%durable
arrived = [part(n) for n in range(4)]"""
WHOLE = """@application()
@function()
def whole(n: int) -> int:
    return sum(part(i) for i in range(n))
outcome = whole(4)"""


def opened(view: Locator) -> Locator:
    """A view that shows its tree."""
    expect(view.locator(".jp-durable-state")).to_contain_text("succeeded")
    if view.locator(".jp-durable-tree").is_hidden():
        view.locator(".jp-durable-head .jp-durable-twisty").click()
    return view


def ended(view: Locator, run: int, counts: str) -> None:
    """The view shows that run, and how its calls went."""
    expect(view.locator(".jp-durable-id")).to_have_text(re.compile(rf"req_\w+ · run {run}$"))
    expect(view.locator(".jp-durable-state")).to_contain_text("succeeded")
    expect(view.locator(".jp-durable-counts")).to_have_text(re.compile(counts))


def choose(view: Locator, entry: str) -> None:
    view.get_by_role("button", name="More").click()
    view.get_by_role("menuitem", name=entry).click()


def press(view: Locator, call: str, button: str) -> None:
    """A button of the detail of a call."""
    label = view.locator(".jp-durable-label", has_text=call)
    if view.get_by_role("button", name=button).count() == 0:
        label.click()
    view.get_by_role("button", name=button).click()


def each_choice(view: Locator, run: int) -> None:
    """All that a view offers executes what it says, and reuses the others."""
    press(view, "part[1]", "Re-run this call")
    ended(view, run, "3 from checkpoint.*1 ran")
    press(view, "part[1]", "Replay from here")
    ended(view, run + 1, "1 from checkpoint.*3 ran")
    choose(view, "Re-run what changed")
    ended(view, run + 2, "4 from checkpoint.*0 ran")
    choose(view, "Strict replay")
    ended(view, run + 3, "4 from checkpoint.*0 ran")
    choose(view, "Replay recorded code")
    ended(view, run + 4, "4 from checkpoint.*0 ran")


@pytest.mark.parametrize(
    ("source", "variable", "value", "later"),
    [(CELL, "arrived", "[0, 10, 20, 30]", "[0, 100, 200, 300]"), (WHOLE, "outcome", "60", "600")],
)
def test_under_its_cell_a_replay_goes_on_with_it_and_its_variables_arrive(
    lab: Lab, page: Page, source: str, variable: str, value: str, later: str
) -> None:
    """With a kernel that has forgotten them; what has changed executes."""
    name = lab.write(f"again-{variable}.ipynb", [SETUP, PARTS, source, f"print({variable!r} in globals(), {variable})"])
    notebook = Notebook(page, lab, name)
    for index in range(3):
        notebook.run_to_end(index)
    view = opened(notebook.view(2))
    each_choice(view, 2)
    notebook.write(0, f"del {variable}")
    notebook.run_to_end(0)
    again(view).click()
    view = notebook.view(2)
    opened(view)
    ended(view, 7, "4 from checkpoint.*0 ran")
    notebook.run_to_end(3)
    output = page.locator(".jp-Cell[data-windowed-list-index='3'] .jp-OutputArea-output")
    expect(output).to_have_text(f"True {value}")
    notebook.write(1, PARTS.replace("* 10", "* 100"))
    notebook.run_to_end(1)
    again(opened(view)).click()
    opened(notebook.view(2))
    ended(notebook.view(2), 8, "^4 ran")
    notebook.run_to_end(3)
    expect(output).to_have_text(f"True {later}")


def test_a_cell_that_is_run_by_hand_after_a_success_still_begins_anew(lab: Lab, page: Page) -> None:
    notebook = Notebook(page, lab, lab.write("anew.ipynb", [SETUP, PARTS, CELL]))
    for index in range(3):
        notebook.run_to_end(index)
    first = opened(notebook.view(2)).get_attribute("data-request")
    again(notebook.view(2)).click()
    expect(notebook.view(2).locator(".jp-durable-id")).to_contain_text("run 2")
    notebook.idle()
    notebook.run_to_end(2)
    expect(notebook.view(2)).not_to_have_attribute("data-request", first or "")


@pytest.mark.full
def test_in_a_tab_every_choice_works_and_says_why_where_it_cannot(lab: Lab, page: Page) -> None:
    notebook = Notebook(page, lab, lab.write("tabbed.ipynb", [SETUP, PARTS, CELL]))
    for index in range(3):
        notebook.run_to_end(index)
    panel = Requests(page)
    row = panel.node.locator(".jp-durable-listed", has_text="tabbed.ipynb")
    panel.choose(row, "Open as Tab")
    view = opened(tab(page))
    each_choice(view, 2)
    again(view).click()
    ended(view, 7, "4 from checkpoint.*0 ran")
    lab.end_kernels()
    debug = view.get_by_role("button", name="Debug")
    if debug.count() == 0:
        view.locator(".jp-durable-label", has_text="part[1]").click()
    expect(debug).to_have_attribute("aria-disabled", "true")
    expect(debug).to_have_attribute("title", re.compile("Only a kernel can do this"))
    again(view).click()
    page.get_by_role("dialog").get_by_role("button", name="Open and Replay").click()
    expect(row).to_contain_text(re.compile("8 runs.*4 from checkpoint"))
