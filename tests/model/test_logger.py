"""`Logger`: lines of JSON, part of the log of the call that writes them."""

from __future__ import annotations

import datetime
import json

import pytest

from jupyter_durable import Logger


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_message_is_a_line_of_json_with_its_context(capsys: pytest.CaptureFixture[str]) -> None:
    logger = Logger.get_logger(module="crawl")
    logger.bind(page=3).warning("slow", seconds=1.5)
    logger.info("done")
    slow, done = lines(capsys)
    assert datetime.datetime.fromisoformat(str(slow.pop("timestamp"))).tzinfo is not None
    assert slow == {"module": "crawl", "page": 3, "seconds": 1.5, "level": "warning", "message": "slow"}
    assert "page" not in done


def test_every_level_has_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    logger = Logger.get_logger()
    for level in ("debug", "info", "warning", "error"):
        getattr(logger, level)("text")
    assert [line["level"] for line in lines(capsys)] == ["debug", "info", "warning", "error"]


def test_a_value_that_json_does_not_know_is_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A log never fails, and a line stays one."""
    Logger.get_logger().error("two\nlines", where={1, 2}.__class__, error=ValueError("no"))
    (line,) = lines(capsys)
    assert (line["message"], line["where"], line["error"]) == ("two\nlines", "<class 'set'>", "no")
