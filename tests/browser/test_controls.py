"""The controls of the view, pressed in a real page, on both generations of kernels."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path
from time import monotonic

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.lab import APPS_IN_FULL, SETUP, WAITING, Lab, Notebook, again, debugged, entry, unfold

RESULT = ".jp-OutputArea-executeResult .jp-OutputArea-output"

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


WHEN_CANCELLED = """() => {
    const view = document.querySelector('.jp-durable-view');
    let pressed = 0;
    view.addEventListener('click', event => { pressed = event.timeStamp; }, { capture: true, once: true });
    const seen = new MutationObserver(() => {
        if (view.querySelector('.jp-durable-state').textContent.includes('cancelled')) {
            window.cancelled = performance.now() - pressed;
            seen.disconnect();
        }
    });
    seen.observe(view, { subtree: true, childList: true, characterData: true, attributes: true });
}"""
"""Measures in the page, in milliseconds, from the click until the state is seen: `window.cancelled`."""


CALM = re.compile(r"^cancelled · .+ · run the cell again to go on, or %durable replay req_\w+$")
"""All that a cell says at the end which its button cancelled."""


def output_types(notebook: Notebook, index: int) -> list[str]:
    """What stands under a cell; a traceback is an `error`."""
    found: list[str] = notebook.page.evaluate(
        "index => jupyterapp.shell.currentWidget.content.widgets[index].model.outputs.toJSON().map(o => o.output_type)",
        index,
    )
    return found


def busy_cell(body: str) -> str:
    return f"@application()\n@function()\ndef endless() -> int:\n    {body}\nendless()"


@pytest.fixture
def kernel_name(request: pytest.FixtureRequest, lab: Lab, generation: str) -> str:
    """The kernel with that generation of ipykernel."""
    if generation == "7":
        return "durable"
    python: Path = request.getfixturevalue("ipykernel6_python")
    spec = lab.directory.parent / "data" / "kernels" / "durable6"
    spec.mkdir(parents=True, exist_ok=True)
    argv = [str(python), "-m", "jupyter_durable_kernel", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "six", "language": "python"}))
    return "durable6"


SPINNING = "n = 0\nwhile True:\n    n += 1"
PART = "%%durable\ndef part():\n    return 1\npart()"
CELLS = {
    "sleep": busy_cell("time.sleep(60)"),
    "cpu": busy_cell(SPINNING.replace("\n", "\n    ")),
    "body that sleeps": f"{PART}\ntime.sleep(60)",
    "body that counts": f"{PART}\n{SPINNING}",
    "items that sleep": "@function()\ndef nap(n):\n    time.sleep(60)\n" + busy_cell("return nap.map([1, 2, 3])"),
}


def rare(app: str, generation: str, cell: str) -> bool:
    return generation == "6" or cell == "body that sleeps" or (app == "notebooks" and cell != "sleep")


EVERYWHERE = [
    pytest.param(
        *where, CELLS[cell], id=f"{'-'.join(where)}-{cell}", marks=pytest.mark.full if rare(*where, cell) else ()
    )
    for where in product(["lab/tree", "notebooks"], ["7", "6"])
    for cell in CELLS
]


@pytest.mark.parametrize(("app", "generation", "cell"), EVERYWHERE)
def test_a_request_is_cancelled_by_a_click(lab: Lab, page: Page, kernel_name: str, app: str, cell: str) -> None:
    """Within a second, or five times what an empty cell takes there and back on a machine that is busy beside."""
    name = lab.write(f"cancel-{app[:3]}.ipynb", [SETUP, cell, "pass"], kernel=kernel_name)
    notebook = Notebook(page, lab, name, app=app)
    notebook.run_to_end(0)
    began = monotonic()
    notebook.run_to_end(2)
    floor = monotonic() - began
    notebook.run(1)
    view = notebook.view(1)
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("running"))
    expect(view.locator(".jp-durable-line")).to_have_text(re.compile("^[1-9]"))  # it has run for a while
    page.evaluate(WHEN_CANCELLED)
    view.get_by_role("button", name="Cancel").click()
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("cancelled"))
    seconds = page.evaluate("() => window.cancelled") / 1000
    print(f"cancelled {seconds:.3f} s after the click; an empty cell took {floor:.3f}")
    assert seconds < max(1, 5 * floor)
    notebook.idle()
    calm = page.locator(".jp-Cell[data-windowed-list-index='1'] .jp-OutputArea-output").last
    expect(calm).to_have_text(CALM)
    assert "error" not in output_types(notebook, 1)


def test_replay_after_a_fix_runs_the_cell_again_and_only_the_failed_call(lab: Lab, page: Page) -> None:
    notebook = Notebook(page, lab, lab.write("fix.ipynb", [SETUP, CHAIN, "total = chain(6)", "1", "[total, done]"]))
    for index in (0, 1):
        notebook.run_to_end(index)
    notebook.run_to_end(2)
    view = notebook.view(2)
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("failed"))
    notebook.write(3, "repaired = True; done.clear()")
    notebook.run_to_end(3)
    again(view).click()
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("succeeded"))
    expect(view.locator(".jp-durable-count").first).to_have_text("3 from checkpoint")
    expect(view.locator(".jp-durable-count").nth(1)).to_have_text("3 ran")
    expect(view.get_by_role("button", name="re-run")).to_contain_text("3 reused calls have changed code")
    expect(view.locator(".jp-durable-id")).to_contain_text("run 2")
    notebook.run_to_end(4)
    expect(page.locator(".jp-OutputArea-output", has_text="[150, [3, 4, 5]]")).to_be_visible()


@APPS_IN_FULL
def test_while_the_kernel_is_busy_a_replay_is_queued_and_can_be_withdrawn(lab: Lab, page: Page, app: str) -> None:
    cells = [SETUP, CHAIN, "total = chain(6)", WAITING]
    notebook = Notebook(page, lab, lab.write(f"queued-{app[:3]}.ipynb", cells), app=app)
    for index in (0, 1):
        notebook.run_to_end(index)
    notebook.run_to_end(2)
    view = notebook.view(2)
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("failed"))
    notebook.run(3)
    again(view).click()
    queued = view.get_by_role("button", name="Queued")
    queued.click()
    again(view).click()
    expect(queued).to_be_visible()
    lab.go()
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("succeeded"))


@APPS_IN_FULL
def test_a_replay_in_the_kernel_shows_in_the_same_view_and_is_the_requests_output(
    lab: Lab, page: Page, app: str
) -> None:
    cells = [
        SETUP,
        CHAIN + "\nrepaired = True",
        "total = chain(6)",
        "done.clear()",
        "get_request('last').output(), done",
    ]
    notebook = Notebook(page, lab, lab.write(f"same-{app[:3]}.ipynb", cells), app=app)
    for index in range(4):
        notebook.run_to_end(index)
    view = notebook.view(2)
    unfold(view)
    view.locator(".jp-durable-label", has_text="part[4]").click()
    view.get_by_role("button", name="Re-run this call").click()
    expect(view.locator(".jp-durable-id")).to_contain_text("run 2")
    expect(view.locator(".jp-durable-counts")).to_contain_text("1 ran")
    assert page.locator(".jp-durable-view").count() == 1
    notebook.run_to_end(4)
    expect(page.locator(".jp-OutputArea-output", has_text="(150, [4])")).to_be_visible()


@APPS_IN_FULL
def test_preview_says_what_a_replay_would_do_and_runs_nothing(lab: Lab, page: Page, app: str) -> None:
    notebook = Notebook(
        page, lab, lab.write(f"preview-{app[:3]}.ipynb", [SETUP, CHAIN, "chain(6)", "len(done)"]), app=app
    )
    for index in (0, 1):
        notebook.run_to_end(index)
    notebook.run_to_end(2)
    view = notebook.view(2)
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("failed"))
    entry(view, "Preview").click()
    rows = view.locator(".jp-durable-panel tbody tr")
    expect(rows.filter(has_text="part[0]")).to_contain_text("reused")
    expect(rows.filter(has_text="part[3]")).to_contain_text("executed")
    notebook.run_to_end(3)
    expect(page.locator(".jp-OutputArea-executeResult", has_text="4")).to_be_visible()


@APPS_IN_FULL
def test_a_strict_replay_that_diverges_says_so(lab: Lab, page: Page, app: str) -> None:
    """The failure of a replay is shown where it was asked for."""
    otherwise = CHAIN.replace("for i in range(n)", "for i in order")
    cells = [SETUP, f"order = [0, 1, 2]\n{otherwise}", "chain(3)", "order[:] = [2, 0, 1]"]
    notebook = Notebook(page, lab, lab.write(f"strict-{app[:3]}.ipynb", cells), app=app)
    for index in range(4):
        notebook.run_to_end(index)
    view = notebook.view(2)
    unfold(view)
    view.get_by_role("button", name="More").click()
    view.get_by_role("menuitem", name="Strict replay").click()
    expect(view.locator(".jp-durable-message")).to_have_text(re.compile("diverge|place|recorded"))


@APPS_IN_FULL
def test_a_fork_takes_other_input(lab: Lab, page: Page, app: str) -> None:
    cells = [SETUP, CHAIN + "\nrepaired = True", "chain(3)", "get_request('last').output()"]
    notebook = Notebook(page, lab, lab.write(f"fork-{app[:3]}.ipynb", cells), app=app)
    for index in range(3):
        notebook.run_to_end(index)
    view = notebook.view(2).first  # the fork may have a view of its own below
    unfold(view)
    view.locator(".jp-durable-label", has_text="chain[0]").click()
    view.get_by_role("button", name="Fork with other input").click()
    area = view.locator("textarea")
    expect(area).to_have_value(re.compile(r"\[\s*3\s*\]"))
    area.fill("[2]")
    view.get_by_role("button", name="Fork", exact=True).click()
    expect(view.locator(".jp-durable-message")).to_have_text(re.compile("forked as req_"))
    notebook.run_to_end(3)
    expect(page.locator(".jp-OutputArea-executeResult", has_text="10")).to_be_visible()


FIXED = """import base64
from IPython.display import Image, display
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)"""
PLOT = "total = chain(6)\ndisplay(Image(PIXEL, width=40))"


@APPS_IN_FULL
def test_after_a_fix_the_cells_variables_and_plots_are_there(lab: Lab, page: Page, app: str) -> None:
    """The cell runs again, only the failed call and what follows it execute, and the view says so."""
    cells = [SETUP, f"{FIXED}\n{CHAIN}", PLOT, "1", "print(total, done)"]
    notebook = Notebook(page, lab, lab.write(f"plots-{app[:3]}.ipynb", cells), app=app)
    for index in range(3):
        notebook.run_to_end(index)
    cell = page.locator(".jp-Notebook .jp-Cell[data-windowed-list-index='2']")
    expect(cell.locator("img")).to_have_count(0)
    notebook.write(3, "repaired = True; done.clear()")
    notebook.run_to_end(3)
    view = notebook.view(2)
    replay = again(view)
    expect(replay).to_have_attribute("title", re.compile("Changed since: .*part"))
    expect(entry(view, "Replay recorded code")).to_be_visible()
    replay.click()
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("succeeded"))
    expect(view.locator(".jp-durable-count").first).to_have_text("3 from checkpoint")
    expect(cell.locator(".jp-RenderedImage img")).to_be_visible()
    notebook.run_to_end(4)
    expect(page.locator(".jp-OutputArea-output", has_text="150 [3, 4, 5]")).to_be_visible()


def opened(lab: Lab, page: Page, app: str, name: str, label: str, last: str) -> tuple[Notebook, Locator]:
    """A notebook in which `chain(3)` succeeded and the detail of one of its calls is open."""
    cells = [SETUP, CHAIN + "\nrepaired = True", "total = chain(4)", last]
    notebook = Notebook(page, lab, lab.write(name, cells), app=app)
    for index in range(3):
        notebook.run_to_end(index)
    view = notebook.view(2).first
    unfold(view)
    view.locator(".jp-durable-label", has_text=label).click()
    return notebook, view


@APPS_IN_FULL
def test_replay_from_here_executes_the_call_and_all_later_ones(lab: Lab, page: Page, app: str) -> None:
    notebook, view = opened(lab, page, app, f"from-{app[:3]}.ipynb", "part[2]", "print(done)")
    view.get_by_role("button", name="Replay from here").click()
    expect(view.locator(".jp-durable-id")).to_contain_text("run 2")
    expect(view.locator(".jp-durable-counts")).to_contain_text("2 from checkpoint")
    notebook.run_to_end(3)
    expect(page.locator(".jp-OutputArea-output", has_text="[0, 1, 2, 3, 2, 3]")).to_be_visible()


def test_a_fork_takes_arguments_by_name_and_says_what_is_wrong_with_others(lab: Lab, page: Page) -> None:
    notebook, view = opened(lab, page, "lab/tree", "named.ipynb", "chain[0]", "get_request('last').output()")
    for text, said in (('{"n": 2}', "forked as req_"), ('{"m": 2}', "'n'|'m'"), ("[", "no JSON")):
        view.get_by_role("button", name="Fork with other input").click()
        view.locator("textarea").fill(text)
        view.get_by_role("button", name="Fork", exact=True).click()
        expect(view).to_contain_text(re.compile(said))
    notebook.run_to_end(3)
    expect(page.locator(RESULT)).to_have_text("10")


@APPS_IN_FULL
def test_debug_runs_the_call_again_below_in_the_debugger(lab: Lab, page: Page, app: str) -> None:
    notebook = Notebook(page, lab, lab.write(f"debug-{app[:3]}.ipynb", [SETUP, CHAIN, "chain(6)"]), app=app)
    for index in range(3):
        notebook.run_to_end(index)
    view = notebook.view(2)
    view.locator(".jp-durable-label", has_text="part[3]").click()
    view.get_by_role("button", name="Debug").click()
    source = "() => jupyterapp.shell.currentWidget.content.widgets[3].model.sharedModel.getSource()"
    assert re.fullmatch(r"%durable debug req_\w+ part\[3\]", page.evaluate(source))
    debugged(page, "p n + 7000", "7003")
    notebook.idle()


def test_copied_code_makes_the_call_again(lab: Lab, page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=lab.url)
    notebook, view = opened(lab, page, "lab/tree", "copy.ipynb", "part[2]", "1")
    view.get_by_role("button", name="Copy as code").click()
    expect(view.locator(".jp-durable-message")).to_have_text("copied")
    notebook.write(3, page.evaluate("() => navigator.clipboard.readText()"))
    notebook.run_to_end(3)
    expect(page.locator(f"{RESULT} >> nth=-1")).to_have_text("20")


@APPS_IN_FULL
def test_a_view_of_a_request_the_store_does_not_know_has_its_controls_off(lab: Lab, page: Page, app: str) -> None:
    """They are off before anything is pressed, and say why."""
    cells = [SETUP, CHAIN, "chain(6)", "get_request('last').delete()"]
    notebook = Notebook(page, lab, lab.write(f"unknown-{app[:3]}.ipynb", cells), app=app)
    for index in range(4):
        notebook.run_to_end(index)
    notebook.save()
    notebook = Notebook(page, lab, f"unknown-{app[:3]}.ipynb", app=app)
    replay = again(notebook.view(2))
    expect(replay).to_have_attribute("aria-disabled", "true")
    expect(replay).to_have_attribute("title", re.compile("no request|No store"))
