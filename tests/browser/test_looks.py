"""The view as people see it: both themes, two widths, four moments. The pictures are kept to be looked at."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.lab import ARTIFACTS, SETUP, Lab, Notebook, entry
from tests.browser.test_controls import CALM, output_types

pytestmark = pytest.mark.full  # pictures for people: two minutes
RESEARCH = """import random
ready, tried = [], []
@function()
def plan(topic):
    time.sleep(0.15)
    return [f"{topic} {n}" for n in range(5)]
@function()
def search(query):
    print("searching for", query)
    time.sleep(0.08)
    return f"12 results for {query}"
@function()
def rank(found, k):
    time.sleep(0.12)
    return found[:k]
@function(retries=Retries(max_retries=2, initial_delay=0.15, jitter=False))
def call_llm(prompt, model):
    tried.append(prompt)
    time.sleep(0.1 * len(tried))
    if not ready:
        raise ConnectionError("429: too many requests, retry after 20 s")
    return "The report"
@application()
@function()
def research(topic: str) -> str:
    found = search.map(plan(topic))
    best = rank(found, k=2)
    return call_llm(f"Write the report about {best}", model="large")"""
BATCH = """@function()
def parse(page):
    time.sleep(0.03)
    if page in (4, 17, 29):
        raise ValueError(f"page {page} has no text")
    return page * 2
@application()
@function()
def document_batch(pages: int) -> int:
    return len(parse.map(range(pages), max_concurrency=2, return_exceptions=True))
document_batch(400)"""


PRINTS = """%%durable nightly
def read(page):
    print(f"reading page {page} …")
    time.sleep(0.02 if page < 12 else 60)
    return page * 2
read_so_far = [read(page) for page in range(40)]"""
THOUSAND = """@function()
def parse(page):
    if page in (4, 417, 929):
        raise ValueError(f"page {page} has no text")
    return page * 2
@application()
@function()
def thousand_pages(pages: int) -> int:
    return sum(parse.map(range(pages)))
