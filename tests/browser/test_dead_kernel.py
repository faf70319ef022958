"""A kernel that dies under a request, and what comes back: real pages, real kills. Pictures in `.artifacts`."""

from __future__ import annotations

import os
import re
import signal
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.lab import APPS_IN_FULL, ARTIFACTS, Lab, Notebook, entry
from tests.browser.test_front import mark, state

NAMES = """import pathlib, time
ran = pathlib.Path({log!r})
def fetch_page(n):
    with ran.open("a") as file:
        file.write(f"{{n}} ")
    while n == 3 and not ran.with_suffix(".go").exists():
        time.sleep(0.05)
    return n * 10"""
BODY = """%%durable
def fetch(n):
    import pathlib, time
    ran = pathlib.Path({log!r})
    with ran.open("a") as file:
        file.write(f"{{n}} ")
    while n == 3 and not ran.with_suffix(".go").exists():
        time.sleep(0.05)
    return n * 10
pages = [fetch(n) for n in range(6)]"""


def kernel_pid(lab: Lab, name: str) -> int:
    """Process of the kernel of a notebook."""
    (session,) = [each for each in lab.request("GET", "/api/sessions") if each["path"] == name]
    id = session["kernel"]["id"]
    found = [
        int(entry)
        for entry in os.listdir("/proc")
        if entry.isdigit() and f"kernel-{id}".encode() in _command(int(entry))
    ]
    assert len(found) == 1
    return found[0]


def kill(notebook: Notebook, lab: Lab, name: str) -> None:
    """Kill the kernel of a notebook, and put away what JupyterLab says of it."""
    os.kill(kernel_pid(lab, name), signal.SIGKILL)
    dialog = notebook.page.get_by_role("dialog", name=re.compile("Kernel Restarting"))
    dialog.get_by_role("button", name="Ok").click()


def _command(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:  # it has ended since
        return b""


@pytest.mark.parametrize("kernel", ["python3", pytest.param("durable", marks=pytest.mark.full)])
@APPS_IN_FULL
def test_a_killed_kernel_is_seen_within_seconds_and_resume_goes_on_in_the_bare_one(
    lab: Lab, page: Page, app: str, kernel: str
) -> None:
    """View and mark say "interrupted"; no cell is run by hand before *Resume*; three calls are not made again."""
    name = f"killed-{app[:3]}-{kernel}.ipynb"
    log = lab.directory / f"{name}.ran"
    cells = ["%load_ext jupyter_durable", BODY.format(log=str(log)), "print(pages)"]
    notebook = Notebook(page, lab, lab.write(name, cells, kernel=kernel), app=app)
    notebook.run_to_end(0)
    notebook.run(1)
    view = notebook.view(1)
    expect(view.locator(".jp-durable-label", has_text="fetch[3]")).to_be_visible()
    expect(state(notebook, 1)).to_have_text("●running")
    page.screenshot(path=ARTIFACTS / f"killed-{app[:3]}-{kernel}-1-before.png")
    kill(notebook, lab, name)
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("interrupted"))
    expect(state(notebook, 1)).to_have_text(re.compile("interrupted"))
    expect(view.get_by_role("button", name="Cancel")).to_be_hidden()
    notebook.idle()
    page.screenshot(path=ARTIFACTS / f"killed-{app[:3]}-{kernel}-2-between.png")
    log.with_suffix(".go").touch()
    mark(notebook, 1).get_by_role("button", name="Resume").click()
    expect(state(notebook, 1)).to_have_text(re.compile("3 from checkpoint"))
    expect(notebook.view(1).locator(".jp-durable-state")).to_have_text(re.compile("succeeded"))
    notebook.run_to_end(2)
    page.screenshot(path=ARTIFACTS / f"killed-{app[:3]}-{kernel}-3-after.png")
    expect(page.locator(".jp-OutputArea-output", has_text="[0, 10, 20, 30, 40, 50]")).to_be_visible()
    assert log.read_text() == "0 1 2 3 3 4 5 "


REOPENED = """%load_ext jupyter_durable
from jupyter_durable import *
import pathlib
@function()
def part(n):
    with pathlib.Path({log!r}).open("a") as file:
        file.write(f"{{n}} ")
    if n == 3 and not pathlib.Path({log!r}).with_suffix(".go").exists():
        raise RuntimeError("no answer")
    return n * 10
@application()
@function()
def chain(n: int) -> int:
    return sum(part(i) for i in range(n))
chain(5)"""


