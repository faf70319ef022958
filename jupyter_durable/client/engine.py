"""The engine of a process: what its requests share, with the sessions of cells and scripts on top.

Rules of this file
- One engine a process. It composes: what is done with a request is done below, by modules that know `Process` only.
- It is what functions start requests through (`protocols.Engine`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_durable.client import accepting, conducting, launching, left_over, ownership, versions
from jupyter_durable.client.accepting import Origin
from jupyter_durable.client.launching import Launch
from jupyter_durable.client.process import Process, new_tracing
from jupyter_durable.client.sessions import Sessions
from jupyter_durable.client.settings import Settings
from jupyter_durable.core.model import RequestRow, Status
from jupyter_durable.errors import SDKUsageError, StoreError
from jupyter_durable.function import Spec
from jupyter_durable.protocols import Scope
from jupyter_durable.runner.call import ActiveCall
from jupyter_durable.runner.run import Run
from jupyter_durable.store.base import Copied


class Engine(Process):
    """Requests of this process."""

    __slots__ = ("sessions",)

    sessions: Sessions

    def _complete(self) -> None:
        self.sessions = Sessions(self)
        self.run_of_cell = lambda: self.sessions.run

    def configure(self, changes: Mapping[str, Any]) -> Settings:
        """Change settings; nothing is changed when one of them is wrong or the store cannot be opened."""
        with self._lock:
            settings = self.settings.changed(changes, "configure()")
            if settings.otel and not self.settings.otel:
                self._tracing = new_tracing("configure()")
            gone = "store" in changes and self._store is not None and self._store.gone()
            if settings.store != self.settings.store or gone:
                if self._store is not None and self._store.unkept():
                    raise SDKUsageError(
                        f"the files of the store {self._store.url} are gone, and what is still open here would be "
                        "lost: keep it first (`%durable copy NEW.db`, in a script copy_store('NEW.db')), then go on "
                        "with sqlite:///NEW.db. To give it up, restart the kernel"
                    )
                if self.active:
                    raise SDKUsageError(
                        f"configure(store=…): requests are running ({', '.join(self.active)}); wait or cancel"
                    )
                opened = self._opened(settings.store)
                try:
                    self.sessions.end(None)
                except StoreError as error:
                    self.warn(f"the end of the request of this script was not recorded ({error})")
                if self._store is not None:
                    self._store.close()
                self._store = opened
            if settings.max_concurrency != self.settings.max_concurrency:
                self._workers = None
            self._settings = settings
            return settings

    def copy(self, place: str) -> Copied:
        """Write the store as it is open here into a new one, by its path or URL, and the key where its file lacks it.

        Raises `SDKUsageError`, `StoreError`.
        """
        copied = self.store.copy(Path(place.removeprefix("sqlite:///")).expanduser().absolute())
        if self._key is not None and self._key.keep():
            self.warn("the signing key was no longer in its file; it was put back, so that the copy can be loaded")
        return copied

    def forked(self) -> None:
        """This process is a fork: runs, threads and locks are the other one's."""
        self.sessions.forked(bool(self.active))
        self.begin_anew()

    def let_go(self) -> None:
        """All runs, since the process is about to end, are recorded as interrupted: nobody has to find out."""
        left_over.let_go(self)

    # the Engine that functions know

    def outermost(self, spec: Spec | None) -> Scope | None:
        """The root call that owns durable calls made here."""
        root = self.sessions.root_for(spec)
        return root.run.root_scope if root is not None else None

    def call_application(self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run an application as a request of its own; its output."""
        __tracebackhide__ = True
        return self.sessions.call_application(spec, args, kwargs)

    def submit(self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any], idempotency_key: str | None) -> Any:
        """Accept a request and run it beside the calling code."""
        from jupyter_durable.client.request import Request

        key: object = idempotency_key
        if key is not None and (not isinstance(key, str) or not key):
            raise SDKUsageError(f"{spec.name}.submit: idempotency_key must be a text that is not empty, not {key!r}")
        code = versions.live_code(None)
        with accepting.begun_here(self) as id:
            origin = Origin(*self.sessions.place(), idempotency_key, id=id)
            row, created = accepting.accept(self, spec, args, kwargs, origin, code)
            launched = self._launched(spec, row, code, created)
        if launched is not None:
            run, root = launched
            run.thread_id = None  # of the thread that is started now
            conducting.in_background(run, root)
        return Request(self, row)

    def _launched(
        self, spec: Spec, row: RequestRow, code: versions.Loaded, created: bool
    ) -> tuple[Run, ActiveCall] | None:
        """What was accepted, begun; None: somebody has begun, or cancelled, it."""

        def begun() -> tuple[Run, ActiveCall] | None:
            now = self.store.request(row.id)
            waits = now.status == Status.QUEUED and (created or self.status_of(now) == Status.INTERRUPTED)
            return launching.launch(self, now, Launch(code), spec) if waits else None

        return ownership.as_read(begun)

    def run_application(
        self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any], origin: Origin, asker: Scope | None = None
    ) -> RequestRow:
        """Accept a request and run it to its end, whatever that is. `asker`: the call that waits for it, if any."""
        code = versions.live_code(None)
        row, _ = accepting.accept(self, spec, args, kwargs, origin, code)

        def begun() -> tuple[Run, ActiveCall] | None:
            now = self.store.request(row.id)
            return None if now.status == Status.CANCELLED else launching.launch(self, now, Launch(code), spec)

        launched = ownership.as_read(begun)
        if launched is not None:  # else it was cancelled before it began, and has ended
            conducting.quietly(*launched, asker)
        return row
