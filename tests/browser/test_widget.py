"""`request.widget()` in a real page: among other widgets, live, and with controls while a cell runs."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.lab import APPS_IN_FULL, ARTIFACTS, SETUP, Lab, Notebook

APP = """import ipywidgets, threading
@function()
def part(n):
    if n == 3 and broken:
        raise ValueError("no page 3")
    time.sleep(0.02)
    return n
@application()
@function()
def whole(n: int) -> int:
    RequestContext.get().progress.update(0, n)
    return sum(part(i) for i in range(n))
broken = True"""
SHOW = """w = get_request('last').widget()
label = ipywidgets.Label()
ipywidgets.jslink((w, 'status'), (label, 'value'))
ipywidgets.VBox([label, w])"""
PRESSES = 3
HEARD_MILLISECONDS = 5000
FAIL = "try:\n    whole(5)\nexcept ValueError:\n    pass"


SELECTED = "[aria-selected='true'] > .jp-durable-row .jp-durable-label"


def opened(lab: Lab, page: Page, name: str, cells: list[str], app: str = "lab/tree") -> tuple[Notebook, Locator]:
    """A notebook whose first cells ran, the last of them showing a widget; and the view in it."""
    notebook = Notebook(page, lab, lab.write(name, [SETUP, APP, FAIL, SHOW, *cells]), app=app)
    for index in range(4):
        notebook.run_to_end(index)
    view = notebook.view(3)
    expect(view).to_be_visible()
    return notebook, view


def label(notebook: Notebook) -> Locator:
    return notebook.page.locator(".jp-Cell[data-windowed-list-index='3'] .widget-label")


def cancel_pressed(live: Locator) -> None:
    """Press Cancel until the view says so: a button that moves between press and release gets no click."""
    said = re.compile("cancel(ling|led)")
    for _ in range(PRESSES):
        live.get_by_role("button", name="Cancel").click()
        try:
            expect(live).to_contain_text(said, timeout=HEARD_MILLISECONDS)
        except AssertionError:
            continue
        return
    expect(live).to_contain_text(said)


@APPS_IN_FULL
def test_it_stands_beside_other_widgets_and_its_traits_go_both_ways(lab: Lab, page: Page, app: str) -> None:
    cells = ["w.selected_call", "w.selected_call = 'part[1]'", "broken = False; w.request.replay()"]
    notebook, view = opened(lab, page, f"widget-{app[:3]}.ipynb", cells, app)
    expect(label(notebook)).to_have_text("failed")
    view.locator(".jp-durable-label", has_text="part[3]").click()
    expect(view.locator(".jp-durable-detail")).to_contain_text("ValueError: no page 3")
    page.screenshot(path=ARTIFACTS / "widget-failed.png")
    notebook.run_to_end(4)
    expect(page.locator(".jp-OutputArea-output", has_text="'part[3]'")).to_be_visible()
    notebook.run_to_end(5)
    expect(view.locator(SELECTED)).to_have_text("part[1]")
    notebook.write(4, "w.selected_call")
    notebook.run_to_end(4)
    expect(page.locator(".jp-OutputArea-output", has_text="'part[1]'")).to_be_visible()
    view.locator(SELECTED).click()
    notebook.run_to_end(4)
    empty = page.locator(".jp-OutputArea-executeResult .jp-OutputArea-output", has_text=re.compile("^..$"))
    expect(empty).to_be_visible()


@APPS_IN_FULL
def test_it_is_live_and_cancels_while_a_cell_runs(lab: Lab, page: Page, app: str) -> None:
    notebook, _ = opened(lab, page, f"widgets-{app[:3]}.ipynb", ["1", "1", "w2.status"], app)
    notebook.write(4, "broken = False\nr = whole.submit(2000)\nw2 = r.widget()\ndisplay(w2)\nr.wait()")
    notebook.run(4)
    live = notebook.view(4).last
    expect(live.locator(".jp-durable-state")).to_have_text(re.compile("running"))
    expect(live.locator(".jp-durable-tree, .jp-durable-summary").first).to_contain_text(re.compile(r"\d"))
    page.screenshot(path=ARTIFACTS / "widget-live.png")
    cancel_pressed(live)
    expect(live.locator(".jp-durable-state")).to_have_text(re.compile("cancelled"))
    notebook.run_to_end(6)
    expect(page.locator(".jp-OutputArea-output", has_text="'cancelled'")).to_be_visible()


def test_saved_without_widget_state_a_notebook_says_what_stood_there(lab: Lab, page: Page) -> None:
    notebook, _ = opened(lab, page, "saved.ipynb", ["w"])
    notebook.run_to_end(4)
    notebook.save()
    page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")
    output = lab.read("saved.ipynb")["cells"][4]["outputs"][0]
    lab.end_kernels()
    lab.write("reopened.ipynb", ["1"], outputs=[output])
    page.goto("about:blank")
    reopened = Notebook(page, lab, "reopened.ipynb", kernel=False)
    shown = reopened.page.locator(".jp-OutputArea-output")
    expect(shown).to_be_visible()
    page.wait_for_timeout(4000)
    for told in ("failed", "whole", "4 ran · 1 failed", "cell [2], line 5, in part"):
        expect(shown).to_contain_text(told)
    page.screenshot(path=ARTIFACTS / "widget-saved.png")


@pytest.mark.parametrize("save_view", ["none", pytest.param("summary", marks=pytest.mark.full)])
def test_what_is_not_saved_is_asked_of_the_kernel_and_shown(lab: Lab, page: Page, save_view: str) -> None:
    cells = [SETUP, APP, f"configure(save_view='{save_view}');", FAIL]
    name = f"{save_view}.ipynb"
    notebook = Notebook(page, lab, lab.write(name, cells))
    for index in range(4):
        notebook.run_to_end(index)
    view = notebook.view(3)
    expect(view.locator(".jp-durable-label", has_text="part[3]")).to_be_visible()
    expect(view.locator(".jp-durable-counts")).to_contain_text("4 ran")
    notebook.save()
    page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")
    saved = json.dumps(lab.read(name)["cells"][3]["outputs"])
    assert "part[" not in saved
    assert "Traceback" not in saved
    assert ("4 ran" in saved) is (save_view == "summary")


@pytest.mark.parametrize(
    ("theme", "width"),
    [
        ("JupyterLab Light", 1280),
        ("JupyterLab Dark", 800),
        pytest.param("JupyterLab Light", 800, marks=pytest.mark.full),
        pytest.param("JupyterLab Dark", 1280, marks=pytest.mark.full),
    ],
)
def test_it_has_the_colours_of_the_theme_and_room_in_a_narrow_window(
    lab: Lab, page: Page, theme: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 760})
    cells = [SETUP, APP, FAIL + "\nw = get_request('last').widget()\nw.selected_call = 'part[3]'", "w"]
    notebook = Notebook(page, lab, lab.write("looks.ipynb", cells))
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    for index in range(4):
        notebook.run_to_end(index)
    view = notebook.view(3)
    expect(view.locator(SELECTED)).to_have_text("part[3]")
    view.scroll_into_view_if_needed()
    box, cell = view.bounding_box(), page.locator(".jp-Notebook").bounding_box()
    assert box is not None
    assert cell is not None
    assert box["x"] + box["width"] <= cell["x"] + cell["width"]
    background = view.evaluate("node => getComputedStyle(node).backgroundColor")
    assert (int(re.findall(r"\d+", background)[0]) < 128) == ("Dark" in theme)
    page.screenshot(path=ARTIFACTS / f"widget-{theme.split()[1].lower()}-{width}.png")
