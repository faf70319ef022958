"""Metrics are summed over calls, known of reused ones, and a summary says what a replay saved in them."""

from __future__ import annotations

import os
from typing import Any

import pytest

from jupyter_durable import RequestContext, Retries, application, function, run_local_application
from jupyter_durable.core import metrics
from jupyter_durable.errors import RequestError
from jupyter_durable.testing import Bench


@function()
def ask(n: int) -> int:
    found = RequestContext.get().metrics
    found.counter("tokens", 1000 * n)
    found.timer("model", 2.0 * n)
    return n


@function()
def both(n: int) -> int:
    RequestContext.get().metrics.counter("pages", 1)
    return ask(n) + sum(ask.map([n + 1, n + 2]))


@application()
@function()
def app(n: int) -> int:
    found = both(n) + ask(n)
    if os.environ.get("STOP"):
        raise RequestError("stopped here")
    RequestContext.get().metrics.counter("tokens", 7)
    return found


def sums(measured: Any) -> dict[str, float]:
    return {name: value for _, name, value in measured}


def test_the_summary_says_what_was_measured_and_what_was_saved(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller's sums are those of its calls, each counted once, over maps too."""
    monkeypatch.setenv("STOP", "1")
    request = run_local_application(app, 1)
    counts = request.counts()
    assert counts is not None
    assert sums(counts.metrics) == {"tokens": 7000, "model": 14.0, "pages": 1}
    assert counts.saved_metrics == ()
    assert str(request).endswith("RequestError: stopped here")
    assert "app[0] · ran" in request.tree()
    assert "1 pages, 7,000 tokens, model 14 s" in request.tree().split("\n")[0]
    monkeypatch.delenv("STOP")
    counts = request.replay().counts()
    assert counts is not None
    assert sums(counts.metrics) == {"tokens": 7}
    assert sums(counts.saved_metrics) == {"tokens": 7000, "model": 14.0, "pages": 1}
    assert "saved 1 pages, 7,000 tokens, model 14 s" in str(request)
    assert "both[0] · from checkpoint" in request.tree()
    assert "1 pages, 6,000 tokens, model 12 s" in request.tree()


def test_a_request_s_own_metrics_stay_the_single_records(bench: Bench) -> None:
    request = run_local_application(app, 1)
    assert sorted(each.value for each in request.metrics if each.name == "tokens") == [7, 1000, 1000, 2000, 3000]


def test_attempts_add_up_and_the_calls_below_them_count_once(bench: Bench) -> None:
    """What failed attempts spent was spent; the calls that a later attempt reuses are counted once."""

    @function(retries=Retries(max_retries=2, initial_delay=0.01, jitter=False))
    def tried() -> int:
        RequestContext.get().metrics.counter("calls", 1)
        found = ask(1)
        if RequestContext.get().attempt < 3:
            raise OSError("not now")
        return found

    @application()
    @function()
    def retried() -> int:
        return tried()

    counts = run_local_application(retried).counts()
    assert counts is not None
    assert sums({*counts.metrics, *counts.saved_metrics}) == {"calls": 3, "tokens": 1000, "model": 2.0}


def test_many_names_are_told_in_part() -> None:
    totals: metrics.Totals = {}
    for n in range(2 * metrics.MOST_NAMES):
        metrics.add(totals, "counter", f"n{n:03}", 1.0)
    assert len(totals) == metrics.MOST_NAMES
    assert metrics.told(metrics.measured(totals)) == "1 n000, 1 n001, 1 n002, 1 n003, 46 more"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (41200.0, "41,200"),
        (0.0, "0"),
        (0.01234, "0.0123"),
        (12.3456, "12.35"),
        (-3.0, "-3"),
        (1e14, f"{10**14:,}"),
        (1e20, "1e+20"),
    ],
)
def test_numbers_say_as_much_as_they_know(value: float, said: str) -> None:
    assert metrics.number(value) == said


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1]", '[["counter"]]', '[["counter", 1, 2]]', '[["counter", "n", "x"]]', '[["other", "n", 1]]', "[[]]",
     '[["counter", "n", NaN]]', '{"a": 1}', "null", "7"],
)  # fmt: skip
def test_damaged_sums_are_none(text: str) -> None:
    assert metrics.unpacked(text) == {}


def test_packed_sums_come_back() -> None:
    totals = {("counter", "tokens"): 3.0, ("timer", "tokens"): 0.5, ("counter", "ü"): 1.0}
    assert metrics.unpacked(metrics.packed(totals)) == totals
    assert metrics.packed({}) is None