thousand_pages(1000)"""


def themed(lab: Lab, page: Page, name: str, cells: list[str], theme: str) -> Notebook:
    """A notebook of those cells in a theme, with nothing beside it."""
    notebook = Notebook(page, lab, lab.write(name, [SETUP, *cells]))
    page.evaluate(
        "theme => jupyterapp.commands.execute('apputils:change-theme', { theme: `JupyterLab ${theme}` })", theme
    )
    page.evaluate("() => jupyterapp.shell.collapseLeft?.()")
    expect(page.locator("#jupyterlab-splash")).to_have_count(0)
    notebook.run_to_end(0)
    return notebook


def fits(page: Page) -> None:
    """Nothing is wider than the notebook."""
    for view in page.locator(".jp-durable-view").all():
        assert view.evaluate("node => node.scrollWidth <= node.clientWidth + 1")


@pytest.mark.parametrize("width", [1280, 800])
@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_a_failure_with_its_attempts_and_what_a_replay_reused(lab: Lab, page: Page, width: int, theme: str) -> None:
    """The failed call is open with its error; three attempts are three bars; then checkpoints are hatched bars."""
    page.set_viewport_size({"width": width, "height": 900})
    notebook = Notebook(page, lab, lab.write("research.ipynb", [SETUP, RESEARCH, "research('durability')", "1"]))
    page.evaluate(
        "theme => jupyterapp.commands.execute('apputils:change-theme', { theme: `JupyterLab ${theme}` })", theme
    )
    page.evaluate("() => jupyterapp.shell.collapseLeft?.()")
    for index in range(3):
        notebook.run_to_end(index)
    view = notebook.view(2)
    row = view.get_by_role("treeitem").filter(has=page.locator(".jp-durable-label", has_text="call_llm[0]"))
    expect(row.locator(".jp-durable-bar")).to_have_count(3)
    expect(row.locator(".jp-durable-bar[data-status='attempt']")).to_have_count(2)
    expect(row).to_contain_text("3 attempts")
    row.locator(".jp-durable-label").click()
    row.get_by_role("tab", name="Attempts").click()
    expect(row.locator(".jp-durable-body")).to_contain_text("attempt 2 · failed")
    row.get_by_role("tab", name="Error").click()
    view.scroll_into_view_if_needed()
    fits(page)
    page.screenshot(path=ARTIFACTS / f"failed-{theme.lower()}-{width}.png")
    notebook.write(3, "ready.append(1)")
    notebook.run_to_end(3)
    notebook.run_to_end(2)
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("succeeded"))
    if view.locator(".jp-durable-tree").is_hidden():
        view.locator(".jp-durable-head .jp-durable-twisty").click()
    expect(view.locator(".jp-durable-bar[data-status='checkpoint']").first).to_be_visible()
    view.scroll_into_view_if_needed()
    page.screenshot(path=ARTIFACTS / f"resumed-{theme.lower()}-{width}.png")
    view.get_by_role("button", name="Timeline").click()
    fits(page)
    page.screenshot(path=ARTIFACTS / f"timeline-{theme.lower()}-{width}.png")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_a_cell_that_prints_while_it_runs_and_after_its_cancel(lab: Lab, page: Page, theme: str) -> None:
    """The view stands above what is printed; the cancelled cell ends with one calm line."""
    page.set_viewport_size({"width": 1280, "height": 1150})
    notebook = themed(lab, page, f"prints-{theme.lower()}.ipynb", [PRINTS], theme)
    notebook.run(1)
    view = notebook.view(1)
    cell = page.locator(".jp-Cell[data-windowed-list-index='1']")
    expect(cell).to_contain_text("reading page 12")
    expect(view.locator(".jp-durable-label", has_text="read[12]")).to_be_visible()
    fits(page)
    page.screenshot(path=ARTIFACTS / f"prints-running-{theme.lower()}.png")
    view.get_by_role("button", name="Cancel").click()
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("cancelled"))
    expect(cell.locator(".jp-OutputArea-output").last).to_have_text(CALM)
    assert "error" not in output_types(notebook, 1)
    page.mouse.move(0, 0)
    fits(page)
    page.screenshot(path=ARTIFACTS / f"prints-cancelled-{theme.lower()}.png")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_the_preview_of_a_thousand_items_of_which_three_failed(lab: Lab, page: Page, theme: str) -> None:
    """One sum, one row for the 997 that are reused, a row for each that failed."""
    notebook = themed(lab, page, f"thousand-{theme.lower()}.ipynb", [THOUSAND], theme)
    notebook.run_to_end(1)
    view = notebook.view(1)
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("failed"))
    entry(view, "Preview").click()
    panel = view.locator(".jp-durable-panel")
    expect(panel.locator(".jp-durable-plan-sum")).to_contain_text("997 reused")
    rows = panel.locator("tbody tr")
    assert rows.count() <= 8
    expect(rows.filter(has_text="parse ×997")).to_contain_text("reused")
    for n in (4, 417, 929):
        expect(rows.filter(has_text=f"parse[{n}]")).to_contain_text("executed")
    page.mouse.move(0, 0)
    fits(page)
    panel.scroll_into_view_if_needed()
    page.screenshot(path=ARTIFACTS / f"preview-thousand-{theme.lower()}.png")


def test_folded_it_says_what_failed_and_how_much_is_kept(lab: Lab, page: Page) -> None:
    """At both widths it stays within the notebook; a cancelled one says so likewise."""
    notebook = Notebook(page, lab, lab.write("folded.ipynb", [SETUP, RESEARCH, "research('durability')"]))
    for index in range(3):
        notebook.run_to_end(index)
    view = notebook.view(2)
    view.locator(".jp-durable-head .jp-durable-twisty").click()
    line = view.locator(".jp-durable-line")
    expect(line).to_have_text(
        "8 ran · 1 failed · call_llm[0]: ConnectionError: 429: too many requests, retry after 20 s"
    )
    for width in (1280, 800):
        page.set_viewport_size({"width": width, "height": 900})
        expect(line).to_be_visible()
        fits(page)
        page.screenshot(path=ARTIFACTS / f"folded-{width}.png")


def test_the_picture_of_the_readme(lab: Lab, page: Page) -> None:
    """Written to `.artifacts/view.png`; `docs/images/view.png` is a copy of it."""
    cells = [SETUP, RESEARCH, "research('durability')"]
    notebook = Notebook(page, lab, lab.write("picture.ipynb", cells), app="notebooks")
    page.evaluate("() => jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Light' })")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "true")
    for index in range(3):
        notebook.run_to_end(index)
    view = notebook.view(2)
    row = view.get_by_role("treeitem").filter(has=page.locator(".jp-durable-label", has_text="call_llm[0]"))
    row.locator(".jp-durable-label").click()
    expect(row.locator(".jp-durable-body")).to_contain_text("429")
    page.mouse.move(0, 0)
    cell = page.locator(".jp-Cell[data-windowed-list-index='2']")
    cell.scroll_into_view_if_needed()
    around, box = cell.bounding_box(), view.bounding_box()
    assert around is not None
    assert box is not None
    clip = {**around, "height": box["y"] + box["height"] + 3 - around["y"]}
    page.screenshot(path=ARTIFACTS / "view.png", clip=clip)  # type: ignore[arg-type]  # a TypedDict of these four
    assert (ARTIFACTS / "view.png").stat().st_size < 150_000


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_the_kernel_stands_in_the_launcher_with_its_own_logo(lab: Lab, page: Page, theme: str) -> None:
    Notebook(page, lab, lab.write("plain.ipynb", ["1"]))
    page.evaluate(
        "theme => jupyterapp.commands.execute('apputils:change-theme', { theme: `JupyterLab ${theme}` })", theme
    )
    page.evaluate("() => { jupyterapp.commands.execute('launcher:create'); }")
    card = page.locator(".jp-LauncherCard[title*='Durable'], .jp-LauncherCard:has-text('Python 3 (Durable)')").first
    expect(card).to_be_visible()
    logo = card.locator("img")
    expect(logo).to_have_attribute("src", re.compile("kernelspecs/durable/logo-"))
    assert logo.evaluate("node => node.decode().then(() => node.naturalWidth)") > 0
    expect(page.locator("#jupyterlab-splash")).to_have_count(0)
    page.screenshot(path=ARTIFACTS / f"launcher-{theme.lower()}.png")


@pytest.mark.parametrize("app", ["lab/tree", "notebooks"])
def test_progress_says_how_much_how_fast_and_how_long(lab: Lab, page: Page, app: str) -> None:
    notebook = Notebook(page, lab, lab.write("batch.ipynb", [SETUP, BATCH]), app=app)
    notebook.run_to_end(0)
    notebook.run(1)
    view = notebook.view(1)
    line = view.locator(".jp-durable-line")
    expect(line).to_have_text(re.compile(r"\d+ of 400 · [\d.,]+/s · about \d+ s left"))
    expect(view.get_by_role("treeitem").nth(1)).to_contain_text(re.compile(r"\d+ done · 3 failed · \d+ running"))
    expect(view.get_by_role("treeitem").nth(1)).to_contain_text("queued")
    fits(page)
    page.screenshot(path=ARTIFACTS / f"running-{app.split('/')[0]}.png")
    view.get_by_role("button", name="Cancel").click()
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("cancelled"))
