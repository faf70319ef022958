"""The inline view in a real JupyterLab: it appears while the cell runs, it is clear, and it stays with the notebook."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, Request, expect

from tests.browser.lab import APPS, APPS_IN_FULL, ARTIFACTS, SETUP, Lab, Notebook, again, entry, unfold

SLOW = """@application()
@function()
def slow(n: int) -> int:
    progress = RequestContext.get().progress
    for i in range(n):
        progress.update(i, n, "counting")
        time.sleep(0.05)
    return n
slow(60)"""

MAP = """@function()
def parse(n):
    if n in (7, 400, 900):
        raise ValueError(f"page {n} has no text")
    return n
@application()
@function()
def batch(n: int) -> int:
    return len(parse.map(range(n), return_exceptions=True))
batch(1000)"""

MIME = "application/vnd.jupyter-durable.request+json"
OVERLAPPING = """view => [...view.querySelectorAll('.jp-durable-row')].flatMap(row => {
    const parts = [...row.children].filter(part => part.offsetParent !== null);
    const texts = parts.filter(part => !part.matches('.jp-durable-track'));
    const spilt = texts.filter(part => part.scrollWidth > part.clientWidth + 1);
    const covered = parts.filter((part, n) => {
        const [one, next] = [part, parts[n + 1]].map(each => each?.getBoundingClientRect());
        return next !== undefined && next.top < one.bottom - 1 && next.left < one.right - 1;
    });
    return [...spilt, ...covered].map(part => `${part.className}: ${part.textContent}`);
})"""
"""What in the rows of a view is wider than its place, or has its neighbour over it."""


@APPS
def test_the_view_is_live_while_the_cell_runs_and_one_line_when_all_went_well(lab: Lab, page: Page, app: str) -> None:
    notebook = Notebook(page, lab, lab.write(f"slow-{app[:3]}.ipynb", [SETUP, SLOW]), app=app)
    notebook.run_to_end(0)
    notebook.run(1)
    view = notebook.view(1)
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("running"))
    expect(view.locator(".jp-durable-line")).to_have_text(re.compile(r"[1-5]\d of 60"))
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("succeeded"))
    expect(view.locator(".jp-durable-tree")).to_be_hidden()
    expect(view.locator(".jp-durable-line")).to_have_text(re.compile("all ran"))
    assert view.count() == 1
    page.screenshot(path=ARTIFACTS / f"live-{app[:3]}.png")


@APPS_IN_FULL
def test_a_thousand_items_are_one_row_that_opens_to_pages(lab: Lab, page: Page, app: str) -> None:
    notebook = Notebook(page, lab, lab.write(f"map-{app[:3]}.ipynb", [SETUP, MAP]), app=app)
    notebook.run_to_end(0)
    notebook.run_to_end(1)
    view = notebook.view(1)
    rows = view.get_by_role("treeitem")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("parse ×1,000")
    expect(rows.nth(1)).to_contain_text("997 done · 3 failed")
    rows.nth(1).locator(".jp-durable-twisty").click()
    expect(view.locator(".jp-durable-more")).to_contain_text("1–50 of 1,000")
    expect(rows).to_have_count(2 + 50 + 1)
    for place, label in enumerate(["parse[7]", "parse[400]", "parse[900]", "parse[0]"]):
        expect(rows.nth(2 + place).locator(".jp-durable-label")).to_have_text(label)
    view.get_by_role("button", name="Next").click()
    expect(view.locator(".jp-durable-more")).to_contain_text("51–100 of 1,000")
    expect(view.locator(".jp-durable-label", has_text=re.compile(r"^parse\[48\]$"))).to_be_visible()
    view.get_by_role("button", name="Failed only").click()
    expect(view.locator(".jp-durable-label", has_text="parse[")).to_have_count(3)


@APPS_IN_FULL
def test_the_tree_is_used_by_keyboard(lab: Lab, page: Page, app: str) -> None:
    """Arrows move, open and close; Enter shows a call; none of them reaches the notebook."""
    notebook = Notebook(page, lab, lab.write(f"keys-{app[:3]}.ipynb", [SETUP, MAP, "1"]), app=app)
    notebook.run_to_end(0)
    notebook.run_to_end(1)
    view = notebook.view(1)
    rows = view.get_by_role("treeitem")
    rows.first.focus()
    page.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(rows.nth(1)).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    expect(rows.nth(2)).to_be_focused()
    page.keyboard.press("Enter")
    expect(view.get_by_role("tab", name="Inputs")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(rows).to_have_count(2)
    page.keyboard.press("/")
    page.keyboard.type("parse[400")
    expect(view.locator(".jp-durable-label", has_text="parse[400]")).to_be_visible()
    expect(view.locator(".jp-durable-label", has_text="parse[7]")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(rows).to_have_count(2)
    expect(view.locator("[role='treeitem']:focus")).to_have_count(1)
    page.keyboard.type("ddx")  # in a notebook: delete the cell, cut the next one
    assert page.evaluate("() => jupyterapp.shell.currentWidget.content.activeCellIndex") == 1
    assert page.evaluate("() => jupyterapp.shell.currentWidget.content.widgets.length") == 3


@APPS_IN_FULL
def test_inputs_and_output_are_previews_made_in_the_kernel(lab: Lab, page: Page, app: str) -> None:
    cell = """import pandas as pd