@pytest.mark.full
def test_a_reopened_notebook_previews_and_replays_before_any_cell_has_run(lab: Lab, page: Page) -> None:
    """The kernel is a fresh and bare one: the page loads the extension, and the recorded code runs."""
    log = lab.directory / "reopened.ran"
    lab.write("reopened.ipynb", [REOPENED.format(log=str(log))], kernel="python3")
    notebook = Notebook(page, lab, "reopened.ipynb")
    notebook.run_to_end(0)
    expect(notebook.view(0).locator(".jp-durable-state")).to_have_text(re.compile("failed"))
    notebook.save()
    (session,) = [each for each in lab.request("GET", "/api/sessions") if each["path"] == "reopened.ipynb"]
    lab.request("DELETE", f"/api/sessions/{session['id']}")
    notebook = Notebook(page, lab, "reopened.ipynb")
    view = notebook.view(0)
    log.with_suffix(".go").touch()
    entry(view, "Preview").click()
    rows = view.locator(".jp-durable-panel tbody tr")
    expect(rows.filter(has_text="part[0]")).to_contain_text("reused")
    expect(rows.filter(has_text="part[3]")).to_contain_text("executed")
    assert log.read_text() == "0 1 2 3 "
    entry(view, "Replay recorded code").click()
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("succeeded"))
    expect(view.locator(".jp-durable-id")).to_contain_text("run 2")
    assert log.read_text() == "0 1 2 3 3 4 "


def errors(notebook: Notebook, index: int) -> Any:
    return notebook.page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{index}'] .jp-OutputArea-output")


@pytest.mark.full
@pytest.mark.parametrize("way", ["Run the Cells Above, Then Resume", "Replay Recorded Code"])
def test_a_cell_that_needs_the_cells_above_offers_them_and_the_recorded_code(lab: Lab, page: Page, way: str) -> None:
    """In a restarted kernel, either way: no call is made twice, and who changes their mind loses nothing."""
    name = f"needs-{way[:3].strip().lower()}.ipynb"
    log = lab.directory / f"{name}.ran"
    cells = [
        "%load_ext jupyter_durable",
        f"%%durable\n{NAMES.format(log=str(log))}",
        "%%durable\nsmall = fetch_page(1)",
        "%%durable\npages = [fetch_page(n) for n in range(6)]",
        "print(small, pages)",
    ]
    notebook = Notebook(page, lab, lab.write(name, cells, kernel="python3"))
    for index in range(3):
        notebook.run_to_end(index)
    notebook.run(3)
    expect(notebook.view(3).locator(".jp-durable-label", has_text="fetch_page[3]")).to_be_visible()
    kill(notebook, lab, name)
    expect(state(notebook, 3)).to_have_text(re.compile("interrupted"))
    notebook.idle()
    log.with_suffix(".go").touch()
    mark(notebook, 3).get_by_role("button", name="Resume").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("fetch_page")
    page.screenshot(path=ARTIFACTS / f"{name}-offer.png")
    dialog.get_by_role("button", name="Cancel").click()
    expect(notebook.view(3)).to_have_count(1)
    request = notebook.view(3).get_attribute("data-request")
    mark(notebook, 3).get_by_role("button", name="Resume").click()
    dialog.get_by_role("button", name=way).click()
    expect(state(notebook, 3)).to_have_text(re.compile("3 from checkpoint"))
    expect(notebook.view(3)).to_have_attribute("data-request", request or "")
    expect(notebook.view(3).locator(".jp-durable-state")).to_have_text(re.compile("succeeded"))
    if way.startswith("Run"):  # variables arrive where the cell itself went on
        notebook.run_to_end(4)
        expect(page.locator(".jp-OutputArea-output", has_text="10 [0, 10, 20, 30, 40, 50]")).to_be_visible()
    assert log.read_text() == "1 0 1 2 3 3 4 5 "


@pytest.mark.full
def test_a_view_is_not_lost_to_a_cell_that_fails_before_it_begins(lab: Lab, page: Page) -> None:
    """By hand, in a kernel that has forgotten everything: the error stands below the view."""
    log = lab.directory / "lost.ran"
    log.with_suffix(".go").touch()
    name = lab.write("lost.ipynb", ["%load_ext jupyter_durable", BODY.format(log=str(log))], kernel="python3")
    notebook = Notebook(page, lab, name)
    notebook.run_to_end(0)
    notebook.run_to_end(1)
    expect(notebook.view(1).locator(".jp-durable-state")).to_have_text(re.compile("succeeded"))
    page.evaluate("() => { jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.restart(); }")
    page.wait_for_timeout(500)
    notebook.idle()
    notebook.run(1)
    expect(errors(notebook, 1).filter(has_text="not found")).to_be_visible()
    expect(notebook.view(1).locator(".jp-durable-state")).to_have_text(re.compile("succeeded"))
    expect(errors(notebook, 1).first.locator(".jp-durable-view")).to_have_count(1)
    page.screenshot(path=ARTIFACTS / "lost-view-kept.png")
    notebook.save()
    assert log.read_text() == "0 1 2 3 4 5 "
