"""Writers on a remote store, and what must be there when they are done."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from jupyter_durable.core.model import ROOT, CallRow, Logged, Metric
from jupyter_durable.store.base import Store
from jupyter_durable.testing.conformance.rows import BODY, ended, mark, outcome, started


def write_request(store: Store, id: str, calls: int, told: Callable[[], None]) -> None:
    """A run of so many calls, each with a mark, a log beside its outcome, and one more and a metric queued. `told` is
    called for each that was acknowledged."""
    journal = started(store, id)
    for identity in range(2, 2 + calls):
        journal.later(mark(identity))
        journal.later(Logged(identity, BODY, identity + 0.5, "stdout", f"queued {identity}"))
        journal.later(Metric(identity, "counter", "n", 1.0))
        journal.record(outcome(identity), [Logged(identity, BODY, float(identity), "stdout", f"beside {identity}")])
        told()
        if identity % 10 == 0:
            journal.renew(1000.0 + identity)
    journal.finish(ended(outcome(ROOT, 0)))


def write_all(store: Store, writers: int, calls: int, told: Callable[[], None]) -> list[BaseException]:
    """So many requests at once; what went wrong."""
    failures: list[BaseException] = []

    def run(n: int) -> None:
        try:
            write_request(store, f"r{n}", calls, told)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test is to tell
            failures.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def flaws(store: Store, writers: int, calls: int) -> list[str]:
    """What is lost, or there twice."""
    found: list[str] = []
    for n in range(writers):
        row = store.request(f"r{n}")
        if row.status != "succeeded":
            found.append(f"{row.id} is {row.status}")
        rows: list[CallRow] = store.children(row.serial, 1, 0, calls + 1)
        if rows != [outcome(identity) for identity in range(2, 2 + calls)]:
            found.append(f"{row.id} has {len(rows)} calls, or others")
        logs = Counter(log.text for log in store.logs(row.serial))
        wanted = Counter(f"{kind} {identity}" for identity in range(2, 2 + calls) for kind in ("beside", "queued"))
        found += [f"{row.id}: {text} {count} times" for text, count in (logs - wanted).items()]
        found += [f"{row.id}: {text} missing" for text in wanted - logs]
        metrics = Counter(metric.identity for metric in store.metrics(row.serial))
        found += [f"{row.id}: metric of {i} {count} times" for i, count in metrics.items() if count != 1]
        if len(metrics) != calls:
            found.append(f"{row.id} has metrics of {len(metrics)} calls")
    return found
