"""Settings, status bar and notifications, in a real page."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.lab import APPS_IN_FULL, ARTIFACTS, SETUP, Lab, Notebook, Settings
from tests.browser.test_front import ENDLESS, REPAIRED, activate, command, ended, state, toast


def timed(name: str, seconds: float) -> str:
    return f"@application()\n@function()\ndef {name}() -> int:\n    time.sleep({seconds})\n    return 1\n{name}()"


def test_settings_hold_at_once(lab: Lab, page: Page, settings: Settings) -> None:
    settings({})
    notebook = Notebook(page, lab, lab.write("settings.ipynb", [SETUP, REPAIRED, "chain(6)"]))
    for index in (0, 1, 2):
        notebook.run_to_end(index)
    expect(state(notebook, 2)).to_have_text("✓succeeded")
    expect(notebook.view(2).locator(".jp-durable-tree")).to_be_hidden()
    tab = page.evaluate("() => jupyterapp.shell.currentWidget.id")
    page.evaluate("() => jupyterapp.commands.execute('settingeditor:open', {query: 'Durable Requests'})")
    form = page.locator(".jp-SettingsForm", has_text="Marks on cells")
    form.get_by_label("Marks on cells").uncheck()
    form.locator("select").select_option(label="Tree")
    page.screenshot(path=ARTIFACTS / "front-settings.png")
    expect(page.locator(".jp-durable-mark")).to_have_count(0)
    page.evaluate("id => jupyterapp.shell.activateById(id)", tab)
    expect(notebook.view(2).locator(".jp-durable-tree")).to_be_visible()


def test_the_end_of_a_long_request_is_told_once_when_nobody_sees_it(lab: Lab, page: Page, settings: Settings) -> None:
    settings({"notifyAfter": 1})
    cells = [SETUP, timed("watched", 1.5), timed("unwatched", 2)]
    notebook = Notebook(page, lab, lab.write("told.ipynb", cells))
    notebook.run_to_end(0)
    notebook.run_to_end(1)
    expect(state(notebook, 1)).to_have_text("✓succeeded")
    notebook.run(2)
    expect(state(notebook, 2)).to_have_text("●running")
    tab = page.evaluate("() => jupyterapp.shell.currentWidget.id")
    page.evaluate("() => { jupyterapp.commands.execute('launcher:create'); }")
    expect(toast(page)).to_have_text(re.compile("unwatched succeeded after 2"))
    toast(page).get_by_role("button", name="Show").click()
    page.wait_for_function("id => jupyterapp.shell.currentWidget.id === id", arg=tab)
    assert page.evaluate("() => jupyterapp.shell.currentWidget.content.activeCellIndex") == 2


def test_a_failure_is_told_with_its_error_and_a_cancel_is_not(lab: Lab, page: Page, settings: Settings) -> None:
    settings({"notifyAfter": 1})
    failing = timed("failing", 2).replace("return 1", "raise ValueError('page 7 has no text')")
    notebook = Notebook(page, lab, lab.write("untold.ipynb", [SETUP, timed("stopped", 60), failing]))
    notebook.run_to_end(0)
    notebook.run(1)
    expect(state(notebook, 1)).to_have_text("●running")
    page.wait_for_timeout(1500)  # so that it is long enough to be told
    command(page, "durable:cancel-request")
    ended(notebook, 1)
    notebook.run(2)
    expect(state(notebook, 2)).to_have_text("●running")
    page.evaluate("() => { jupyterapp.commands.execute('launcher:create'); }")
    expect(toast(page)).to_have_text(re.compile(r"failing failed after 2.*page 7 has no text"))
    page.screenshot(path=ARTIFACTS / "front-notification.png")
    expect(toast(page)).to_have_count(1)


def test_the_status_bar_counts_what_runs_in_all_stores(lab: Lab, page: Page) -> None:
    """There while something runs, gone when nothing does; pressing it opens the panel."""
    notebook = Notebook(page, lab, lab.write("count.ipynb", [SETUP, ENDLESS]))
    item = page.locator("#jp-bottom-panel .jp-durable-status")
    expect(item).to_be_hidden()
    notebook.run_to_end(0)
    notebook.run(1)
    expect(item).to_have_text("●1 running")
    expect(item.get_by_role("button")).to_have_attribute("title", re.compile("endless · count.ipynb"))
    page.screenshot(path=ARTIFACTS / "front-status.png")
    item.get_by_role("button").click()
    panel = page.locator("#jp-durable-requests")
    expect(panel).to_be_visible()
    expect(panel).to_contain_text("endless")
    activate(notebook, 1)
    command(page, "durable:cancel-request")
    expect(item).to_be_hidden()
    ended(notebook, 1)


@APPS_IN_FULL
def test_the_end_of_a_request_is_told_to_a_page_that_was_hidden(
    lab: Lab, page: Page, app: str, settings: Settings
) -> None:
    """Though its view stands in the middle of it."""
    settings({"notifyAfter": 1, "timeline": True})
    page.add_init_script("Object.defineProperty(document, 'hidden', {get: () => window.away === true});")
    notebook = Notebook(page, lab, lab.write(f"hidden-{app[:3]}.ipynb", [SETUP, timed("alone", 2)]), app=app)
    notebook.run_to_end(0)
    notebook.run(1)
    expect(state(notebook, 1)).to_have_text("●running")
    expect(notebook.view(1).get_by_role("button", name="Timeline")).to_have_attribute("aria-pressed", "true")
    page.evaluate("() => { window.away = true; }")
    expect(toast(page)).to_have_text(re.compile("alone succeeded after 2"))
