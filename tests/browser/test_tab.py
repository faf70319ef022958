"""A request as a tab: all that can be done from there, with its kernel alive and with none; the panel in Notebook 7."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.lab import APPS_IN_FULL, ARTIFACTS, SETUP, TOKEN, Lab, Notebook, again, debugged, entry, unfold
from tests.browser.test_panel import Requests, lab_page, tab

CHAIN = """import os
done = []
@function()
def part(n):
    done.append(n)
    if n == 3 and not os.path.exists("{0}"):
        raise RuntimeError("no answer from part 3")
    return n * 10
@application()
@function()
def chain(n: int) -> int:
    return sum(part(i) for i in range(n))"""


def ran(page: Page, lab: Lab, name: str, *cells: str, app: str = "lab/tree") -> Notebook:
    """A notebook with `chain`, whose cells have run and which is saved."""
    code = CHAIN.replace("{0}", f"{name}.repaired")
    notebook = Notebook(page, lab, lab.write(name, [SETUP, code, *cells]), app=app)
    for index in range(2 + len(cells)):
        notebook.run_to_end(index)
    notebook.save()
    page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")
    return notebook


def repair(lab: Lab, name: str) -> None:
    """What part 3 waits for is there."""
    (lab.directory / f"{name}.repaired").write_text("")


def shown(page: Page, name: str, call: str = "") -> Locator:
    """The request of a notebook as a tab, with a call open in it."""
    panel = Requests(page)
    panel.node.get_by_label("Search by name, id or text").fill(name)
    panel.choose(panel.row(name), "Open as Tab")
    view = tab(page)
    expect(view.locator(".jp-durable-application")).to_have_text("chain")
    if call:
        unfold(view)
        view.locator(".jp-durable-label", has_text=call).click()
        expect(view.get_by_role("button", name="Copy as code")).to_be_visible()
    return view


def press(view: Locator, name: str) -> None:
    view.get_by_role("button", name=name, exact=True).click()


def off(view: Locator, name: str, why: str) -> None:
    """A control is there, disabled, and says why."""
    control = view.get_by_role("button", name=name, exact=True)
    expect(control).to_have_attribute("aria-disabled", "true")
    expect(control).to_have_attribute("title", re.compile(why))


def test_with_its_kernel_alive_a_tab_can_do_what_the_view_under_the_cell_can(lab: Lab, page: Page) -> None:
    """Though the notebook is not open in this page; only the debugger needs a cell."""
    ran(page, lab, "tab-alive.ipynb", "chain(5)")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=lab.url)
    view = shown(lab_page(page, lab), "tab-alive.ipynb", "part[2]")
    entry(view, "Preview").click()
    rows = view.locator(".jp-durable-panel tbody tr")
    expect(rows.filter(has_text="part[0]")).to_contain_text("reused")
    expect(rows.filter(has_text="part[3]")).to_contain_text("executed")
    off(view, "Debug", "Only in the notebook")
    press(view, "Copy as code")
    expect(view.locator(".jp-durable-message")).to_have_text("copied")
    assert 'call("part", 2)' in page.evaluate("() => navigator.clipboard.readText()")
    repair(lab, "tab-alive.ipynb")
    press(view, "Replay from here")
    expect(view.locator(".jp-durable-id")).to_contain_text("run 2")
    expect(view.locator(".jp-durable-counts")).to_contain_text("2 from checkpoint3 ran")
    view.get_by_role("button", name="More").click()
    view.get_by_role("menuitem", name="Strict replay").click()
    expect(view.locator(".jp-durable-id")).to_contain_text("run 3")
    expect(view.locator(".jp-durable-counts")).to_contain_text("5 from checkpoint")
    view.locator(".jp-durable-label", has_text="chain[0]").click()
    press(view, "Fork with other input…")
    view.locator("textarea").fill("[2]")
    press(view, "Fork")
    expect(view.locator(".jp-durable-message")).to_have_text(re.compile("forked as req_"))
    expect(Requests(page).row("tab-alive.ipynb")).to_have_count(2)


@APPS_IN_FULL
def test_with_its_notebook_open_a_call_is_debugged_from_the_tab(lab: Lab, page: Page, app: str) -> None:
    name = f"tab-debug-{app[:3]}.ipynb"
    notebook = ran(page, lab, name, "chain(5)", app=app)
    view = shown(page, name, "part[3]")
    press(view, "Debug")
    debugged(page, "p n + 7000", "7003")
    page.wait_for_function("() => jupyterapp.shell.currentWidget?.content?.widgets?.length === 4")
    notebook.idle()


@APPS_IN_FULL
def test_with_its_notebook_open_replay_runs_the_cell_and_go_to_shows_it(lab: Lab, page: Page, app: str) -> None:
    """The notebook stays the one that it was, and its page the only one."""
    name = f"tab-cell-{app[:3]}.ipynb"
    notebook = ran(page, lab, name, "total = chain(5)", "'later'", app=app)
    view = shown(page, name)
    repair(lab, name)
    again(view).click()
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("succeeded"))
    press(view, "Go to cell")
    page.wait_for_function("() => jupyterapp.shell.currentWidget?.content?.activeCellIndex === 2")
    notebook.write(3, "[total, done]")
    notebook.run_to_end(3)
    expect(page.locator(".jp-OutputArea-output", has_text="[100, [0, 1, 2, 3, 3, 4]]")).to_be_visible()
    assert page.context.pages[1:] == [page]


def test_with_no_kernel_a_tab_says_what_only_a_kernel_can_do(lab: Lab, page: Page) -> None:
    """And a replay from a call is offered in a new kernel, where it begins at that call."""
    ran(page, lab, "tab-none.ipynb", "chain(5)")
    lab.end_kernels()
    repair(lab, "tab-none.ipynb")
    view = shown(lab_page(page, lab), "tab-none.ipynb", "part[2]")
    off(view, "Debug", "Only a kernel can do this")
    entry(view, "Preview").click()
    expect(view.locator(".jp-durable-panel")).to_contain_text("part")
    view.locator(".jp-durable-label", has_text="chain[0]").click()
    off(view, "Fork with other input…", "Only a kernel can do this")
    view.locator(".jp-durable-label", has_text="part[2]").click()
    press(view, "Replay from here")
    page.get_by_role("dialog").get_by_role("button", name="Open and Replay").click()
    row = Requests(page).row("tab-none.ipynb").first
    expect(row).to_contain_text("2 from checkpoint · 3 ran")


@pytest.mark.full
def test_with_its_notebook_open_and_its_kernel_shut_down_a_replay_starts_another(lab: Lab, page: Page) -> None:
    """No cell runs in it: what the cell needs is not defined there."""
    notebook = ran(page, lab, "tab-shut.ipynb", "chain(5)")
    repair(lab, "tab-shut.ipynb")
    page.evaluate("() => jupyterapp.shell.currentWidget.context.sessionContext.shutdown()")
    view = shown(page, "tab-shut.ipynb")
    again(view).click()
    page.get_by_role("dialog").get_by_role("button", name="Open and Replay").click()
    row = Requests(page).row("tab-shut.ipynb").first
    expect(row).to_contain_text("3 from checkpoint · 2 ran")
    assert notebook.count(2) == 3


def test_notebook_7_replays_a_request_of_another_notebook_in_a_new_kernel(lab: Lab, page: Page) -> None:
    """That notebook needs no page for it, and has the kernel when it gets one."""
    ran(page, lab, "apart.ipynb", "chain(5)", app="notebooks")
    lab.end_kernels()
    repair(lab, "apart.ipynb")
    Notebook(page, lab, lab.write("here.ipynb", ["1"]), app="notebooks")
    view = shown(page, "apart.ipynb")
    again(view).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Start one for it and replay chain there?")
    dialog.get_by_role("button", name="Start and Replay").click()
    expect(view.locator(".jp-durable-counts")).to_contain_text("3 from checkpoint2 ran")
    assert page.context.pages[1:] == [page]
    alive = {session["path"]: session["kernel"]["id"] for session in lab.request("GET", "/api/sessions")}
    Notebook(page, lab, "apart.ipynb", app="notebooks")
    kernel = "() => jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.id"
    assert page.evaluate(kernel) == alive["apart.ipynb"]


def test_notebook_7_opens_another_notebook_in_a_page_of_its_own(lab: Lab, page: Page) -> None:
    ran(page, lab, "target.ipynb", "chain(5)", app="notebooks")
    Notebook(page, lab, lab.write("from.ipynb", ["1"]), app="notebooks")
    view = shown(page, "target.ipynb")
    with page.context.expect_page() as opened:
        press(view, "Go to cell")
    expect(opened.value.locator(".jp-durable-view")).to_be_visible()
    assert page.context.pages[1:] == [page, opened.value]


def test_notebook_7_has_no_status_bar_and_counts_what_runs_in_the_panel(lab: Lab, page: Page) -> None:
    endless = "@application()\n@function()\ndef endless() -> int:\n    time.sleep(60)\nendless()"
    notebook = Notebook(page, lab, lab.write("bar.ipynb", [SETUP, endless]), app="notebooks")
    notebook.run_to_end(0)
    panel = Requests(page)
    notebook.run(1)
    count = panel.node.locator(".jp-durable-entries-count")
    expect(count).to_have_text("1 running")
    expect(page.locator(".jp-durable-status")).to_have_count(0)
    panel.row("bar.ipynb").first.get_by_role("button", name="Cancel").click()
    expect(panel.row("bar.ipynb").first).to_contain_text("cancelled")
    expect(count).to_be_hidden()
    notebook.idle()


def test_the_files_page_of_notebook_7_has_the_panel_and_loses_nothing(lab: Lab, page: Page) -> None:
    """Nothing of ours fails where there is no notebook; a request opens beside the files."""
    ran(page, lab, "listed.ipynb", "chain(5)", app="notebooks")
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(error.stack or error.message))
    page.goto(f"{lab.url}/tree?token={TOKEN}")
    expect(page.locator(".jp-DirListing-item", has_text="listed.ipynb")).to_be_visible()
    view = shown(page, "listed.ipynb", "part[3]")
    expect(view.locator(".jp-durable-detail")).to_contain_text("no answer from part 3")
    why = "() => jupyterapp.commands.caption('durable:replay-request')"
    assert page.evaluate(why) == "The active cell has no durable request."
    page.screenshot(path=ARTIFACTS / "notebook-7-files.png")
    assert [text for text in said if "durable" in text] == []


@pytest.mark.parametrize(
    ("theme", "width"), [pytest.param("JupyterLab Light", 1280, marks=pytest.mark.full), ("JupyterLab Dark", 800)]
)
def test_beside_a_notebook_of_notebook_7_nothing_is_wider_than_its_column(
    lab: Lab, page: Page, theme: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    name = f"beside-{width}.ipynb"
    ran(page, lab, name, "chain(5)", app="notebooks")
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
    try:
        view = shown(page, name, "part[3]").locator(".jp-durable-view")
        entry(view, "Preview").click()
        expect(view.locator(".jp-durable-panel tbody tr")).to_have_count(5)
        assert (view.bounding_box() or {"width": 0})["width"] < 420
        assert view.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
        out = "node => [...node.querySelectorAll('.jp-durable-bar')].some(bar => bar.getBoundingClientRect().right >"
        assert not view.evaluate(out + " node.getBoundingClientRect().right)")
        page.screenshot(path=ARTIFACTS / f"beside-{width}.png")
    finally:
        page.evaluate("() => jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
