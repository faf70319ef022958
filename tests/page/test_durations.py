"""How long things took, and what a replay saved: in each form of the view, in what the verbs say, in lists.

The clock is the test's: it stands still unless a call says that it took some time.
"""

from __future__ import annotations

import html
import re
import threading
from typing import Any

import pytest
from typer.testing import CliRunner

from jupyter_durable.cli.app import app
from jupyter_durable.client import Request, verbs
from jupyter_durable.core.counting import summary
from jupyter_durable.testing import FakeClock
from jupyter_durable_kernel.verbs import answers
from jupyter_durable_kernel.view import from_store, mime_bundle
from jupyter_durable_kernel.view.call_values import Values
from jupyter_durable_kernel.view.saved_forms import HTML, MIME, TEXT
from tests.page.test_one_fold import Watched
from tests.page.test_one_fold import watched as watched

HOUR = 3600.0
IDLE = re.compile(r"\b\d+ h \d+ min")
"""What a duration with the hours between two runs in it would look like."""
FUNCTIONS = """%%durable
def ask(n, seconds, tokens):
    RequestContext.get().metrics.counter("tokens", tokens)
    clock.advance(seconds)
    return n
def enrich(n):
    together.wait(60)
    if n % 4 == 0:
        clock.advance(2)
    together.wait(60)
    return n
def breaks(n):
    clock.advance(5)
    if n not in mended:
        raise RuntimeError("no answer")
    return n
"""


class Unstored:
    """Something of the test's, which cells name: like a client it cannot be stored."""

    def __init__(self, thing: Any) -> None:
        self._thing = thing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._thing, name)

    def __contains__(self, one: object) -> bool:
        return one in self._thing

    def __reduce__(self) -> Any:
        raise TypeError("not to be stored")


@pytest.fixture
def clock(watched: Watched) -> FakeClock:
    """The clock of the notebook."""
    made = FakeClock(by_hand=True)
    watched.notebook.engine.clock = made
    things = {"clock": made, "mended": set(), "together": threading.Barrier(4)}
    watched.notebook.namespace.update({name: Unstored(thing) for name, thing in things.items()})
    watched.notebook.cell(FUNCTIONS, key="durations")
    return made


def forms(watched: Watched, request: Request) -> list[dict[str, Any]]:
    """The bundle under the cell, and the one that is made when it is asked for again."""
    engine = watched.notebook.engine
    state = from_store.state_of(engine, engine.store.request(request.id))
    return [
        watched.screen.outputs[f"{request.id}-{verbs.show(engine, request.id).info.runs}"],
        mime_bundle.bundle(state, Values(engine, state.row)),
    ]


def words(bundle: dict[str, Any]) -> str:
    """The HTML of a bundle as it is read."""
    return re.sub(r"\s+", " ", html.unescape(re.sub("<[^>]*>", " ", bundle[HTML].split("</style>")[-1])))


def command(watched: Watched, *given: str) -> str:
    """What `jupyter durable` answers on that store, on one line."""
    done = CliRunner().invoke(app, ["--store", f"sqlite:///{watched.notebook.path}", *given], env={"COLUMNS": "400"})
    assert done.exception is None, done.output
    return re.sub(r"\s+", " ", done.stdout)


def test_what_a_replay_saved_in_metrics_is_said_in_text_html_json_and_by_the_cli(
    watched: Watched, clock: FakeClock
) -> None:
    """A replay that asks one thing more saves the time and the tokens of all that it reuses."""
    watched.run("%%durable\nask(1, 192, 41_200)\nbreaks(1)")
    watched.notebook.namespace["mended"].add(1)
    request = watched.run("%%durable\nask(1, 192, 41_200)\nbreaks(1)")
    engine = watched.notebook.engine
    counts = request.counts()
    assert counts is not None
    live, later = forms(watched, request)
    said = {
        "live text": live[TEXT],
        "live HTML": words(live),
        "live JSON": live[MIME]["summary"],
        "text": later[TEXT],
        "HTML": words(later),
        "JSON": later[MIME]["summary"],
        "repr": repr(request),
        "summary": summary(counts),
        "show": answers.shown(verbs.show(engine, request.id)),
        "CLI list": command(watched, "list"),
        "CLI show": command(watched, "show", request.id),
    }
    missing = [name for name, text in said.items() if "1 ran · saved 3 min 12 s · 41,200 tokens" not in text]
    assert missing == [], said
    assert verbs.info(engine, engine.store.request(request.id)).saved_metrics == (("counter", "tokens", 41_200.0),)