@application(input_deserializer="pickle", output_serializer="pickle")
@function()
def table(rows, api_key):
    print("reading", rows)
    return pd.DataFrame({"name": [f"row {n}" for n in range(rows)], "n": range(rows)})
_ = table(1000, "sk-abcdefghijklmnopqrstuvwxyz0123456789")"""
    notebook = Notebook(page, lab, lab.write(f"values-{app[:3]}.ipynb", [SETUP, cell]), app=app)
    notebook.run_to_end(0)
    notebook.run_to_end(1)
    view = notebook.view(1)
    unfold(view)
    view.locator(".jp-durable-label").first.click()
    expect(view.locator(".jp-durable-input").first).to_contain_text("rows")
    expect(view.locator(".jp-durable-input").nth(1)).to_contain_text("***")
    view.get_by_role("tab", name="Output").click()
    expect(view.locator(".jp-durable-table tbody tr")).to_have_count(8)
    expect(view.locator(".jp-durable-body")).to_contain_text("1,000 rows × 2 columns")
    view.get_by_role("tab", name="Log").click()
    expect(view.locator(".jp-durable-body")).to_contain_text("reading 1000")
    assert "sk-abc" not in view.inner_text()


@APPS_IN_FULL
def test_saved_and_opened_with_no_kernel_it_says_what_it_was(lab: Lab, page: Page, app: str) -> None:
    """The tree is there, controls are off and say why; a request that ran when it was saved was last seen running."""
    name = lab.write(f"saved-{app[:3]}.ipynb", [SETUP, MAP, SLOW])
    notebook = Notebook(page, lab, name, app=app)
    for index in (0, 1):
        notebook.run_to_end(index)
    notebook.run(2)
    expect(notebook.view(2).locator(".jp-durable-line")).to_have_text(re.compile(r"\d+ of 60"))
    notebook.save()
    saved = lab.read(name)
    for cell in saved["cells"][1:]:
        (bundle,) = [output["data"] for output in cell["outputs"] if MIME in output.get("data", {})]
        assert {MIME, "text/html", "text/plain"} <= set(bundle)
    lab.end_kernels()
    (lab.directory / f"noker-{app[:3]}.ipynb").write_text(
        (lab.directory / name).read_text().replace('"durable"', '"gone"')
    )
    page.goto("about:blank")
    opened = Notebook(page, lab, f"noker-{app[:3]}.ipynb", kernel=False, app=app)
    page.get_by_role("button", name="Select Kernel").or_(page.locator(".jp-Dialog-button.jp-mod-reject")).last.click()
    view = opened.view(1)
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("succeeded"))
    expect(view.get_by_role("treeitem").nth(1)).to_contain_text("parse ×1,000")
    expect(opened.view(2).locator(".jp-durable-state")).to_have_text(re.compile("last seen running"))
    strict = entry(view, "Strict replay")
    expect(strict).to_have_attribute("aria-disabled", "true")
    expect(strict).to_have_attribute("title", re.compile("[Nn]o kernel|not trusted|not connected"))


@APPS_IN_FULL
def test_a_view_catches_up_after_a_reload(lab: Lab, page: Page, app: str) -> None:
    name = lab.write(f"reload-{app[:3]}.ipynb", [SETUP, SLOW.replace("slow(60)", "slow(120)")])
    notebook = Notebook(page, lab, name, app=app)
    notebook.run_to_end(0)
    notebook.run(1)
    expect(notebook.view(1).locator(".jp-durable-line")).to_have_text(re.compile(r"\d+ of 120"))
    notebook.save()
    page.reload()
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
    state = notebook.view(1).locator(".jp-durable-state")
    expect(state).to_have_text(re.compile("succeeded"))


EVIL = [
    "<img src=x onerror=\"alert(1)\">", "<script>alert(2)</script>", "javascript:alert(3)", "\u202egnp.exe",
    "\u001b[31mred\u001b[0m", "</div></div><iframe src='//x'>", "${alert(4)}", "a\u0000b\u200bc", "{{7*7}}",
    "<style>*{display:none}</style>", "\" onmouseover=\"alert(5)", "<a href='javascript:alert(6)'>x</a>",
]  # fmt: skip
AROUND = [
    "{}", "<b>{}</b>", "'{}'", "</script>{}", "<!--{}-->", "</textarea>{}", "\n{}\n", "%3C{}%3E", "&lt;{}&gt;",
    "</pre>{}", "data:text/html,{}", "<svg>{}</svg>", "<math>{}</math>", "]]>{}", "\u2066{}\u2069", "</title>{}",
    "<template>{}</template>",
]  # fmt: skip


def hostile_call(n: int, text: str) -> dict[str, Any]:
    """A failed call that is `text` everywhere."""
    fields = [
        "label",
        "name",
        "kind",
        "source",
        "fingerprint",
        "attempts",
        "started_at",
        "duration",
        "children",
        "error",
        "arguments",
        "output",
        "stored",
        "args_changed",
        "code_changed",
    ]
    where = {"id": n + 2, "parent": 1, "depth": 1, "status": "failed"}
    waits = {"kind": "form", "prompt": text, "schema": {"properties": {text: {"title": text, "type": text}}}}
    others: dict[str, Any] = {
        "logs": [[text, text], text],
        "progress": {"current": n, "total": 9, "message": text, "attributes": {text: text, "__proto__": text}},
        "tries": [{"number": text, "started_at": text, "duration": 1, "error": text}, text, None],
        "waiting": waits if n % 2 else text,
    }
    return {**dict.fromkeys(fields, text), **where, **others}


def hostile_bundle(around: str) -> dict[str, Any]:
    """A picture of a request in which every field is a text that wants to be more than text."""
    texts = [around.replace("{}", text) for text in EVIL]
    request = dict.fromkeys(("id", "application", "kind", "error", "forked_from", "run", "started_at"), texts[0])
    root = {**hostile_call(-1, texts[1]), "parent": 0, "depth": 0, "children": len(texts)}
    others = dict.fromkeys(("sequence", "at", "display", "summary", "omitted"), texts[2])
    return {
        **others,
        "version": 1,
        "request": {**request, "status": "failed"},
        "counts": {"failed": texts[3]},
        "calls": [root, texts[4], None, *[hostile_call(n, text) for n, text in enumerate(texts)]],
        "groups": [
            texts[5],
            {"parent": 1},
            {**dict.fromkeys(("kind", "name", "total", "queued"), texts[6] + "x"), "parent": 1},
        ],
    }


@APPS_IN_FULL
def test_in_an_untrusted_notebook_hostile_text_is_text(lab: Lab, page: Page, app: str) -> None:
    """204 texts in every field: nothing runs, nothing is fetched, no dialog; controls are off."""
    outputs = [
        {"output_type": "display_data", "metadata": {}, "data": {MIME: hostile_bundle(around), "text/plain": "-"}}
        for around in AROUND
    ]
    notebook = Notebook(page, lab, lab.write(f"hostile-{app[:3]}.ipynb", [SETUP], outputs=outputs), app=app)
    seen: list[str] = []

    def refuse(dialog: Dialog) -> None:
        seen.append(dialog.message)
        dialog.dismiss()

    def watch(asked: Request) -> None:
        if not asked.url.startswith((lab.url, "data:", "blob:")):
            seen.append(asked.url)

    page.on("dialog", refuse)
    page.on("request", watch)
    expect(page.locator(".jp-durable-view")).to_have_count(len(AROUND))
    expect(page.locator(".jp-durable-row")).to_have_count(len(AROUND) * (1 + len(EVIL)))
    for row in range(1 + len(EVIL)):
        page.evaluate(
            "n => document.querySelectorAll('.jp-durable-view').forEach(view =>"
            " view.querySelectorAll('.jp-durable-row')[n].click())",
            row,
        )
        expect(page.locator(f".jp-durable-item:nth-child({row + 1}) .jp-durable-detail")).to_have_count(len(AROUND))
        page.evaluate("() => document.querySelectorAll('.jp-durable-tab').forEach(tab => tab.click())")
    assert seen == []
    for tag in ("script", "img", "iframe", "style", "a", "svg", "math", "template"):
        assert page.locator(f".jp-durable-view {tag}").count() == 0
    shown = page.evaluate("() => [...document.querySelectorAll('.jp-durable-view')].map(v => v.textContent).join()")
    assert not re.search("[\u202e\u200b\u0000\u001b\u2066]", shown)
    replay = again(page.locator(".jp-durable-view").first)
    expect(replay).to_have_attribute("title", re.compile("not trusted"))
    assert notebook.count(0) is None


@pytest.mark.parametrize(("theme", "width"), [("JupyterLab Light", 1280), ("JupyterLab Dark", 800)])
def test_nothing_is_wider_than_its_notebook_or_stands_over_another(
    lab: Lab, page: Page, width: int, theme: str
) -> None:
    """Pictures of the view in both themes are kept beside it to be looked at."""
    page.set_viewport_size({"width": width, "height": 900})
    notebook = Notebook(page, lab, lab.write("wide.ipynb", [SETUP, MAP]))
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    notebook.run_to_end(0)
    notebook.run_to_end(1)
    view = notebook.view(1)
    view.get_by_role("treeitem").nth(1).locator(".jp-durable-twisty").click()
    view.locator(".jp-durable-label", has_text="parse[7]").click()
    expect(view.get_by_role("tab", name="Error")).to_be_visible()
    assert view.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
    background = view.evaluate("node => getComputedStyle(node).backgroundColor")
    dark = int(re.findall(r"\d+", background)[0]) < 128
    assert dark == ("Dark" in theme)
    assert view.evaluate(OVERLAPPING) == []
    page.screenshot(path=ARTIFACTS / f"{theme.split()[1].lower()}-{width}.png")
    view.get_by_role("button", name="Timeline").click()
    assert view.evaluate(OVERLAPPING) == []
    track = view.locator(".jp-durable-track").first.bounding_box()
    row = view.locator(".jp-durable-row").first.bounding_box()
    assert track is not None
    assert row is not None
    assert track["width"] > 0.4 * row["width"]  # a timeline is there for its bars
    page.screenshot(path=ARTIFACTS / f"timeline-of-a-map-{width}.png")


def answers_at_once(page: Page) -> None:
    """A click is painted within three times what two frames take without one: 100 ms where they take 33."""
    measure = """click => new Promise(resolve => {
        const view = document.querySelector('.jp-durable-view');
        const pressed = performance.now();
        if (click) view.querySelector('[aria-pressed]').click();
        requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - pressed)));
    })"""
    bare, taken = zip(*((page.evaluate(measure, False), page.evaluate(measure, True)) for _ in range(9)), strict=True)
    assert sorted(taken)[4] < 3 * max(sorted(bare)[4], 33), (bare, taken)


def test_ten_thousand_calls_stay_responsive(lab: Lab, page: Page) -> None:
    """A click answers at once while the request runs; the page holds few elements."""
    cell = """@application()
@function()
def many(n: int) -> int:
    return sum(parse(i) is None for i in range(n))
many(10_000)"""
    notebook = Notebook(page, lab, lab.write("many.ipynb", [SETUP, "@function()\ndef parse(n):\n    return n", cell]))
    for index in (0, 1):
        notebook.run_to_end(index)
    notebook.run(2)
    view = notebook.view(2)
    expect(view.locator(".jp-durable-label", has_text="parse ×")).to_be_visible()
    answers_at_once(page)
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("succeeded"))
    notebook.idle()
    unfold(view)
    expect(view.locator(".jp-durable-label", has_text="parse ×10,000")).to_be_visible()
    view.locator(".jp-durable-label", has_text="parse ×10,000").click()
    expect(view.locator(".jp-durable-more")).to_contain_text("1–50 of 10,000")
    answers_at_once(page)
    assert view.locator("*").count() < 2_000
