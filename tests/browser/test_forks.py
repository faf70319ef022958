"""A fork shows itself to who asked for it, on both generations of kernels."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.lab import SETUP, Lab, Notebook
from tests.browser.test_controls import kernel_name as kernel_name
from tests.browser.test_front import state
from tests.browser.test_panel import Requests

SLOW = """@function()
def part(n):
    time.sleep(n / 10)
    return n * 10
@application()
@function()
def whole(n: int) -> int:
    return part(n)"""


@pytest.mark.parametrize("generation", ["7", pytest.param("6", marks=pytest.mark.full)])
@pytest.mark.parametrize("given", ["[2]", "[30]"], ids=["soon over", "running"])
def test_the_view_of_a_fork_is_seen_also_when_other_cells_have_run_since(
    lab: Lab, page: Page, kernel_name: str, given: str
) -> None:
    notebook = Notebook(page, lab, lab.write("forked.ipynb", [SETUP, SLOW, "whole(1)", "1"], kernel=kernel_name))
    for index in range(4):
        notebook.run_to_end(index)
    view = notebook.view(2).first
    view.locator(".jp-durable-head .jp-durable-twisty").click()
    view.locator(".jp-durable-label", has_text="whole[0]").click()
    view.get_by_role("button", name="Fork with other input").click()
    view.locator("textarea").fill(given)
    view.get_by_role("button", name="Fork", exact=True).click()
    expect(view.locator(".jp-durable-message")).to_have_text(re.compile("forked as req_"))
    fork = (view.locator(".jp-durable-message").text_content() or "").split()[2]
    own = page.locator(f".jp-durable-view[data-request='{fork}']")
    expect(own).to_have_count(1)
    expect(own).to_be_visible()
    if kernel_name == "durable":  # an older one knows only the cell that ran last
        expect(notebook.view(2).nth(1)).to_have_attribute("data-request", fork)
    expect(own.locator(".jp-durable-state")).to_contain_text("succeeded")


@pytest.mark.full
def test_the_original_of_a_fork_stays_failed_and_the_fork_says_of_what_it_is_one(lab: Lab, page: Page) -> None:
    """Mark and view of the cell are the original's; view and panel of the fork name it."""
    broken = SLOW.replace("    return n * 10", "    if n == 1:\n        raise OSError('one')\n    return n * 10")
    notebook = Notebook(page, lab, lab.write("origin.ipynb", [SETUP, broken, "whole(1)"]))
    for index in range(3):
        notebook.run_to_end(index)
    view = notebook.view(2).first
    expect(view.locator(".jp-durable-state")).to_contain_text("failed")
    original = view.get_attribute("data-request") or ""
    view.locator(".jp-durable-label", has_text="whole[0]").click()
    view.get_by_role("button", name="Fork with other input").click()
    view.locator("textarea").fill("[2]")
    view.get_by_role("button", name="Fork", exact=True).click()
    expect(view.locator(".jp-durable-message")).to_have_text(re.compile("forked as req_"))
    fork = (view.locator(".jp-durable-message").text_content() or "").split()[2]
    own = page.locator(f".jp-durable-view[data-request='{fork}']")
    expect(own.locator(".jp-durable-state")).to_contain_text("succeeded")
    expect(own.locator(".jp-durable-id")).to_contain_text(f"fork of {original}")
    expect(view).to_have_attribute("data-request", original)
    expect(view.locator(".jp-durable-state")).to_contain_text("failed")
    expect(view.locator(".jp-durable-id")).not_to_contain_text("fork of")
    expect(state(notebook, 2)).to_contain_text("failed")
    row = Requests(page).row(f"fork of {original}").first
    expect(row).to_contain_text("succeeded")
    expect(row).to_contain_text("whole")
