"""Marks and commands, in a real page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.lab import APPS, APPS_IN_FULL, ARTIFACTS, SETUP, WAITING, Lab, Notebook, Settings, again

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
MIME = "application/vnd.jupyter-durable.request+json"
TOPS = """() => {
    window.tops = [];
    const look = () => {
        const button = document.querySelector('.jp-durable-view .jp-durable-button');
        const top = button === null ? 0 : button.getBoundingClientRect().top;
        if (top > 0) {
            window.tops.push(top);
        }
        window.requestAnimationFrame(look);
    };
    look();
}"""
"""Where the first button of a view is, in each picture since it is there: `window.tops`."""


def toast(page: Page) -> Locator:
    """The notifications on the page."""
    return page.locator(".Toastify__toast")


def mark(notebook: Notebook, index: int) -> Locator:
    """The mark of a cell."""
    return notebook.page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{index}'] > .jp-durable-mark")


def state(notebook: Notebook, index: int) -> Locator:
    return mark(notebook, index).locator(".jp-durable-state")


def prompt(notebook: Notebook, index: int) -> Locator:
    cell = f".jp-Notebook .jp-Cell[data-windowed-list-index='{index}']"
    return notebook.page.locator(f"{cell} .jp-InputArea-prompt")


def activate(notebook: Notebook, index: int) -> None:
    """Make a cell the active one, as a click does."""
    prompt(notebook, index).click()


def ended(notebook: Notebook, index: int) -> None:
    """Wait for the end of a cell's execution; an answer on the control channel makes it look idle before."""
    notebook.page.evaluate(
        "index => jupyterapp.shell.currentWidget.content.widgets[index].outputArea.future.done.then(() => 1, () => 0)",
        index,
    )


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


@APPS_IN_FULL
def test_a_mark_is_live_and_stays_while_the_cell_runs_again(lab: Lab, page: Page, app: str) -> None:
    notebook = Notebook(page, lab, lab.write(f"live-{app[:3]}.ipynb", [SETUP, ENDLESS]), app=app)
    notebook.run_to_end(0)
    notebook.run(1)
    expect(state(notebook, 1)).to_have_text("●running")
    expect(mark(notebook, 1).get_by_role("button")).to_be_hidden()
    command(page, "durable:cancel-request")
    expect(state(notebook, 1)).to_have_text("⊘cancelled")
    notebook.idle()
    first = mark(notebook, 1).locator("> :first-child")
    expect(first).to_have_text("Resume")  # before the text: it stays where it is while that grows
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


@APPS_IN_FULL
def test_commands_act_on_the_request_of_the_active_cell(lab: Lab, page: Page, app: str) -> None:
    cells = [SETUP, CHAIN, "total = chain(6)", REPAIRED, "[get_request('last').output(), done]"]
    notebook = Notebook(page, lab, lab.write(f"commands-{app[:3]}.ipynb", cells), app=app)
    for index in (0, 1, 2, 3):
        notebook.run_to_end(index)
    activate(notebook, 2)
    command(page, "durable:preview-replay")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("row", name=re.compile(r"part\[0\]"))).to_contain_text("reuse")
    dialog.get_by_role("button", name="Close").click()
    command(page, "durable:replay-latest")
    expect(state(notebook, 2)).to_have_text("✓3 from checkpoint")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("() => jupyterapp.commands.execute('durable:copy-request-id')")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    expect(notebook.view(2).locator(".jp-durable-id")).to_contain_text(copied)
    notebook.run_to_end(4)
    expect(page.locator(".jp-OutputArea-output", has_text="[150, [3, 4, 5]]")).to_be_visible()
    activate(notebook, 0)
    assert enabled(page, "durable:replay-strict", request=copied)
    command(page, "durable:replay-strict", request=copied)
    expect(notebook.view(2).locator(".jp-durable-id")).to_contain_text("run 3")


@APPS_IN_FULL
def test_a_command_that_cannot_be_done_is_disabled_and_says_why(lab: Lab, page: Page, app: str) -> None:
    notebook = Notebook(page, lab, lab.write(f"reasons-{app[:3]}.ipynb", [SETUP, REPAIRED, "chain(2)"]), app=app)
    for index in (0, 1, 2):
        notebook.run_to_end(index)
    expect(state(notebook, 2)).to_have_text("✓succeeded")
    assert not enabled(page, "durable:cancel-request")
    assert caption(page, "durable:cancel-request") == "It is not running."
    assert "would begin a new request" in caption(page, "durable:resume-cell")
    assert enabled(page, "durable:replay-request")
    activate(notebook, 0)
    assert not enabled(page, "durable:replay-request")
    assert caption(page, "durable:replay-request") == "The active cell has no durable request."
    assert caption(page, "durable:cancel-request", request="req_none") == "No open notebook shows that request."
    command(page, "durable:replay-request")
    expect(toast(page)).to_have_text(re.compile("The active cell has no durable request"))
    activate(notebook, 2)
    page.evaluate("() => jupyterapp.shell.currentWidget.context.sessionContext.shutdown()")
    expect(page.get_by_text("No Kernel", exact=False).first).to_be_visible()
    assert caption(page, "durable:replay-request") == "No kernel: start one to do this."


