"""The panel of all requests, and a request as a tab: in a real page, from a real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.lab import ARTIFACTS, SETUP, TOKEN, Lab, Notebook, again, entry, running_lab, wait_for

PARTS = """repaired = False
@function()
def part(n):
    if n == 3 and not repaired:
        raise RuntimeError("no answer from part 3")
    return n * 10
@application()
@function()
def summary(n: int) -> int:
    return sum(part(i) for i in range(n))
@application()
@function()
def greeting(name: str) -> str:
    return "hello " + name
greeting("you")"""
WAITING = """import os
@function()
def wait(n):
    time.sleep(0.3)
    return n
@application()
@function()
def endless(n: int) -> int:
    for i in range(n):
        RequestContext.get().progress.update(i, n)
        wait(i)
    while not os.path.exists('go'):
        time.sleep(0.05)
    os.remove('go')
    return n"""
"""It ends when the test lets it: a page may be slow."""


@pytest.fixture(scope="module")
def own_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab with stores of its own: what the list holds is known."""
    with running_lab(tmp_path_factory.mktemp("panel")) as made:
        yield made


class Requests:
    """The panel in a page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.wait_for_function("() => window.jupyterapp?.commands?.hasCommand('durable:show-panel')", timeout=60_000)
        page.evaluate("() => { jupyterapp.restored.then(() => jupyterapp.commands.execute('durable:show-panel')); }")
        self.node = page.locator("#jp-durable-requests")
        expect(self.node).to_be_visible()

    def row(self, text: str) -> Locator:
        """Rows that show a text."""
        return self.node.locator(".jp-durable-listed", has_text=text)

    def choose(self, row: Locator, action: str) -> None:
        """An action of the menu of a row."""
        row.first.get_by_role("button", name="More actions").click()
        self.page.get_by_role("menuitem", name=action).click()


def lab_page(page: Page, lab: Lab) -> Page:
    page.goto(f"{lab.url}/lab?token={TOKEN}&reset")
    return page


def tab(page: Page) -> Locator:
    """The tab that is in front."""
    return page.locator(".jp-durable-single:visible")


def made(page: Page, lab: Lab, name: str, cells: list[str]) -> Notebook:
    """A notebook whose cells have run."""
    notebook = Notebook(page, lab, lab.write(name, cells))
    for index in range(len(cells)):
        notebook.run_to_end(index)
    return notebook


def test_an_empty_panel_says_what_to_do(own_lab: Lab, page: Page) -> None:
    """The first test of this file: its server knows no request yet."""
    panel = Requests(lab_page(page, own_lab))
    expect(panel.node).to_contain_text("Write %%durable at the top of a cell")


def test_the_panel_lists_filters_and_searches_requests_with_no_kernel_alive(own_lab: Lab, page: Page) -> None:
    made(page, own_lab, "parts.ipynb", [SETUP, PARTS, "summary(6)"])
    own_lab.end_kernels()
    panel = Requests(lab_page(page, own_lab))
    expect(panel.row("summary")).to_contain_text("failed")
    expect(panel.row("summary")).to_contain_text("parts.ipynb · just now")
    expect(panel.row("summary")).to_contain_text("no answer from part 3")
    expect(panel.row("greeting")).to_contain_text("succeeded")
    panel.node.get_by_label("Filter by state").select_option("failed")
    expect(panel.row("greeting")).to_have_count(0)
    expect(panel.row("summary")).to_have_count(1)
    panel.node.get_by_label("Search by name, id or text").fill("nothing is called this")
    expect(panel.node).to_contain_text("No request is like that.")
    panel.node.get_by_role("button", name="Clear filters").click()
    expect(panel.row("greeting")).to_have_count(1)
    panel.node.get_by_label("Search by name, id or text").fill("greet")
    expect(panel.row("summary")).to_have_count(0)
    expect(panel.row("greeting")).to_have_count(1)


def test_what_runs_stands_first_and_is_cancelled_from_the_panel(own_lab: Lab, page: Page) -> None:
    notebook = made(page, own_lab, "runs.ipynb", [SETUP, WAITING])
    panel = Requests(page)
    notebook.write(1, "endless(1000)")
    notebook.run(1)
    first = panel.node.locator(".jp-durable-listed").first
    expect(first).to_contain_text("running")
    expect(first).to_contain_text("endless")
    expect(panel.node.locator(".jp-durable-entries-count")).to_have_text("1 running")
    first.get_by_role("button", name="Cancel").click()
    expect(panel.row("endless")).to_contain_text("cancelled")
    notebook.idle()


def test_a_tab_shows_a_request_that_ended_with_no_kernel_alive_and_comes_back_on_reload(
    own_lab: Lab, page: Page
) -> None:
    made(page, own_lab, "tab.ipynb", [SETUP, PARTS, "summary(7)"])
    own_lab.end_kernels()
    own_workspace = f"{own_lab.url}/lab/workspaces/restored?token={TOKEN}"
    page.goto(own_workspace)
    panel = Requests(page)
    panel.row("summary").first.click()
    view = tab(page)
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("failed"))
    expect(view.locator(".jp-durable-label", has_text="part[2]")).to_be_visible()
    view.locator(".jp-durable-label", has_text="part[2]").click()
    view.get_by_role("tab", name="Output").click()
    expect(view.locator(".jp-durable-detail")).to_contain_text("20")
    debug = view.get_by_role("button", name="Debug")
    expect(debug).to_have_attribute("aria-disabled", "true")
    expect(debug).to_have_attribute("title", re.compile("Only a kernel can do this"))
    wait_until_saved(page)
    page.goto(own_workspace)
    expect(tab(page).locator(".jp-durable-state")).to_have_text(re.compile("failed"))


def wait_until_saved(page: Page) -> None:
    """Where tabs stand, and what they show, is written a moment after it has changed."""
    source = (
        "async () => { const all = (await jupyterapp.serviceManager.workspaces.list()).values"
        ".filter(one => one.metadata.id === 'restored'); const name = 'durable-request:req_';"
        "return all.some(one => Object.keys(one.data).some(key => key.startsWith(name)) &&"
        "JSON.stringify(one.data['layout-restorer:data']?.main ?? '').includes(name)); }"
    )
    wait_for(lambda: page.evaluate(source), 30)


def test_closing_and_opening_the_tab_during_a_run_loses_nothing(own_lab: Lab, page: Page) -> None:
    notebook = made(page, own_lab, "closing.ipynb", [SETUP, WAITING])
    panel = Requests(page)
    notebook.write(1, "endless(12)")
    notebook.run(1)
    panel.row("endless").filter(has_text="running").first.click()
    view = tab(page)
    expect(view.locator(".jp-durable-label", has_text="wait[1]")).to_be_visible()
    page.evaluate("() => jupyterapp.shell.currentWidget.close()")
    expect(page.locator(".jp-durable-single")).to_have_count(0)
    panel.row("endless").filter(has_text="running").first.click()
    own_lab.go()
    expect(view.locator(".jp-durable-label", has_text="wait[0]")).to_be_visible()
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("succeeded"))
    expect(view.locator(".jp-durable-counts")).to_contain_text("12 ran")


def test_a_request_in_the_page_after_a_reload_during_its_run_catches_up(own_lab: Lab, page: Page) -> None:
    """The whole page goes and comes back; the run goes on in its kernel."""
    notebook = made(page, own_lab, "reload.ipynb", [SETUP, WAITING])
    panel = Requests(page)
    notebook.write(1, "endless(20)")
    notebook.run(1)
    expect(panel.row("endless").filter(has_text="running")).to_have_count(1)
    page.goto(f"{own_lab.url}/lab?token={TOKEN}&reset")
    panel = Requests(page)
    panel.row("endless").filter(has_text="running").first.click()
    own_lab.go()
    expect(tab(page).locator(".jp-durable-state")).to_have_text(re.compile("succeeded"))
    expect(tab(page).locator(".jp-durable-counts")).to_contain_text("20 ran")


def test_go_to_opens_the_notebook_and_shows_the_cell(own_lab: Lab, page: Page) -> None:
    filler = ["1"] * 40
    made(page, own_lab, "far.ipynb", [SETUP, PARTS, *filler, "summary(5)"]).save()
    panel = Requests(lab_page(page, own_lab))
    panel.choose(panel.row("far.ipynb").filter(has_text="summary"), "Go to Notebook and Cell")
    page.wait_for_function(
        "() => jupyterapp.shell.currentWidget?.content?.activeCell?.model?.sharedModel.getSource() === 'summary(5)'",
        timeout=90_000,
    )
    expect(page.locator(".jp-Cell.jp-mod-active")).to_be_in_viewport()


def test_replay_from_the_panel_runs_in_the_notebooks_kernel(own_lab: Lab, page: Page) -> None:
    made(page, own_lab, "alive.ipynb", [SETUP, PARTS, "summary(4)", "repaired = True"])
    panel = Requests(lab_page(page, own_lab))
    row = panel.row("alive.ipynb").filter(has_text="summary")
    panel.choose(row, "Open as Tab")
    view = tab(page)
    again(view).click()
    expect(view.locator(".jp-durable-id")).to_contain_text("run 2")


def test_replay_with_no_kernel_is_offered_in_a_new_one(own_lab: Lab, page: Page) -> None:
    """The recorded code runs there, with what had succeeded from checkpoints; no cell of the notebook runs."""
    source = PARTS.replace(
        "raise RuntimeError", "import os\n        if not os.path.exists('repaired'): raise RuntimeError"
    )
    made(page, own_lab, "anew.ipynb", [SETUP, source, "summary(8)"]).save()
    own_lab.end_kernels()
    (own_lab.directory / "repaired").write_text("")
    panel = Requests(lab_page(page, own_lab))
    row = panel.row("anew.ipynb").filter(has_text="summary")
    panel.choose(row, "Open as Tab")
    panel.choose(row, "Replay")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("No kernel of anew.ipynb is alive")
    dialog.get_by_role("button", name="Open and Replay").click()
    expect(row).to_contain_text("succeeded")
    expect(row).to_contain_text("3 from checkpoint · 5 ran")


def test_a_request_is_pinned_and_deleted_after_a_question(own_lab: Lab, page: Page) -> None:
    made(page, own_lab, "gone.ipynb", [SETUP, PARTS])
    panel = Requests(page)
    row = panel.row("gone.ipynb").filter(has_text="greeting")
    panel.choose(row, "Pin")
    expect(row).to_contain_text("pinned")
    panel.choose(row, "Unpin")
    expect(row.locator(".jp-durable-listed-pin")).to_be_hidden()
    panel.choose(row, "Delete")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(row).to_have_count(1)
    panel.choose(row, "Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)


def test_the_list_is_used_from_the_keyboard_also_when_it_changes(own_lab: Lab, page: Page) -> None:
    """A row is not taken from under the fingers when what stands above it is deleted by somebody else."""
    made(page, own_lab, "keys.ipynb", [SETUP, PARTS, "summary(2)"])
    panel = Requests(page)
    panel.node.get_by_label("Search by name, id or text").fill("keys.ipynb")
    rows = panel.node.locator(".jp-durable-listed")
    expect(rows).to_have_count(2)
    rows.first.focus()
    page.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(rows.first).to_be_focused()
    page.keyboard.press("Enter")
    expect(tab(page).locator(".jp-durable-application")).to_have_text("summary")
    rows.nth(1).focus()
    gone = rows.first.get_attribute("data-request")
    own_lab.request("POST", f"/jupyter-durable/requests/any/{gone}/delete")
    expect(rows).to_have_count(1)
    expect(rows.first).to_be_focused()
    page.keyboard.press("Enter")
    expect(tab(page).locator(".jp-durable-application")).to_have_text("greeting")


def without_kernel(page: Page, lab: Lab, name: str) -> Notebook:
    """A trusted copy of a saved notebook, opened where its kernel is not to be had."""
    copy = f"noker-{name}"
    (lab.directory / copy).write_text((lab.directory / name).read_text().replace('"durable"', '"gone"'))
    env = {**os.environ, "JUPYTER_DATA_DIR": str(lab.directory.parent / "data")}
    trust = [sys.executable, "-m", "jupyter", "trust", str(lab.directory / copy)]
    subprocess.run(trust, env=env, check=True, capture_output=True)
    page.goto("about:blank")
    opened = Notebook(page, lab, copy, kernel=False)
    page.locator(".jp-Dialog-button.jp-mod-reject").last.click()
    return opened


def test_a_saved_view_with_no_kernel_shows_the_truth_of_the_store(own_lab: Lab, page: Page) -> None:
    """It was running when it was saved; then its kernel was shut down, and later somebody deleted it."""
    notebook = made(page, own_lab, "truth.ipynb", [SETUP, WAITING])
    notebook.write(1, "endless(1000)")
    notebook.run(1)
    expect(notebook.view(1).locator(".jp-durable-state")).to_have_text(re.compile("running"))
    expect(notebook.view(1).locator(".jp-durable-label", has_text="wait[1]")).to_be_visible()
    notebook.save()
    own_lab.end_kernels()
    view = without_kernel(page, own_lab, "truth.ipynb").view(1)
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("interrupted|cancelled"))
    view.locator(".jp-durable-label", has_text="wait[0]").click()
    view.get_by_role("tab", name="Output").click()
    expect(view.locator(".jp-durable-detail")).to_contain_text("0")
    replay = again(view)
    expect(replay).to_have_attribute("title", re.compile("No kernel"))
    panel = Requests(page)
    panel.choose(panel.row("truth.ipynb"), "Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(panel.row("truth.ipynb")).to_have_count(0)
    view = without_kernel(page, own_lab, "truth.ipynb").view(1)
    preview = entry(view, "Preview")
    expect(preview).to_have_attribute("title", re.compile("No store that this server knows has request"))
    expect(preview).to_have_attribute("aria-disabled", "true")


def test_notebook_7_has_the_panel_and_shows_a_request_beside_the_notebook(own_lab: Lab, page: Page) -> None:
    name = own_lab.write("seven.ipynb", [SETUP, PARTS])
    notebook = Notebook(page, own_lab, name, app="notebooks")
    notebook.run_to_end(0)
    notebook.run_to_end(1)
    panel = Requests(page)
    panel.row("seven.ipynb").first.click()
    expect(tab(page).locator(".jp-durable-application")).to_have_text("greeting")
    page.screenshot(path=ARTIFACTS / "panel-notebook7.png")


def test_a_tab_of_a_request_that_is_gone_says_so(own_lab: Lab, page: Page) -> None:
    lab_page(page, own_lab)
    Requests(page)
    page.evaluate("() => { jupyterapp.commands.execute('durable:open-request', {request: 'req_0123456789ab'}); }")
    expect(tab(page)).to_contain_text("No store that this server knows has request req_0123456789ab")


@pytest.mark.full
@pytest.mark.parametrize("width", [1280, 800])
@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_screenshots(own_lab: Lab, browser: Browser, theme: str, width: int) -> None:
    """Looked at by people: panel and tab, light and dark, wide and narrow."""
    ARTIFACTS.mkdir(exist_ok=True)
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    made(page, own_lab, "tab.ipynb", [SETUP, PARTS, "summary(7)"])
    own_lab.end_kernels()
    panel = Requests(lab_page(page, own_lab))
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
    name = "dark" if "Dark" in theme else "light"
    expect(panel.row("tab.ipynb").first).to_be_visible()
    panel.row("tab.ipynb").first.hover()
    page.screenshot(path=ARTIFACTS / f"panel-{name}-{width}.png")
    panel.row("tab.ipynb").filter(has_text="summary").first.click()
    view = tab(page)
    expect(view.locator(".jp-durable-label", has_text="part[2]")).to_be_visible()
    view.locator(".jp-durable-label", has_text="part[2]").click()
    page.screenshot(path=ARTIFACTS / f"tab-{name}-{width}.png")
    assert Path(ARTIFACTS / f"tab-{name}-{width}.png").stat().st_size > 10_000
    context.close()


MANY = """import sys
from jupyter_durable import *
configure(store=sys.argv[1])
@application()
@function()
def many(n: int) -> int:
    return n
