"""axe over everything of ours that stands on a page: nothing serious, light and dark."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.lab import SETUP, Lab, Notebook
from tests.browser.test_front import CHAIN, ENDLESS, REPAIR, activate, command, ended, mark, state
from tests.conftest import ROOT

AXE = ROOT / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
OURS = ", ".join(f".jp-durable-{name}" for name in ("view", "mark", "status", "dialog", "requests", "single"))
# JupyterLab's body clips what overflows and has no height of its own; axe then takes every text for hidden.
RUN = """async ours => {
  document.body.style.minHeight = '100vh';
  const found = await axe.run(
    {include: Array.from(document.querySelectorAll(ours))},
    {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      rules: {'label-content-name-mismatch': {enabled: false}}  // experimental: it takes signs and bars for words
    }
  );
  if (!found.passes.some(one => one.id === 'color-contrast' && one.nodes.length > 20)) {
    throw new Error('axe has hardly seen a text');
  }
  return found.violations
    .filter(one => ['serious', 'critical'].includes(one.impact))
    .flatMap(one => one.nodes.map(node => `${one.id}: ${node.html.slice(0, 160)}: ${node.failureSummary}`));
}"""


def grave(page: Page) -> list[str]:
    """What axe finds grave in our elements on this page."""
    if not page.evaluate("() => 'axe' in window"):
        page.add_script_tag(path=AXE)
    return list(page.evaluate(RUN, OURS))


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_views_marks_and_dialogs_have_no_grave_fault(lab: Lab, page: Page, theme: str) -> None:
    cells = [SETUP, CHAIN, "total = chain(6)", REPAIR, "total = chain(7)", ENDLESS]
    notebook = Notebook(page, lab, lab.write(f"axe-{theme.lower()}.ipynb", cells))
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", f"JupyterLab {theme}")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", str(theme == "Light").lower())
    try:
        for index in (0, 1, 2, 4, 3):
            notebook.run_to_end(index)
        failed = notebook.view(2)
        failed.locator(".jp-durable-label", has_text=re.compile(r"^part\[3\]$")).click()
        expect(failed.get_by_role("tab").first).to_be_visible()
        mark(notebook, 4).get_by_role("button", name="Resume").click()
        expect(state(notebook, 4)).to_have_text("✓3 from checkpoint")
        notebook.view(4).get_by_role("button", name="Timeline").click()
        notebook.run(5)
        expect(state(notebook, 5)).to_have_text("●running")
        assert grave(page) == []
        activate(notebook, 5)
        command(page, "durable:cancel-request")
        ended(notebook, 5)
        failed.get_by_role("button", name="More").click()
        assert grave(page) == []
        page.keyboard.press("Escape")
        activate(notebook, 4)
        command(page, "durable:preview-replay")
        expect(page.get_by_role("dialog").get_by_role("table")).to_be_visible()
        assert grave(page) == []
        page.get_by_role("dialog").get_by_role("button", name="Close").click()
        command(page, "durable:show-panel")
        panel = page.locator("#jp-durable-requests")
        expect(panel).to_contain_text("endless")
        assert grave(page) == []
        command(page, "durable:open-request", request=failed.get_attribute("data-request"))
        expect(page.locator(".jp-durable-single").get_by_role("treeitem").first).to_be_visible()
        assert grave(page) == []
    finally:
        page.evaluate("() => jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
