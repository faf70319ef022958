"""The pulse of a run: what has to happen while user code does not come back to us."""

from __future__ import annotations

import threading
from typing import Final

from jupyter_durable.clock import lease_end
from jupyter_durable.errors import StoreError
from jupyter_durable.runner.ending import end_stopped
from jupyter_durable.runner.rows import mark
from jupyter_durable.runner.run import Run
from jupyter_durable.runner.settings import RENEW_SECONDS

BEAT_SECONDS: Final = 0.05
"""A started mark waits this long at most."""
GRACE_SECONDS: Final = 0.5
"""How long user code may take to notice that its run was stopped."""
CANCEL_SECONDS: Final = 0.3
"""How often a cancel by another process is looked for."""


class Pulse:
    """Marks of open calls, logs and progress, the lease, and cancels by others. It ends with `run.reports`."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._over = run.reports.over

    def start(self) -> None:
        """Begin to beat."""
        threading.Thread(target=self._beat, name="durable-pulse", daemon=True).start()

    def mark(self) -> None:
        """Calls that have been open since the last beat get their started mark."""
        for call in list(self._run.open):
            if not call.marked:
                mark(call)

    def _beat(self) -> None:
        run = self._run
        beat, look = 0, round(CANCEL_SECONDS / BEAT_SECONDS)
        renew = round(RENEW_SECONDS / BEAT_SECONDS)
        while not self._over.wait(BEAT_SECONDS):
            beat += 1
            try:
                self.mark()
                run.reports.write()
                if beat % renew == 0:
                    heartbeat = run.journal.renew(*lease_end(run.now(), run.settings.lease_seconds))
                    cancelled = heartbeat.cancel_requested
                else:
                    cancelled = beat % look == 0 and run.cancel_requested()
            except StoreError as error:
                if self._over.is_set():
                    return
                run.stop(error)
            else:
                if cancelled:
                    run.cancel()
            if run.stopped is not None:
                self._end_by_force()
                return

    def _end_by_force(self) -> None:
        """The run was stopped. A thread that sits in C code does not notice: the request ends without it."""
        if not self._over.wait(GRACE_SECONDS) and self._run.root_call is not None:
            end_stopped(self._run, self._run.root_call, None)
