"""View and mark where others write the outputs: documents that are shared, cells that the server executes.

Rules of this file
- Each front end is an environment of its own (front_ends.py).
- The same story everywhere: seen live, closed in mid-run, opened after the end, replayed and cancelled. Real pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from jupyter_durable_kernel.view.saved_forms import MIME
from tests.browser.front_ends import FRONT_ENDS, python_of
from tests.browser.lab import ARTIFACTS, Lab, Notebook, again, entry, running_lab, unfold, wait_for
from tests.browser.test_front import command, mark, state

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]  # the first of them may have to make its environment
SETUP = """from jupyter_durable import application, function
import pathlib, time
here = pathlib.Path({directory!r})
def reach(n):
    (here / f"reached-{{n}}").touch()
    while not (here / f"go-{{n}}").exists():
        time.sleep(0.02)
    return n"""
BODY = """%%durable
def fetch(n):
    print("fetching", n)
    return reach(n)
pages = [fetch(n) for n in range(4)]"""
ENDLESS = """%%durable
def endless():
    while True:
        time.sleep(0.05)
endless()"""


@pytest.fixture(params=list(FRONT_ENDS))
def front_end(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def shared_lab(front_end: str, tmp_path: Path) -> Iterator[Lab]:
    """JupyterLab as that front end."""
    with running_lab(tmp_path, python=python_of(front_end)) as made:
        yield made


def requests(lab: Lab) -> dict[str, str]:
    """What the store says of each request: its status by its id."""
    listed = lab.request("GET", "/jupyter-durable/requests")["requests"]
    return {one["id"]: one["status"] for one in listed}


def reached(here: Path, n: int) -> None:
    wait_for(lambda: (here / f"reached-{n}").exists(), 60)


def go(here: Path, *numbers: int) -> None:
    for n in numbers:
        (here / f"go-{n}").touch()


def test_view_and_mark_are_right_live_and_after_the_page_was_closed_in_mid_run(
    shared_lab: Lab, browser: Browser, page: Page, front_end: str
) -> None:
    here = shared_lab.directory.parent
    name = shared_lab.write("shared.ipynb", [SETUP.format(directory=str(here)), BODY, "print(pages)"])
    notebook = Notebook(page, shared_lab, name)
    notebook.run_to_end(0)
    notebook.run(1)
    view = notebook.view(1)
    reached(here, 0)
    expect(state(notebook, 1)).to_have_text("●running")
    go(here, 0, 1)
    reached(here, 2)
    label = view.locator(".jp-durable-label")
    expect(label.filter(has_text="fetch[2]")).to_be_visible()
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("running"))
    page.screenshot(path=ARTIFACTS / f"shared-{front_end}-1-live.png")
    notebook.save()
    page.close()
    go(here, 2, 3)
    wait_for(lambda: list(requests(shared_lab).values()) == ["succeeded"], 60)
    later = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    try:
        notebook = Notebook(later, shared_lab, name)
        view = notebook.view(1)
        expect(view.locator(".jp-durable-state")).to_have_text(re.compile("succeeded"))
        expect(state(notebook, 1)).to_have_text("✓succeeded")
        unfold(view)
        expect(view.locator(".jp-durable-label", has_text="fetch[3]")).to_be_visible()
        later.screenshot(path=ARTIFACTS / f"shared-{front_end}-2-after.png")
        _replays(notebook, shared_lab)
        later.screenshot(path=ARTIFACTS / f"shared-{front_end}-3-replayed.png")
    finally:
        later.context.close()


def _replays(notebook: Notebook, lab: Lab) -> None:
    """Its buttons act: a preview, and a replay that goes on with the request."""
    view = notebook.view(1)
    entry(view, "Preview").click()
    expect(view.locator(".jp-durable-panel tbody tr", has_text="fetch[3]")).to_contain_text("reused")
    again(view).click()
    view = notebook.view(1)
    expect(view.locator(".jp-durable-id")).to_contain_text("run 2")
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("succeeded"))
    expect(state(notebook, 1)).to_have_text("✓4 from checkpoint")
    assert len(requests(lab)) == 1


def test_what_runs_is_cancelled_and_resumed_from_its_view_and_its_mark(
    shared_lab: Lab, page: Page, front_end: str
) -> None:
    here = shared_lab.directory.parent
    name = shared_lab.write("cancelled.ipynb", [SETUP.format(directory=str(here)), ENDLESS])
    notebook = Notebook(page, shared_lab, name)
    notebook.run_to_end(0)
    notebook.run(1)
    view = notebook.view(1)
    expect(view.locator(".jp-durable-label", has_text="endless[0]")).to_be_visible()
    view.get_by_role("button", name="Cancel").click()
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("cancelled"))
    expect(state(notebook, 1)).to_have_text("⊘cancelled")
    page.screenshot(path=ARTIFACTS / f"shared-{front_end}-4-cancelled.png")
    notebook.idle()
    mark(notebook, 1).get_by_role("button", name="Resume").click()
    expect(state(notebook, 1)).to_have_text("●running")
    expect(notebook.view(1).locator(".jp-durable-id")).to_contain_text("run 2")
    command(page, "notebook:interrupt-kernel")
    expect(state(notebook, 1)).to_have_text(re.compile("cancelled|interrupted"))
    assert len(requests(shared_lab)) == 1


def test_the_saved_notebook_holds_the_view_once_and_not_an_empty_place(shared_lab: Lab, page: Page) -> None:
    """Also where what fills an output is dropped by whoever writes it: other front ends and nbconvert show it."""
    here = shared_lab.directory.parent
    go(here, 0, 1, 2, 3)
    name = shared_lab.write("kept.ipynb", [SETUP.format(directory=str(here)), BODY])
    notebook = Notebook(page, shared_lab, name)
    notebook.run_to_end(0)
    notebook.run_to_end(1)
    expect(notebook.view(1).locator(".jp-durable-state")).to_have_text(re.compile("succeeded"))

    def saved() -> bool:
        notebook.save()
        outputs = shared_lab.read(name)["cells"][1]["outputs"]
        views = [output["data"] for output in outputs if MIME in output.get("data", ())]
        (id,) = requests(shared_lab)
        return [view[MIME].get("request", {}).get("id") for view in views] == [id] and id in str(views[0]["text/plain"])

    wait_for(saved, 90)
    expect(notebook.view(1)).to_have_count(1)
    expect(notebook.view(1).locator(".jp-durable-state")).to_have_text(re.compile("succeeded"))
