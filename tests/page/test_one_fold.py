"""One fold, one numbering: whoever shows a request, live or later, says the same of it."""

from __future__ import annotations

import contextlib
import html
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_durable import context
from jupyter_durable.cli.drawing import plain
from jupyter_durable.cli.said import Tree, shown_json
from jupyter_durable.client import Request, this_engine, verbs
from jupyter_durable.client.render import MARKS
from jupyter_durable.core.counting import summary
from jupyter_durable.runner.stop import RunStopped
from jupyter_durable_kernel.verbs import answers
from jupyter_durable_kernel.view import from_store, live_tree, live_views, mime_bundle
from jupyter_durable_kernel.view.call_values import Values
from jupyter_durable_kernel.view.live_views import Views
from jupyter_durable_kernel.view.saved_forms import HTML, MIME, TEXT
from tests.engine.conftest import Notebook
from tests.page import requests_at_random as at_random

Picture = dict[str, Any]
LABEL = r"\b(?:[fgh]|again|late|add)(?:\.map|\.reduce)?\[\d+\]"


class Screen:
    """What stands under the cells: the last bundle of each output."""

    def __init__(self) -> None:
        self.outputs: dict[str, Picture] = {}
        self.display_pub = self

    def publish(self, data: Picture, metadata: Any, transient: Any = None, update: bool = False) -> None:
        """Show or update an output."""
        del metadata, update
        if transient is not None:
            self.outputs[transient["display_id"]] = data


class Watched:
    """A notebook whose cells have views, drawn now and then and at their end."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook
        self.screen = Screen()
        self.restart()

    def restart(self) -> None:
        """A new kernel on the same store, in which the functions are defined."""
        self.notebook.restart()
        self.views = Views(self.screen, self.notebook.engine)
        self.notebook.engine.observers.append(self.views.observe)
        self.notebook.cell(at_random.PREPARED, key="functions")

    def run(self, source: str) -> Request:
        """Run a cell to whatever end it has."""
        self.views.begin_cell(durable_body=True, expecting=False)
        with contextlib.suppress(Exception, KeyboardInterrupt, RunStopped):
            self.notebook.cell(source)
        self.views.end_cell()
        return self.notebook.last()

    def look(self) -> None:
        """Draw what runs, as the thread of the views does ten times a second."""
        for view in self.views._all():
            view._not_before = 0.0
            view.look()


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """A notebook on a SQLite store, with views."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    before = this_engine()
    made = Notebook(tmp_path / "store.db", monkeypatch)
    yield Watched(made)
    made.engine.store.close()
    context.engine.set(before)


def calls_in(picture: Picture) -> dict[int, tuple[Any, ...]]:
    """What a picture says of each call it holds."""
    return {
        call["id"]: (call["label"], call["status"], call["source"], call["attempts"], call.get("children", 0))
        for call in picture["calls"]
    }


def said_of_calls(form: str, status: str, truth: dict[int, tuple[Any, ...]]) -> None:
    """HTML as it is read, or text: the state of the request, and each call it names with its own state and source."""
    assert re.search(rf"{MARKS[status]}\s+(?:cell\s+)?{status}\b", form)
    known = {label: (MARKS[state], source) for label, state, source, *_ in truth.values()}
    labels = set(re.findall(LABEL, form))
    assert labels <= known.keys()
    rows = re.findall(rf"([{''.join(MARKS.values())}])\s+({LABEL})(?: · (ran|from checkpoint))?", form)
    for mark, label, source in rows:
        assert (mark, source.removeprefix("from ") or known[label][1]) == known[label], label
    assert len(labels - {label for _, label, _ in rows}) <= 1  # where it ended is named beside the error alone