@APPS_IN_FULL
def test_a_fork_asks_for_the_other_input(lab: Lab, page: Page, app: str) -> None:
    cells = [SETUP, REPAIRED, "chain(2)", "get_request('last').output()"]
    notebook = Notebook(page, lab, lab.write(f"fork-{app[:3]}.ipynb", cells), app=app)
    for index in (0, 1, 2):
        notebook.run_to_end(index)
    command(page, "durable:fork-request")
    field = page.get_by_role("dialog").get_by_role("textbox")
    expect(field).to_have_value(re.compile("2"))
    field.fill("[5]")
    page.get_by_role("dialog").get_by_role("button", name="Fork").click()
    expect(toast(page)).to_have_text(re.compile("Forked as req_"))
    notebook.run_to_end(3)
    expect(page.locator(".jp-OutputArea-output.jp-RenderedText", has_text=re.compile("^100$"))).to_be_visible()


def test_once_is_switched_by_a_command(lab: Lab, page: Page) -> None:
    """The kernel says what it is set to, and the menu shows it; a new kernel begins anew."""
    notebook = Notebook(page, lab, lab.write("once.ipynb", [SETUP]))
    toggled = "() => jupyterapp.commands.isToggled('durable:toggle-once')"
    assert not page.evaluate(toggled)
    command(page, "durable:toggle-once")
    expect(toast(page)).to_have_text(re.compile("once is on"))
    assert page.evaluate(toggled)
    command(page, "durable:toggle-once")
    expect(toast(page).filter(has_text="once is off")).to_be_visible()
    assert not page.evaluate(toggled)
    command(page, "durable:toggle-once")
    page.wait_for_function(toggled)
    page.evaluate("() => jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.restart()")
    notebook.idle()
    assert not page.evaluate(toggled)


@APPS_IN_FULL
def test_commands_stand_in_the_palette_and_in_the_menus(lab: Lab, page: Page, app: str) -> None:
    name = lab.write(f"menus-{app[:3]}.ipynb", [SETUP, CHAIN, "total = chain(6)"])
    notebook = Notebook(page, lab, name, app=app)
    for index in (0, 1, 2):
        notebook.run_to_end(index)
    activate(notebook, 2)
    menu = page.locator(".lm-Menu")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    menu.get_by_text("Durable", exact=True).hover()
    expect(menu.get_by_text("Replay Request", exact=True)).to_be_visible()
    page.screenshot(path=ARTIFACTS / f"front-menu-{app[:3]}.png")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    notebook.page.locator(".jp-Cell[data-windowed-list-index='2'] .jp-InputArea-editor").click(button="right")
    menu.get_by_text("Durable", exact=True).hover()
    menu.get_by_text("Resume Cell", exact=True).click()
    expect(notebook.view(2).locator(".jp-durable-id")).to_contain_text("run 2")
    notebook.page.locator(".jp-Cell[data-windowed-list-index='0'] .jp-InputArea-editor").click(button="right")
    expect(menu.first).to_be_visible()
    expect(menu.get_by_text("Durable", exact=True)).to_have_count(0)
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Shift+C")
    page.locator(".lm-CommandPalette-input:visible").fill("durable")
    palette = page.locator(".lm-CommandPalette-item")
    expect(palette.filter(has_text="Replay Request Strictly")).to_be_visible()


def test_a_mark_stays_with_its_cell_when_it_is_scrolled_out_of_sight_and_moved(
    lab: Lab, page: Page, settings: Settings
) -> None:
    settings({"windowingMode": "full"}, of="@jupyterlab/notebook-extension/tracker")
    cells = [SETUP, CHAIN, "total = chain(6)", *[f"# {n}\n" * 30 for n in range(30)]]
    notebook = Notebook(page, lab, lab.write("long.ipynb", cells))
    for index in (0, 1, 2):
        notebook.run_to_end(index)
    expect(state(notebook, 2)).to_have_text("✕failed")
    activate(notebook, 0)
    scroll = "index => { jupyterapp.shell.currentWidget.content.scrollToItem(index); }"
    page.evaluate(scroll, 32)
    expect(mark(notebook, 2)).to_have_count(0)
    page.evaluate(scroll, 2)
    expect(state(notebook, 2)).to_have_text("✕failed")
    activate(notebook, 2)
    command(page, "notebook:move-cell-up")
    expect(state(notebook, 1)).to_have_text("✕failed")
    expect(page.locator(".jp-durable-mark")).to_have_count(1)


