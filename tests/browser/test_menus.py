"""Menus are as wide as their entries and within the window, in both applications, at every width."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.lab import APPS_IN_FULL, SETUP, Lab, Notebook, entry

FAILS = "@function()\ndef part(n):\n    return n / (n - 2)\n@application()\n@function()\ndef parts() -> list:\n"
FAILS += "    return [part(n) for n in range(4)]"
WIDTHS = (1280, 800, 460)
WIDEST = 400


def fits(page: Page, menu: Locator) -> None:
    """It is a menu, not a band across the window."""
    expect(menu).to_be_visible()
    box, size = menu.bounding_box(), page.viewport_size
    assert box is not None
    assert size is not None
    assert 100 < box["width"] <= WIDEST
    assert box["x"] >= 0
    assert box["y"] >= 0
    assert box["x"] + box["width"] <= size["width"]
    assert box["y"] + box["height"] <= size["height"]


@APPS_IN_FULL
def test_the_menus_of_a_view_and_of_the_panel_fit_at_every_width(lab: Lab, page: Page, app: str) -> None:
    notebook = Notebook(page, lab, lab.write(f"menus-{app[:3]}.ipynb", [SETUP, FAILS, "parts()"]), app=app)
    for index in range(3):
        notebook.run_to_end(index)
    view = notebook.view(2)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 700})
        view.scroll_into_view_if_needed()
        first = entry(view, "Preview")
        fits(page, view.get_by_role("menu"))
        assert view.get_by_role("menuitem").evaluate_all(
            "all => all.filter(each => each.offsetWidth).every(each => each.innerText.split('\\n').length === 2)"
        )
        first.press("Escape")
        expect(view.get_by_role("menu")).to_be_hidden()
    page.set_viewport_size({"width": 1280, "height": 700})
    page.evaluate("() => { jupyterapp.commands.execute('durable:show-panel'); }")
    row = page.locator("#jp-durable-requests .jp-durable-listed", has_text=f"menus-{app[:3]}").first
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 700})
        row.get_by_role("button", name="More actions").click()
        fits(page, page.locator(".lm-Menu"))
        page.keyboard.press("Escape")
        expect(page.locator(".lm-Menu")).to_have_count(0)


@pytest.mark.full
def test_a_menu_closes_with_what_moves_it_and_its_keys_go_round(lab: Lab, page: Page) -> None:
    notebook = Notebook(page, lab, lab.write("keys.ipynb", [SETUP, FAILS, "parts()", *["1"] * 30]))
    for index in range(3):
        notebook.run_to_end(index)
    view = notebook.view(2)
    entry(view, "Preview")
    focused = page.locator(":focus .jp-durable-entry-label")
    expect(focused).to_have_text("Preview")
    page.keyboard.press("ArrowUp")
    expect(focused).to_have_text("Copy request id")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    expect(focused).to_have_text("Replay recorded code")
    page.mouse.move(600, 300)
    page.mouse.wheel(0, 400)
    expect(view.get_by_role("menu")).to_be_hidden()
