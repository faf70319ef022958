"""The forms in which a kernel shows requests, and what of them a notebook keeps."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_durable_kernel.view.saved_forms import HTML, MIME, TEXT
from tests.kernel.conftest import Kernel
from tests.page.test_control import ask

CELL = """from jupyter_durable import application, configure, function, get_request
@function()
def part(word):
    print("printed", word)
    if word == "bad":
        raise ValueError("no " + word)
    return word.upper()
@application()
@function()
def whole(words: list[str]) -> list[str]:
    return part.map(words, return_exceptions=True) and part(words[-1])"""
RUN = "try:\n    whole(['inputword', 'bad'])\nexcept ValueError:\n    pass"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    home = tmp_path_factory.mktemp("display")
    made = Kernel(Path(sys.executable), {"JUPYTER_DATA_DIR": str(home)}, "jupyter_durable_kernel")
    ran = made.run(CELL)
    assert not ran.error, ran.error
    yield made
    made.close()


def outputs(kernel: Kernel, line: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The view under a cell, and of a request as a value, after a setting."""
    set_ = kernel.run(line)
    assert not set_.error, set_.error
    under = kernel.run(RUN)
    value = kernel.run("get_request('last')")
    return next(iter(under.outputs.values())), next(iter(value.outputs.values()))


@pytest.mark.parametrize(
    ("line", "forms"),
    [
        ("%durable display mime", {MIME, TEXT}),
        ("%durable display html", {HTML, TEXT}),
        ("configure(display='text');", {TEXT}),
        ("%durable display auto", {MIME, HTML, TEXT}),
    ],
)
def test_a_setting_chooses_the_form(kernel: Kernel, line: str, forms: set[str]) -> None:
    for bundle in outputs(kernel, line):
        assert set(bundle) == forms


def test_of_a_summary_no_call_and_no_value_is_saved_and_all_can_be_asked_for(kernel: Kernel) -> None:
    try:
        for bundle in outputs(kernel, "%durable display --save-view summary"):
            saved = json.dumps(bundle)
            assert bundle[MIME]["partial"] is True
            assert bundle[MIME]["counts"]["failed"] == 2
            assert "2 ran · 2 failed" in bundle[TEXT]
            assert "2 ran · 2 failed" in bundle[HTML]
            assert [call["depth"] for call in bundle[MIME]["calls"]] == [0]
            for word in ("inputword", "INPUTWORD", "printed", "part[", "Traceback"):
                assert word not in saved
        id = kernel.value("get_request('last').id")
        whole = ask(kernel, "snapshot", request=id)["reply"]
        assert "partial" not in whole
        assert "part[0]" in [call["label"] for call in whole["calls"]]
    finally:
        kernel.run("%durable display --save-view full")


def test_of_none_only_the_id_is_saved(kernel: Kernel) -> None:
    try:
        for bundle in outputs(kernel, "configure(save_view='none');"):
            assert "no bad" not in json.dumps(bundle)
            assert bundle[MIME]["calls"] == []
            assert set(bundle[MIME]["counts"].values()) == {0}
            assert bundle[MIME]["request"]["id"] in bundle[TEXT]
            assert "its view is not saved here" in bundle[HTML]
    finally:
        kernel.run("%durable display --save-view full")


def test_what_there_is_not_is_refused_with_what_there_is(kernel: Kernel) -> None:
    assert "auto, mime, html, text, widget" in kernel.run("%durable display 3d").stderr
    assert "full, summary, none" in kernel.run("%durable display --save-view some").stderr
    assert "display = auto, save_view = full" in kernel.run("%durable display").stdout


def test_the_environment_sets_both(tmp_path: Path) -> None:
    environment = {
        "JUPYTER_DATA_DIR": str(tmp_path),
        "JUPYTER_DURABLE_DISPLAY": "html",
        "JUPYTER_DURABLE_SAVE_VIEW": "summary",
    }
    kernel = Kernel(Path(sys.executable), environment, "jupyter_durable_kernel")
    try:
        assert "display = html, save_view = summary" in kernel.run("%durable display").stdout
    finally:
        kernel.close()