@APPS_IN_FULL
def test_in_a_notebook_that_is_not_trusted_a_mark_says_so_and_does_nothing(lab: Lab, page: Page, app: str) -> None:
    """Hostile text stays text; a saved "running" is no longer believed."""
    hostile = "<img src=x onerror=alert(1)>\u202e"
    request = {"id": hostile, "application": hostile, "status": "running", "run": 1, "kind": "cell"}
    data = {"version": 1, "sequence": 1, "at": 1.0, "request": request, "calls": [], "counts": {"reused": 3}}
    output = {"output_type": "display_data", "metadata": {}, "data": {MIME: data}}
    notebook = Notebook(page, lab, lab.write(f"foreign-{app[:3]}.ipynb", ["1"], outputs=[output]), app=app)
    dialogs: list[Any] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog))
    expect(state(notebook, 0)).to_have_text("◌last seen running · 3 from checkpoint")
    expect(state(notebook, 0)).to_have_attribute("title", re.compile(r"<img src=x[\s\S]*u202e"))
    resume = mark(notebook, 0).get_by_role("button", name="Resume")
    expect(resume).to_have_attribute("title", "This notebook is not trusted.")
    resume.click(force=True)
    assert notebook.count(0) is None
    assert not dialogs


@APPS_IN_FULL
def test_while_the_kernel_is_busy_resume_is_queued_and_can_be_withdrawn(lab: Lab, page: Page, app: str) -> None:
    cells = [SETUP, CHAIN, "total = chain(6)", WAITING]
    notebook = Notebook(page, lab, lab.write(f"queue-{app[:3]}.ipynb", cells), app=app)
    for index in (0, 1, 2):
        notebook.run_to_end(index)
    notebook.run(3)
    mark(notebook, 2).get_by_role("button", name="Resume").click()
    mark(notebook, 2).get_by_role("button", name="Queued").click()
    mark(notebook, 2).get_by_role("button", name="Resume").click()
    expect(mark(notebook, 2).get_by_role("button", name="Queued")).to_be_visible()
    lab.go()
    expect(state(notebook, 2)).to_have_text("✓3 from checkpoint")


def test_what_waits_for_a_cell_is_one_thing_in_its_mark_and_in_its_view(lab: Lab, page: Page) -> None:
    cells = [SETUP, CHAIN, "total = chain(6)", WAITING, "done"]
    notebook = Notebook(page, lab, lab.write("one.ipynb", cells))
    for index in (0, 1, 2):
        notebook.run_to_end(index)
    notebook.run(3)
    mark(notebook, 2).get_by_role("button", name="Resume").click()
    notebook.view(2).get_by_role("button", name="Queued").click()
    expect(mark(notebook, 2).get_by_role("button", name="Resume")).to_be_visible()
    again(notebook.view(2)).click()
    expect(mark(notebook, 2).get_by_role("button", name="Queued")).to_be_visible()
    lab.go()
    expect(state(notebook, 2)).to_have_text("✓3 from checkpoint")
    notebook.run_to_end(4)
    expect(page.locator(".jp-OutputArea-output", has_text="[0, 1, 2, 3, 3, 4, 5]")).to_be_visible()


def test_no_button_moves_once_it_is_there(lab: Lab, page: Page) -> None:
    """A button that moves between the press and the release loses the press."""
    notebook = Notebook(page, lab, lab.write("still.ipynb", [SETUP, ENDLESS]))
    notebook.run_to_end(0)
    page.evaluate(TOPS)
    notebook.run(1)
    expect(mark(notebook, 1)).to_be_visible()
    page.wait_for_function("() => window.tops.length > 60")
    assert len(set(page.evaluate("() => window.tops"))) == 1
    notebook.view(1).get_by_role("button", name="Cancel").click()
    expect(state(notebook, 1)).to_have_text("⊘cancelled")


CAUGHT = "try:\n    chain({})\nexcept RuntimeError:\n    print('no answer yet')"


@pytest.mark.full
@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("width", [1280, 800])
def test_how_it_looks(lab: Lab, page: Page, settings: Settings, theme: str, width: int) -> None:
    """Screenshots for people: a mark of each kind."""
    settings({"opens": "line"})
    page.set_viewport_size({"width": width, "height": 900})
    cells = [SETUP, CHAIN, CAUGHT.format(6), REPAIR, CAUGHT.format(7), "chain(3)", ENDLESS]
    notebook = Notebook(page, lab, lab.write(f"front-{theme.lower()}-{width}.ipynb", cells))
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", f"JupyterLab {theme}")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", str(theme == "Light").lower())
    try:
        for index in (0, 1, 2, 4, 3, 5):
            notebook.run_to_end(index)
        mark(notebook, 4).get_by_role("button", name="Resume").click()
        expect(state(notebook, 4)).to_have_text("✓3 from checkpoint")
        notebook.run(6)
        expect(state(notebook, 6)).to_have_text("●running")
        page.screenshot(path=ARTIFACTS / f"front-{theme.lower()}-{width}.png")
    finally:
        page.evaluate("() => jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
        command(page, "notebook:interrupt-kernel")
