"""The long poll: answered when a request is not as it was seen."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import httpx

from jupyter_durable.core.model import ROOT
from jupyter_durable.store.base import Store
from jupyter_durable.testing.conformance.rows import ended, outcome, started
from tests.server_app.serving import PATIENCE, Serving


def test_who_waits_hears_of_each_change_of_a_request_and_of_its_end(
    serving: Serving, another: Callable[[], Store]
) -> None:
    store = another()
    journal = started(store)
    given = {"Authorization": f"Bearer {os.environ['JUPYTER_DURABLE_TOKEN']}"}

    def ask(**asked: Any) -> dict[str, str]:
        found: dict[str, str] = httpx.get(
            f"{serving.url}/v1/requests/r1/changes", params=asked, headers=given, timeout=PATIENCE
        ).json()
        return found

    now = ask()
    assert (now["id"], now["status"]) == ("r1", "running")
    assert ask(seen=now["stamp"], wait=0.1) == now
    for change in (
        lambda: journal.record(outcome(2)),
        lambda: store.cancel(journal.lease.serial),
        lambda: journal.finish(ended(outcome(ROOT, 0))),
    ):
        heard: list[dict[str, str]] = []
        waits = threading.Thread(target=lambda seen=now["stamp"], heard=heard: heard.append(ask(seen=seen)))
        waits.start()
        change()
        waits.join(PATIENCE)
        assert heard[0]["stamp"] != now["stamp"]
        (now,) = heard
    assert ask()["status"] == "succeeded"