for n in range(10_000):
    run_local_application(many, n)"""


@pytest.mark.full
def test_ten_thousand_requests_stay_responsive(own_lab: Lab, page: Page) -> None:
    """The page takes a hundred at a time; the last test of this file, since all others would wade through them."""
    data = own_lab.directory.parent / "data"
    subprocess.run(
        [sys.executable, "-c", MANY, f"sqlite:///{data / 'many.db'}"],
        env={**os.environ, "JUPYTER_DATA_DIR": str(data)},
        check=True,
    )
    panel = Requests(lab_page(page, own_lab))
    rows = panel.node.locator(".jp-durable-listed")
    expect(rows).to_have_count(100)
    panel.node.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(200)
    took = page.evaluate(
        "async () => { const began = performance.now();"
        "const answer = await fetch('/jupyter-durable/requests?limit=100');"
        "if ((await answer.json()).requests.length !== 100) throw new Error(`${answer.status}`);"
        "return performance.now() - began; }"
    )
    painted = page.evaluate(
        "async () => { const began = performance.now();"
        "const box = document.querySelector('.jp-durable-entries-search');"
        "box.value = 'x'; box.dispatchEvent(new Event('input'));"
        "await new Promise(done => requestAnimationFrame(() => setTimeout(done))); return performance.now() - began; }"
    )
    elements = page.evaluate("() => document.querySelectorAll('#jp-durable-requests *').length")
    print(f"of 10,000: list of 100 in {took:.0f} ms, a key pressed to painted {painted:.0f} ms, {elements} elements")
    assert took < 1000
    assert painted < 200
    one = rows.nth(150).get_attribute("data-request")
    assert one is not None
    panel.node.get_by_label("Search by name, id or text").fill(one)
    expect(rows).to_have_count(1)
