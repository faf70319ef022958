"""Requests of 10,000 calls: the page answers at once and stays small. Figures are printed (`pytest -s`)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Locator, Page, expect

from tests.browser.lab import SETUP, Lab, Notebook

pytestmark = pytest.mark.full  # two minutes; test_inline_view.py has the short one
PARSE = "@function()\ndef parse(n):\n    return n"
LONG = """@application()
@function()
def many(n: int) -> int:
    for i in range(n):
        parse(i)
        time.sleep(0.002)
    return n
many(10_000)"""
FLAT = """@application()
@function()
def flat(n: int) -> int:
    return len(parse.map(range(n)))
flat(10_000)"""
NAMES = """text = ""
for i in range(100):
    inner = "".join(f"    leaf_{i}_{k}()\\n" for k in range(99))
    text += "".join(f"@function()\\ndef leaf_{i}_{k}():\\n    return {k}\\n" for k in range(99))
    text += f"@function()\\ndef branch_{i}():\\n{inner}    return {i}\\n"
exec(text)
branches = [globals()[f"branch_{i}"] for i in range(100)]"""
NESTED = """@application()
@function()
def nested() -> int:
    return sum(branch() for branch in branches)
nested()"""

PRESS = """selector => new Promise(resolve => {
    const pressed = performance.now();
    document.querySelector(selector).click();
    requestAnimationFrame(() => {
        const painted = new MessageChannel();
        painted.port1.onmessage = () => resolve(performance.now() - pressed);
        painted.port2.postMessage(0);
    });
})"""
"""Presses something; milliseconds until the next frame is painted."""


class Meter:
    """What the page holds, after its garbage was collected."""

    def __init__(self, page: Page) -> None:
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._session.send("Performance.enable")

    def read(self) -> dict[str, float]:
        """Figures by their names."""
        self._session.send("HeapProfiler.collectGarbage")
        found: list[Any] = self._session.send("Performance.getMetrics")["metrics"]
        return {each["name"]: each["value"] for each in found}


@pytest.fixture
def meter(page: Page) -> Meter:
    """A meter of the page."""
    return Meter(page)


def pressed(page: Page, selector: str, times: int = 9) -> list[float]:
    """How long each press takes until it is seen, the shortest first."""
    return sorted(page.evaluate(PRESS, selector) for _ in range(times))


def quick(page: Page, view: Locator, what: dict[str, str]) -> None:
    """Each of these answers within 100 ms in the middle of nine presses."""
    elements = view.locator("*").count()
    print(f"{elements} elements")
    assert elements < 2_000
    for name, selector in what.items():
        taken = pressed(page, selector)
        print(f"{name}: {taken[4]:.0f} ms, at most {taken[-1]:.0f} ms")
        assert taken[4] < 100, (name, taken)


def finished(view: Locator) -> None:
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("succeeded"), timeout=180_000)


HEAD = ".jp-durable-summary "
ROW = ".jp-durable-tree .jp-durable-item:nth-child(2) > .jp-durable-row"


def test_while_ten_thousand_calls_run_clicks_answer_and_the_page_does_not_grow(
    lab: Lab, page: Page, meter: Meter
) -> None:
    notebook = Notebook(page, lab, lab.write("long.ipynb", [SETUP, PARSE, LONG]))
    for index in (0, 1):
        notebook.run_to_end(index)
    page.evaluate(
        "() => { window.updates = 0; jupyterapp.shell.currentWidget.sessionContext.iopubMessage.connect("
        "(_, m) => { window.updates += m.header.msg_type === 'update_display_data' ? 1 : 0; }); }"
    )
    notebook.run(2)
    view = notebook.view(2)
    expect(view.locator(".jp-durable-label", has_text=re.compile(r"parse ×\d{3}|parse ×\d,"))).to_be_visible(
        timeout=90_000
    )
    before, updates = meter.read(), page.evaluate("() => window.updates")
    quick(page, view, {"timeline": f"{HEAD}[aria-pressed]", "row": f"{ROW} .jp-durable-twisty"})
    finished(view)
    notebook.idle()
    many = page.evaluate("() => window.updates") - updates
    if view.locator(".jp-durable-tree").is_hidden():
        view.locator(".jp-durable-head .jp-durable-twisty").click()
    for _ in range(50):
        page.evaluate(PRESS, f"{ROW} .jp-durable-twisty")
    after = meter.read()
    grown = (after["JSHeapUsedSize"] - before["JSHeapUsedSize"]) / 1e6
    print(f"{many} updates and 50 presses: {grown:+.1f} MB of {before['JSHeapUsedSize'] / 1e6:.0f} MB")
    for name in ("Nodes", "JSEventListeners"):
        print(f"{name}: {before[name]:.0f} → {after[name]:.0f}")
    assert many > 20
    assert grown < 10
    assert after["Nodes"] < before["Nodes"] + 3_000


def test_ten_thousand_items_are_one_row_and_pages(lab: Lab, page: Page) -> None:
    notebook = Notebook(page, lab, lab.write("flat.ipynb", [SETUP, PARSE, FLAT]))
    for index in range(3):
        notebook.run_to_end(index)
    view = notebook.view(2)
    finished(view)
    view.locator(".jp-durable-head .jp-durable-twisty").click()
    expect(view.get_by_role("treeitem")).to_have_count(2)
    expect(view.get_by_role("treeitem").nth(1)).to_contain_text("parse ×10,000")
    view.get_by_role("treeitem").nth(1).locator(".jp-durable-twisty").click()
    expect(view.locator(".jp-durable-more")).to_contain_text("1–50 of 10,000")
    view.get_by_role("button", name="Next").click()
    expect(view.locator(".jp-durable-more")).to_contain_text("51–100 of 10,000")
    quick(page, view, {
        "timeline": f"{HEAD}[aria-pressed]", "a call": ".jp-durable-item:nth-child(5) > .jp-durable-row",
        "close and open": f"{ROW} .jp-durable-twisty", "the view": ".jp-durable-head .jp-durable-twisty",
    })  # fmt: skip


def test_ten_thousand_names_in_a_nested_tree_stay_few_rows(lab: Lab, page: Page) -> None:
    notebook = Notebook(page, lab, lab.write("nested.ipynb", [SETUP, NAMES, NESTED]))
    for index in (0, 1):
        notebook.run_to_end(index)
    notebook.run(2)
    view = notebook.view(2)
    finished(view)
    view.locator(".jp-durable-head .jp-durable-twisty").click()
    expect(view.locator(".jp-durable-counts")).to_contain_text("10,000 ran")
    branch = view.locator(".jp-durable-item", has=page.locator(".jp-durable-label", has_text="branch_7["))
    branch.locator(".jp-durable-twisty").click()
    expect(view.locator(".jp-durable-label", has_text="leaf_7_3[")).to_be_visible()
    expect(view.locator(".jp-durable-more").first).to_contain_text("1–50 of 99")
    quick(page, view, {
        "timeline": f"{HEAD}[aria-pressed]", "a row": ROW, "the view": ".jp-durable-head .jp-durable-twisty",
        "failed only": f"{HEAD}[aria-pressed]:nth-child(2)",
    })  # fmt: skip
