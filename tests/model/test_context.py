"""`RequestContext`: state, progress, metrics, and what a call can know of itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from jupyter_durable import (
    Cancelled,
    RequestContext,
    Retries,
    SDKUsageError,
    application,
    function,
    get_request,
    run_local_application,
)
from jupyter_durable.testing import Bench, crash_after, executions

KNOBS: dict[str, Any] = {}
SEEN: list[Any] = []


@pytest.fixture(autouse=True)
def _clean() -> None:
    KNOBS.clear()
    SEEN.clear()


def context() -> RequestContext:
    return RequestContext.get()


def test_outside_of_a_durable_function_there_is_none(bench: Bench) -> None:
    with pytest.raises(SDKUsageError, match="no durable function is running here"):
        context()


# state


@function()
def writes(key: str, value: Any) -> None:
    context().state.set(key, value)


@function()
def reads(key: str) -> Any:
    return context().state.get(key)


@function()
def writes_below(key: str, value: Any) -> None:
    context().state.set(f"own {key}", value)
    writes(key, value)


@application()
@function()
def sequence() -> Any:
    writes("k", 1)
    writes_below("k", 2)
    writes("other", "x")
    SEEN.append((context().state.get("k"), context().state.get("own k"), context().state.get("other")))
    if KNOBS.get("fail"):
        raise RuntimeError("later")
    return context().state.get("k")


def test_state_is_shared_and_the_last_write_wins(bench: Bench) -> None:
    assert run_local_application(sequence).output() == 2
    assert SEEN == [(2, 2, "x")]


def test_a_key_that_was_not_written_has_the_default(bench: Bench) -> None:
    @application()
    @function()
    def app() -> list[Any]:
        return [context().state.get("no"), context().state.get("no", 7)]

    assert run_local_application(app).output() == [None, 7]


def test_state_belongs_to_one_request(bench: Bench) -> None:
    run_local_application(sequence)

    @application()
    @function()
    def other() -> Any:
        return context().state.get("k")

    assert run_local_application(other).output() is None


def test_keys_are_texts(bench: Bench) -> None:
    @function()
    def app() -> None:
        context().state.set(1, 2)  # type: ignore[arg-type]

    with pytest.raises(SDKUsageError, match="the key must be a string, not int"):
        app()


def test_reused_calls_apply_the_writes_of_their_whole_subtree_in_order(bench: Bench) -> None:
    KNOBS["fail"] = True
    request = run_local_application(sequence)
    KNOBS.clear()
    assert request.replay().output() == 2
    assert executions(request) == {}
    assert SEEN == [(2, 2, "x")] * 2


@application()
@function()
def overwritten() -> Any:
    writes("k", 1)
    conditional()
    return reads("k")


@function()
def conditional() -> None:
    if not KNOBS.get("silent"):
        context().state.set("k", "old")
        context().state.set("extra", "old")
    if KNOBS.get("fail"):
        raise ValueError("conditional")


def test_a_call_that_executes_again_drops_what_it_wrote_before(bench: Bench) -> None:
    KNOBS["fail"] = True
    request = run_local_application(overwritten)
    assert request.status == "failed"
    KNOBS.clear()
    KNOBS["silent"] = True
    assert request.replay().output() == 1


def test_rerun_drops_the_writes_of_a_success_too(bench: Bench) -> None:
    request = run_local_application(overwritten)
    assert request.output() == "old"
    KNOBS["silent"] = True
    request.replay(rerun=["conditional"])
    assert context_state(request) == {"k": 1}


def context_state(request: Any) -> dict[str, Any]:
    return dict(request.state)


@function(retries=Retries(2, initial_delay=0))
def attempts_write() -> Any:
    state = context().state
    before = state.get("count", 0)
    state.set("count", before + 1)
    if context().attempt < 3:
        raise ConnectionError
    return state.get("count")


@application()
@function()
def retried() -> Any:
    return attempts_write()


def test_a_failed_attempt_leaves_no_writes(bench: Bench) -> None:
    assert run_local_application(retried).output() == 1


def test_the_state_of_a_request_can_be_read_from_outside(bench: Bench) -> None:
    assert context_state(run_local_application(sequence)) == {"k": 2, "own k": 2, "other": "x"}


def test_state_written_in_map_items_is_kept_over_a_crash(bench: Bench) -> None:
    with crash_after(5):
        run_local_application(maps_state)
    request = get_request("last").replay()
    assert request.output() == [f"v{n}" for n in range(10)]


@function()
def writes_item(n: int) -> int:
    context().state.set(f"k{n}", f"v{n}")
    return n


@application()
@function()
def maps_state() -> list[Any]:
    writes_item.map(range(10))
    return [context().state.get(f"k{n}") for n in range(10)]


# progress


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 2), "finite number >= 0"),
        ((1, -2), "finite number >= 0"),
        ((math.nan, 2), "finite"),
        ((1, math.inf), "finite"),
        (("1", 2), "number"),
        ((True, 2), "number"),
        ((1, 2, 3), "message"),
        ((1, 2, "m", {"a": 1}), "attributes"),
        ((1, 2, "m", {1: "a"}), "attributes"),
        ((1, 2, "m", "abc"), "attributes"),
    ],
)
def test_wrong_progress_is_an_error_before_it_is_told(bench: Bench, arguments: tuple[Any, ...], message: str) -> None:
    @application()
    @function()
    def app() -> None:
        context().progress.update(*arguments)

    request = run_local_application(app)
    assert isinstance(request.error, SDKUsageError)
    assert message in str(request.error)
    assert request.progress == []


def test_the_newest_progress_is_kept(bench: Bench) -> None:
    @application()
    @function()
    def app() -> None:
        context().progress.update(1, 10)
        numbers: Any = (np.int64(2), np.float32(10))
        context().progress.update(*numbers)
        context().progress.update(2.5, 10, "half", {"file": "a.csv"})

    (progress,) = run_local_application(app).progress
    assert (progress.current, progress.total, progress.message) == (2.5, 10, "half")
    assert progress.attributes == '{"file": "a.csv"}'


@pytest.mark.parametrize(
    ("items", "total", "expected"), [([1, 2, 3], None, (3, 3)), (iter([1, 2]), None, (2, 2)), (iter([1, 2]), 5, (2, 5))]
)
def test_track_is_a_loop_that_reports(bench: Bench, items: Any, total: Any, expected: tuple[int, int]) -> None:
    looped: list[int] = []

    @function()
    def app() -> None:
        looped.extend(context().progress.track(items, total=total, message="rows"))
        context().metrics.counter("rows", len(looped))

    app()
    bench.engine.sessions.end(None)
    (progress,) = get_request("last").progress
    assert (progress.current, progress.total) == expected
    assert progress.message == "rows"
    assert looped


# metrics


def test_metrics_are_kept_with_their_call(bench: Bench) -> None:
    @application()
    @function()
    def app() -> None:
        context().metrics.timer("load", 0.25)
        context().metrics.counter("rows")
        context().metrics.counter("rows", 5)

    metrics = run_local_application(app).metrics
    assert [(each.kind, each.name, each.value) for each in metrics] == [
        ("timer", "load", 0.25),
        ("counter", "rows", 1),
        ("counter", "rows", 5),
    ]


@pytest.mark.parametrize("value", ["x", None, math.nan])
def test_metrics_are_numbers_with_names(bench: Bench, value: Any) -> None:
    @function()
    def app() -> None:
        context().metrics.timer("load", value)

    with pytest.raises(SDKUsageError, match="metrics"):
        app()


# what a call knows


@function(retries=Retries(3, initial_delay=0))
def knows() -> list[Any]:
    here = context()
    SEEN.append((here.idempotency_key, here.attempt, here.is_replay))
    if here.attempt < 3 or KNOBS.get("fail"):
        raise ConnectionError
    return [here.request_id, here.cancelled, list(here.headers)]


@application()
@function()
def knowing() -> list[Any]:
    return knows()


def test_the_idempotency_key_is_stable_over_retries_and_replays(bench: Bench) -> None:
    KNOBS["fail"] = True
    request = run_local_application(knowing)
    KNOBS.clear()
    assert request.replay().output() == [request.id, False, []]
    keys = {key for key, _, _ in SEEN}
    assert len(keys) == 1
    assert keys.pop().startswith(request.id)
    assert [attempt for _, attempt, _ in SEEN] == [1, 2, 3, 4, 1, 2, 3]
    assert [replay for _, _, replay in SEEN] == [False] * 4 + [True] * 3


def test_each_call_has_an_idempotency_key_of_its_own(bench: Bench) -> None:
    @function()
    def key(n: int) -> str:
        return context().idempotency_key

    assert len({key(1), key(1), *key.map([1, 2, 3])}) == 5


def test_a_cancelled_call_can_see_it(bench: Bench) -> None:
    @application()
    @function()
    def app() -> None:
        get_request("last").cancel()
        SEEN.append(context().cancelled)
        writes("k", 1)

    request = run_local_application(app)
    assert request.status == "cancelled"
    assert SEEN == [True]
    assert isinstance(request.error, Cancelled) or "cancelled" in str(request.error)
