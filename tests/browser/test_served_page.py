"""The server's own page, in a browser: what a colleague who has no Jupyter open sees and does."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.applications.conftest import Served
from tests.browser import served_page
from tests.browser.conftest import CONSOLE
from tests.browser.lab import ARTIFACTS
from tests.browser.test_accessibility import AXE, RUN

WIDE, NARROW = ViewportSize(width=1280, height=800), ViewportSize(width=390, height=844)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server, audited: its process restores nothing of what users sent, whatever the page shows."""
    served = Served(tmp_path_factory.mktemp("served"))
    try:
        yield served.start()
        assert not served.witness.exists(), served.witness.read_text()
    finally:
        served_page.gate(served).touch()
        served.stop()


@pytest.fixture(scope="module")
def ids(server: Served) -> dict[str, str]:
    return served_page.filled(server)


@pytest.fixture
def quiet(page: Page, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page whose console says nothing: no script that the policy stopped, and no error."""
    page.set_viewport_size(WIDE)
    yield page
    said = [line for line in request.node.stash[CONSOLE].lines if line.startswith(("error", "uncaught", "warning"))]
    assert not said


def enter(page: Page, server: Served, scope: str = "", where: str = "") -> None:
    token = server.tokens.create("default", scope, time.time(), None)[0] if scope else server.token
    page.goto(f"{server.url}/{where}")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def row(page: Page, id: str):
    return page.locator(f".jp-durable-listed[data-request={id}]")


def view(page: Page):
    return page.locator(".jp-durable-single .jp-durable-view")


def test_a_colleague_finds_a_request_and_takes_its_result_along(
    quiet: Page, server: Served, ids: dict[str, str]
) -> None:
    enter(quiet, server)
    quiet.get_by_label("Search by name").fill("report")
    expect(quiet.locator(".jp-durable-listed")).to_have_count(1)
    row(quiet, ids["report"]).click()
    expect(view(quiet)).to_contain_text("summarize[1]('text of terms') → {'words': 3")
    expect(row(quiet, ids["report"])).to_have_attribute("aria-selected", "true")
    with quiet.expect_download() as loading:
        quiet.get_by_role("button", name="Download result").click()
    assert json.loads(loading.value.path().read_text())[0] == {"words": 3, "of": "text of prices"}
    assert loading.value.suggested_filename == f"{ids['report']}.json"
    quiet.get_by_label("Search by name").fill("nothing like that")
    expect(quiet.get_by_text("No request is like that.")).to_be_visible()
    quiet.get_by_role("button", name="Clear filters").click()
    quiet.get_by_label("Filter by state").select_option("failed")
    expect(row(quiet, ids["fragile"])).to_contain_text("the price list has no column")
    expect(quiet.locator(".jp-durable-listed")).to_have_count(1)


@pytest.mark.full
def test_a_session_holds_in_every_tab_until_it_is_ended(quiet: Page, server: Served, ids: dict[str, str]) -> None:
    enter(quiet, server)
    cookie = next(each for each in quiet.context.cookies() if each["name"] == "jupyter-durable-session")
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/page")
    assert server.token not in cookie["value"]
    assert (
        quiet.evaluate("() => document.cookie + JSON.stringify([{...localStorage}, {...sessionStorage}])") == "[{},{}]"
    )
    quiet.goto(f"{server.url}/#{ids['report']}")
    expect(view(quiet)).to_contain_text("report")
    quiet.get_by_role("button", name="Log out").click()
    expect(quiet.get_by_text("You are logged out.")).to_be_visible()
    expect(quiet.get_by_text("report")).to_have_count(0)
    quiet.reload()
    expect(quiet.get_by_label("Token")).to_be_visible()


def test_who_may_only_look_sees_nothing_to_press(quiet: Page, server: Served, ids: dict[str, str]) -> None:
    enter(quiet, server, "read", f"#{ids['patient']}")
    expect(view(quiet)).to_contain_text("fetch[0]")
    expect(quiet.get_by_text("read only")).to_be_visible()
    for id in (ids["patient"], ids["fragile"]):
        row(quiet, id).click()
        expect(view(quiet)).to_have_attribute("data-request", id)
        view(quiet).get_by_role("button", name="More").click()
        for name in ("Cancel", re.compile("Replay"), re.compile("Re-run")):
            expect(quiet.get_by_role("button", name=name)).to_have_count(0)
            expect(quiet.get_by_role("menuitem", name=name)).to_have_count(0)
        quiet.keyboard.press("Escape")


@pytest.mark.full
def test_a_request_is_replayed_and_cancelled_and_seen_to_change_by_itself(
    quiet: Page, server: Served, ids: dict[str, str]
) -> None:
    enter(quiet, server, where=f"#{ids['fragile']}")
    before = len(server.executions("fetch the only page"))
    view(quiet).get_by_role("button", name=re.compile("Replay")).first.click()
    expect(view(quiet)).to_contain_text("run 2")
    assert len(server.executions("fetch the only page")) == before
    go = server.folder / "another"
    other = server.begin("patient", str(go))
    quiet.goto(f"{server.url}/#{other}")
    expect(view(quiet)).to_contain_text("fetch[0]")
    go.touch()
    expect(view(quiet)).to_contain_text("fetch[1]('second')")
    row(quiet, ids["patient"]).click()
    view(quiet).get_by_role("button", name="Cancel").click()
    expect(view(quiet)).to_contain_text("cancelled")
    expect(row(quiet, ids["patient"])).to_contain_text("cancelled")


def test_names_that_mean_harm_are_text(quiet: Page, server: Served, ids: dict[str, str]) -> None:
    quiet.on("dialog", lambda dialog: pytest.fail(f"a script of a name ran: {dialog.message}"))
    enter(quiet, server)
    expect(row(quiet, served_page.HOSTILE_ID)).to_contain_text("<img src=x onerror=alert(1)>\\u202eevil")
    row(quiet, served_page.HOSTILE_ID).click()
    expect(view(quiet)).to_contain_text("<img src=x onerror=alert(1)>\\u202eevil")
    expect(quiet.locator("img")).to_have_count(0)


@pytest.mark.full
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1280", "390"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_has_no_grave_fault_and_keeps_within_its_width(
    page: Page, server: Served, ids: dict[str, str], scheme: Literal["light", "dark"], size: ViewportSize
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(size)
    enter(page, server, where=f"#{ids['report']}")
    expect(view(page)).to_contain_text("fetch[1]")
    if size is NARROW:
        expect(row(page, ids["report"])).to_be_hidden()
        page.screenshot(path=ARTIFACTS / f"served-one-{scheme}.png")
        page.get_by_role("button", name="← All requests").click()
        expect(view(page)).to_have_count(0)
    expect(row(page, ids["report"])).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
    page.screenshot(path=ARTIFACTS / f"served-{scheme}-{size['width']}.png")
    page.evaluate(AXE.read_text())
    assert page.evaluate(RUN, "body") == []


@pytest.mark.full
def test_a_server_that_is_gone_is_said_once_and_what_was_seen_stays(page: Page, tmp_path) -> None:
    own = Served(tmp_path).start()
    try:
        page.set_viewport_size(WIDE)
        enter(page, own)
        expect(page.get_by_text(f"%durable store {own.url}")).to_be_visible()
        own.stop()
        expect(page.get_by_text("The server does not answer. What is shown")).to_be_visible()
        page.screenshot(path=ARTIFACTS / "served-gone.png")
        own.start()
        expect(page.get_by_text("The server does not answer. What is shown")).to_be_hidden()
        expect(page.get_by_role("button", name="Log out")).to_be_visible()
        kept = own.tokens.all()[0]
        own.tokens.revoke(kept.id, time.time())
        expect(page.get_by_text("Your session is over")).to_be_visible()
    finally:
        own.stop()
