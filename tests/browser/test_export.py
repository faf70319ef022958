"""The applications of a notebook are exported from the page: what goes in is seen before it is written."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.lab import ARTIFACTS, Lab, Notebook, wait_for

CELLS = [
    "%load_ext jupyter_durable\nfrom jupyter_durable import application, function\nimport math",
    "RATE = 3\nimport pandas as pd",
    '@function()\ndef fetch(page: int) -> str:\n    """One page of the catalogue."""\n    return f"page {page}"',
    '@application()\n@function(timeout=60)\ndef catalogue(pages: int) -> list[str]:\n    """All pages."""\n'
    "    return fetch.map(range(pages))",
    '@application()\n@function()\ndef price(amount: float) -> float:\n    """With tax."""\n    return amount * RATE',
    "catalogue(3)\nprint(price(2))",
]


@pytest.mark.parametrize("theme", ["Light", pytest.param("Dark", marks=pytest.mark.full)])
def test_what_goes_in_is_seen_chosen_and_then_written(lab: Lab, page: Page, theme: str) -> None:
    """The notebook was never run and is not saved: its text is enough. From the palette's command, and the panel."""
    name = f"shop-{theme.lower()}"
    notebook = Notebook(page, lab, lab.write(f"{name}.ipynb", CELLS))
    change = f"jupyterapp.commands.execute('apputils:change-theme', {{ theme: 'JupyterLab {theme}' }})"
    page.evaluate(f"() => {change}")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "true" if theme == "Light" else "false")
    notebook.write(1, "RATE = 4\nimport pandas as pd")
    page.evaluate("() => { jupyterapp.commands.execute('durable:export'); }")
    dialog = page.locator(".jp-Dialog")
    expect(dialog.locator(".jp-durable-export-name")).to_have_text(["catalogue", "price"])
    expect(dialog.locator(".jp-durable-export-sum")).to_contain_text("go in")
    expect(dialog.locator("tr[data-kept='false']", has_text="catalogue(3)")).to_be_visible()
    page.mouse.move(0, 0)
    page.screenshot(path=ARTIFACTS / f"export-{theme.lower()}.png")
    dialog.get_by_label("catalogue").uncheck()
    dialog.get_by_label("For").select_option("tensorlake")
    expect(dialog.locator("tr[data-kept='true']", has_text="fetch")).to_have_count(0)
    dialog.get_by_label("Folder").fill(f"{name}-out")
    expect(dialog.locator(".jp-durable-export")).not_to_have_attribute("aria-busy", "true")
    dialog.get_by_role("button", name="Export").click()
    expect(page.locator(".jp-toast-message, .Toastify__toast", has_text=f"{name}-out").first).to_be_visible()
    folder = lab.directory / f"{name}-out"
    text = (folder / f"{name.replace('-', '_')}.py").read_text()
    assert "RATE = 4" in text
    assert "def fetch" not in text
    assert "pandas" not in text
    (folder / "README.md").write_text("edited by hand")
    page.evaluate("() => { jupyterapp.commands.execute('durable:show-panel'); }")
    page.locator("#jp-durable-requests").get_by_role("button", name="Export…").click()
    dialog.get_by_label("For").select_option("tensorlake")
    dialog.get_by_label("Folder").fill(f"{name}-out")
    expect(dialog.locator(".jp-durable-export-sum")).to_contain_text("files")
    dialog.get_by_role("button", name="Export").click()
    expect(dialog.locator(".jp-durable-wrong")).to_contain_text("README.md")
    expect(dialog.locator(".jp-durable-export-name")).to_have_count(2)
    expect(dialog.locator(".jp-durable-wrong")).to_contain_text("README.md")
    page.screenshot(path=ARTIFACTS / f"export-edited-{theme.lower()}.png")
    assert (folder / "README.md").read_text() == "edited by hand"
    dialog.get_by_label("Write over what was edited by hand").check()
    expect(dialog.locator(".jp-durable-wrong")).to_have_text("")
    dialog.get_by_role("button", name="Export").click()
    expect(dialog).to_have_count(0)
    wait_for(lambda: "catalogue" in (folder / "README.md").read_text(), 60)