def test_a_name_of_a_metric_is_shown_as_text(watched: Watched, clock: FakeClock) -> None:
    """Names are the user's: what would turn a terminal's text around stands as its escape."""
    del clock
    cell = (
        "%%durable\ndef told():\n    RequestContext.get().metrics.counter('\\u202e\\x1b[31mred', 3)\ntold()\nbreaks(7)"
    )
    watched.run(cell)
    watched.notebook.namespace["mended"].add(7)
    request = watched.run(cell)
    for bundle in forms(watched, request):
        assert r"saved 3 \u202e\x1b[31mred" in bundle[TEXT]
        assert not re.search("[\u202e\x1b]", bundle[TEXT] + bundle[HTML])


def test_a_folded_row_tells_its_span_and_what_its_calls_took_added_up(watched: Watched, clock: FakeClock) -> None:
    """60 calls of 2 s, four at a time: 30 s by the clock, two minutes added up."""
    del clock
    request = watched.run("%%durable\nenrich.map(range(60), max_concurrency=4)")
    for bundle in forms(watched, request):
        (group,) = bundle[MIME]["groups"]
        assert (group["name"], group["total"], group["seconds"], group["added_up"]) == ("enrich", 60, 30.0, 120.0)
        assert "enrich ×60 60 done · added up 2 min 0 s 60 ran 30 s" in words(bundle)


def test_the_hours_between_two_runs_are_in_no_duration(watched: Watched, clock: FakeClock) -> None:
    """Two runs five hours apart: the request took as long as its last run, its 60 calls as long as both."""
    cell = "%%durable\nfor n in range(60):\n    ask(n, 2, 1)\n    if n == 29:\n        breaks(2)"
    first = watched.run(cell)
    assert verbs.info(watched.notebook.engine, watched.notebook.engine.store.request(first.id)).seconds == 65.0
    clock.advance(5 * HOUR)
    watched.notebook.namespace["mended"].add(2)
    request = watched.run(cell)
    assert request.id == first.id
    engine = watched.notebook.engine
    shown = verbs.show(engine, request.id)
    assert shown.info.runs == 2
    assert shown.info.seconds == 65.0
    told = [answers.shown(shown), command(watched, "show", request.id), command(watched, "list")]
    for bundle in forms(watched, request):
        picture = bundle[MIME]
        assert picture["request"]["finished_at"] - picture["request"]["started_at"] == 65.0
        (group,) = picture["groups"]
        assert (group["total"], group["reused"], group["seconds"], group["added_up"]) == (60, 30, 120.0, 120.0)
        assert all(call["duration"] is None or call["duration"] <= 65.0 for call in picture["calls"])
        assert "ask ×60 60 done 30 from checkpoint · 30 ran 2 min 0 s" in words(bundle)
        told += [words(bundle), bundle[TEXT]]
    assert [text for text in told if IDLE.search(text)] == []


def test_a_request_that_runs_again_after_hours_has_run_since_then(watched: Watched, clock: FakeClock) -> None:
    """Looked at in mid-run, too."""
    cell = "%%durable\nask(1, 3, 1)\nlook()\nbreaks(3)"
    seen: list[float] = []

    class Look(Unstored):
        def __call__(self) -> None:
            watched.look()
            row = watched.notebook.engine.store.request("last")
            picture = watched.screen.outputs[f"{row.id}-{row.run}"]
            assert not IDLE.search(words(picture) + picture[TEXT])
            seen.append(picture[MIME]["at"] - picture[MIME]["request"]["started_at"])

    watched.notebook.namespace["look"] = Look(None)
    watched.run(cell)
    clock.advance(5 * HOUR)
    watched.run(cell)
    assert seen == [3.0, 0.0]