def agree(watched: Watched, request: Request) -> None:
    """Everything that shows the request says the same."""
    engine = watched.notebook.engine
    shown = verbs.show(engine, request.id)
    assert shown.root is not None
    told = shown_json(shown)
    counts, said = told["counts"], told["summary"]
    state = from_store.state_of(engine, engine.store.request(request.id))
    forms = mime_bundle.bundle(state, Values(engine, state.row))
    live = watched.screen.outputs[f"{request.id}-{shown.info.runs}"]
    truth = {
        call["id"]: (call["label"], call["status"], call["source"], call["attempts"], call["children"])
        for call in told["calls"]
    }
    for picture in (live[MIME], forms[MIME]):
        assert picture["counts"] == counts
        assert said in picture["summary"]
        assert picture["request"]["status"] == shown.info.status
        assert calls_in(picture).items() <= truth.items()
        assert picture["omitted"] == len(truth) - len(picture["calls"])
        began, ended = picture["request"]["started_at"], picture["request"]["finished_at"]
        assert (began, None if ended is None else ended - began) == (shown.info.began_at, shown.info.seconds)
    for form in (live, forms):
        assert said in form[TEXT].split("\n")[1]
        assert said in html.unescape(form[HTML])
        for part in (html.unescape(re.sub("<[^>]*>", " ", form[HTML])), form[TEXT]):
            said_of_calls(part, shown.info.status, truth)
    assert said in repr(request)
    tree = request.tree()
    assert "\n".join(plain(Tree(shown.root))) == tree
    assert tree in answers.shown(shown) or len(tree.split("\n")) > answers.LINES
    info = shown.info
    assert (info.reused, info.executed) == (counts["reused"], counts["executed"])
    assert info.saved == pytest.approx(counts["saved"])
    assert summary(request.counts()) == said  # type: ignore[arg-type]


class Stop:
    """`stop()` in user code: ■ or the button, after the view was drawn once more."""

    def __init__(self, watched: Watched, cancelled: bool) -> None:
        self._watched = watched
        self._cancelled = cancelled

    def __call__(self) -> None:
        self._watched.look()
        if not self._cancelled:
            raise KeyboardInterrupt
        for run in list(self._watched.notebook.engine.active.values()):
            run.cancel()

    def __reduce__(self) -> Any:
        raise TypeError("not to be stored")


def one_request(watched: Watched, seed: int) -> None:
    """A random request, and replays of it after edits."""
    chance = random.Random(seed)
    parts = at_random.tree(chance, at_random.STOPPING if seed % 2 else at_random.BESIDE)
    for _ in range(3):
        watched.notebook.namespace["stop"] = Stop(watched, chance.random() < 0.5)
        agree(watched, watched.run(at_random.cell(parts)))
        parts = at_random.edited(chance, parts)
        if chance.random() < 0.3:
            watched.restart()


@pytest.mark.parametrize("seed", range(12))
def test_views_texts_trees_lists_and_the_cli_say_the_same(watched: Watched, seed: int) -> None:
    """Of a request that failed, was cancelled or interrupted, of its replays, of those after an edit."""
    one_request(watched, seed)


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """The live view keeps a few calls of a request, and nothing is read back at its end."""
    monkeypatch.setattr(live_tree, "SIBLINGS", 2)
    monkeypatch.setattr(live_tree, "KEPT", 12)
    monkeypatch.setattr(live_tree, "FAILURES", 2)
    monkeypatch.setattr(live_views, "WHOLE", 0)


@pytest.mark.usefixtures("little_room")
@pytest.mark.parametrize("seed", range(12, 20))
def test_they_do_so_where_most_calls_are_only_counted(watched: Watched, seed: int) -> None:
    """What is kept has the numbers of the whole tree, and what is not is in every sum."""
    one_request(watched, seed)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(100, 220))
def test_many_random_requests(watched: Watched, seed: int) -> None:
    """The same, more often."""
    one_request(watched, seed)


@pytest.mark.full
@pytest.mark.usefixtures("little_room")
@pytest.mark.parametrize("seed", range(300, 420))
def test_many_random_requests_of_which_most_is_only_counted(watched: Watched, seed: int) -> None:
    """The same, more often."""
    one_request(watched, seed)
