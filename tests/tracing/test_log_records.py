"""Which request and call a log record comes from, where that is asked for."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest

from jupyter_durable import CallFilter, Logger, Retries, application, function
from jupyter_durable.client import run_local_application
from tests.tracing.conftest import Traced

log = logging.getLogger("tests.of.records")
FORMAT = "%(durable_request)s|%(durable_call)s|%(durable_attempt)s|%(message)s"


class Lines(logging.Handler):
    """Keeps what it formats."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter(FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What a logger of user code writes, in the format of an operator."""
    handler, factory, level = Lines(), logging.getLogRecordFactory(), log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield handler
    log.removeHandler(handler)
    log.setLevel(level)
    logging.setLogRecordFactory(factory)


def run() -> str:
    """A request that logs from calls of all sorts; its id."""

    @application()
    async def main() -> int:
        log.info("begins")
        tries: list[int] = []

        @function()
        async def awaited(n: int) -> int:
            await asyncio.sleep(0)
            log.info("awaited")
            return n

        @function(retries=Retries(max_retries=1, initial_delay=0.01))
        def flaky() -> int:
            log.info("flaky")
            tries.append(1)
            if len(tries) == 1:
                raise ValueError
            return 1

        @function(executor="thread")
        def item(n: int) -> int:
            log.info("item")
            return n

        await asyncio.gather(awaited(1), awaited(2))
        flaky()
        item.map([1, 2])
        log.info("ends")
        return 1

    return run_local_application(main).id


def expected(id: str) -> list[str]:
    calls = [
        "main|1|begins",
        *(f"awaited (call {n} of main)|1|awaited" for n in (0, 1)),
        *(f"flaky (call 2 of main)|{n}|flaky" for n in (1, 2)),
        *(f"item (call {n} of item)|1|item" for n in (0, 1)),
        "main|1|ends",
    ]
    return sorted(["|||outside", *(f"{id}|{call}" for call in calls)])


def test_a_handler_with_the_filter_says_which_call_a_record_comes_from(traced: Traced, lines: Lines) -> None:
    """In tasks, attempts and threads; outside of calls the fields are empty."""
    lines.addFilter(CallFilter())
    log.info("outside")
    id = run()
    assert sorted(lines.lines) == expected(id)


def test_everywhere_means_every_record_of_the_process(traced: Traced, lines: Lines) -> None:
    """Records have the fields when they are made, so a handler in another thread finds them; twice is once."""
    CallFilter.everywhere()
    factory = logging.getLogRecordFactory()
    CallFilter.everywhere()
    assert logging.getLogRecordFactory() is factory
    log.info("outside")
    id = run()
    assert sorted(lines.lines) == expected(id)


def test_without_them_records_are_as_they_were(traced: Traced, lines: Lines) -> None:
    """It is opt-in."""
    lines.setFormatter(logging.Formatter("%(message)s"))
    log.info("outside")
    assert not hasattr(log.makeRecord("", 20, "", 1, "", (), None), "durable_request")
    assert lines.lines == ["outside"]


def test_our_logger_names_its_call_where_it_is_told_to(traced: Traced, capsys: pytest.CaptureFixture[str]) -> None:
    """`with_call()` and what is bound to it; others write what they wrote."""

    @application()
    def says() -> int:
        logger = Logger.get_logger(module="a")
        logger.info("plain")
        logger.with_call().bind(more=1).info("told")
        return 1

    request = run_local_application(says)
    plain, told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert set(plain) == {"module", "level", "timestamp", "message"}
    assert told["durable_request"] == request.id
    assert told["durable_call"] == "says"
    assert told["more"] == 1
