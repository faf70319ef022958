"""The engine of a process: accepts requests, runs them, replays them.

Rules of this file
- One engine a process. It holds what runs share (store, key, workers) and nothing of a single run.
- `launch` begins a run, `conducting` drives its root: every way to run a request goes through these two.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from jupyter_durable.client import conducting, ownership, versions
from jupyter_durable.client.journal import root_row
from jupyter_durable.client.session import Sessions
from jupyter_durable.client.settings import Settings
from jupyter_durable.clock import Clock, SystemClock
from jupyter_durable.context import Scope, current
from jupyter_durable.core.model import CallRow, Kind, Lease, NewRequest, NewRun, RequestRow, Status
from jupyter_durable.errors import InternalError, SDKUsageError, StoreError
from jupyter_durable.function import Spec
from jupyter_durable.runner.call import ActiveCall
from jupyter_durable.runner.run import Run
from jupyter_durable.runner.sealing import Sealer
from jupyter_durable.runner.settings import Environment, Listener, RunOptions, RunSettings
from jupyter_durable.runner.stop import RunStopped
from jupyter_durable.runner.workers import Workers
from jupyter_durable.serializer.base import Signer
from jupyter_durable.serializer.digest import args_digest
from jupyter_durable.serializer.json import JsonEdge
from jupyter_durable.serializer.signing import KeyFile
from jupyter_durable.store import open_store
from jupyter_durable.store.base import Finish, Store
from jupyter_durable.store.location import default_url
from jupyter_durable.values import Headers

Observer = Callable[[Run, RequestRow], Listener | None]
"""Called when a run begins; gives who listens to it."""


class Launch(NamedTuple):
    """What a run of a recorded request is to be."""

    code: versions.Loaded
    strict: bool = False
    set_aside: tuple[tuple[int, int], ...] = ()
    place_rule: frozenset[str] | None = None
    match_by_place: bool = True
    reuse_changed: bool = True
    take_over: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from."""

    notebook: str | None = None
    cell: str | None = None
    idempotency_key: str | None = None
    forked_from: str | None = None
    headers: str | None = None


def new_id() -> str:
    """An id for a request."""
    return f"req_{secrets.token_hex(6)}"


@dataclass(slots=True)
class Engine:
    """Requests of this process."""

    given: Settings | Callable[[], Settings]
    """Settings, or what reads them from the environment when they are first needed: an import never fails for them."""
    clock: Clock = field(default_factory=SystemClock)
    warn: Callable[[str], None] = lambda text: warnings.warn(text, UserWarning, stacklevel=2)
    observers: list[Observer] = field(default_factory=list)
    active: dict[str, Run] = field(default_factory=dict)
    """Runs of this process that have not ended, by request."""
    _store: Store | None = None
    _signer: Signer | None = None
    _workers: Workers | None = None
    _unsaved: dict[str, tuple[int, list[CallRow]]] = field(default_factory=dict)
    """By request: a run, and its outcomes that a full store refused; the next run commits them first."""
    _edges: dict[Spec, JsonEdge] = field(default_factory=dict)
    _settings: Settings | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)
    sessions: Sessions = field(init=False)

    def __post_init__(self) -> None:
        self.sessions = Sessions(self)

    # what runs share

    @property
    def settings(self) -> Settings:
        """What holds in this process. Raises `SDKUsageError` for a wrong environment variable or pyproject.toml."""
        with self._lock:
            if self._settings is None:
                self._settings = self.given if isinstance(self.given, Settings) else self.given()
            return self._settings

    @property
    def store(self) -> Store:
        """The store, opened on first use."""
        with self._lock:
            if self._store is None:
                self._store = open_store(self.settings.store)
            return self._store

    @property
    def signer(self) -> Signer:
        """What signs values: the key of this user, made on first use."""
        with self._lock:
            if self._signer is None:
                path = Path(default_url().removeprefix("sqlite:///")).parent / "key"
                self._signer = KeyFile(path).signer()
            return self._signer

    def forget_signer(self) -> None:
        """The key file has changed: it is read again before the next value."""
        with self._lock:
            self._signer = None

    @property
    def workers(self) -> Workers:
        """Threads and loops."""
        with self._lock:
            if self._workers is None:
                self._workers = Workers(self.settings.max_concurrency)
            return self._workers

    def configure(self, changes: Mapping[str, Any]) -> Settings:
        """Change settings; nothing is changed when one of them is wrong or the store cannot be opened."""
        with self._lock:
            settings = self.settings.changed(changes, "configure()")
            if settings.store != self.settings.store:
                if self.active:
                    raise SDKUsageError(
                        f"configure(store=…): requests are running ({', '.join(self.active)}); wait or cancel"
                    )
                opened = open_store(settings.store)
                self.sessions.end(None)
                if self._store is not None:
                    self._store.close()
                self._store = opened
            if settings.max_concurrency != self.settings.max_concurrency:
                self._workers = None
            self._settings = settings
            return settings

    def forked(self) -> None:
        """This process is a fork: runs, threads and locks are the other one's."""
        self._lock = threading.RLock()
        self.sessions.forked(bool(self.active))
        self.active, self._unsaved, self._workers = {}, {}, None

    def sealer(self, request: str, code: versions.Loaded) -> Sealer:
        """Encodes and signs what belongs to a request."""
        return Sealer(request, self.store, code.serializer, self.signer)

    def edge(self, spec: Spec) -> JsonEdge:
        """The JSON edge of an application."""
        known = self._edges.get(spec)
        if known is None:
            known = self._edges[spec] = JsonEdge(spec.fn, bound=spec.owner is not None)
        return known

    # the Engine that functions know

    def outermost(self, spec: Spec | None) -> Scope | None:
        """The root call that owns durable calls made here."""
        return self.sessions.root_for(spec)

    def call_application(self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run an application as a request of its own; its output."""
        __tracebackhide__ = True
        return self.sessions.call_application(spec, args, kwargs)

    def submit(self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any], idempotency_key: str | None) -> Any:
        """Accept a request and run it beside the calling code."""
        from jupyter_durable.client.request import Request, status_of

        key: object = idempotency_key
        if key is not None and (not isinstance(key, str) or not key):
            raise SDKUsageError(f"{spec.name}.submit: idempotency_key must be a text that is not empty, not {key!r}")
        code = versions.live_code(None)
        row, created = self.accept(spec, args, kwargs, Origin(*self.sessions.place(), idempotency_key), code)
        never_begun = row.status == Status.QUEUED and status_of(row, self) == Status.INTERRUPTED
        if created or never_begun:
            run, root = self.launch(row, Launch(code), spec)
            run.thread_id = None  # of the thread that is started now
            conducting.in_background(run, root)
        return Request(self, row)

    # accepting and running

    def passed(
        self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The input of an application after its edge. Raises `SDKUsageError` for what does not fit its type hints."""
        application = spec.application
        if application is None or application.input_deserializer != "json":
            return args, kwargs
        given = self.edge(spec).decode_input(args, kwargs)
        self._warn_changed(spec.name, "input", given.changed)
        if given.ignored:
            self.warn(f"{spec.name} does not take {', '.join(given.ignored)}; they are ignored")
        return given.args, given.kwargs

    def accept(
        self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any], origin: Origin, code: versions.Loaded
    ) -> tuple[RequestRow, bool]:
        """Keep a request before anything of it runs. False: a request of this idempotency key was there."""
        args, kwargs = self.passed(spec, args, kwargs)
        digest, _ = args_digest(spec.params, args, kwargs)
        id = new_id()
        version = versions.current_version({spec.name: spec.wrapper}, None, self.signer)
        row, created = self.store.accept(
            NewRequest(
                id,
                spec.name,
                Kind.FUNCTION,
                self.clock.now(),
                self.sealer(id, code).seal((args, kwargs), 0, 0),
                digest,
                version,
                origin.notebook,
                origin.cell,
                origin.idempotency_key,
                origin.forked_from,
                origin.headers,
            )
        )
        if not created and row.input_digest != digest:
            raise SDKUsageError(
                f"{spec.name}: the idempotency key {origin.idempotency_key!r} belongs to request {row.id}, which has "
                "another input; use another key"
            )
        return row, created

    def _warn_changed(self, name: str, what: str, changed: list[str]) -> None:
        if changed:
            self.warn(
                f"{name}: JSON changes its {what} at {', '.join(changed)} (a tuple becomes a list, keys become texts); "
                'give it type hints, or say @application(input_deserializer="pickle", output_serializer="pickle")'
            )

    def launch(self, row: RequestRow, launch: Launch, spec: Spec | None) -> tuple[Run, ActiveCall]:
        """Acquire the request and begin a run. Raises `SDKUsageError` when somebody else holds it."""
        now, headers = self.clock.now(), _headers(row)
        settings = RunSettings(
            clock=self.clock,
            default_timeout=self.settings.default_timeout,
            executor=self.settings.executor,
            max_concurrency=self.settings.max_concurrency,
            input_bytes=self.settings.inputs,
            warn=self.warn,
        )
        self._end_left_over(row.id)
        new = NewRun("strict" if launch.strict else "adaptive", now, launch.code.version, launch.set_aside)
        lease = self._acquire(row, new, now + settings.lease_seconds, launch.take_over)
        refused = self._refused(lease)
        used = max((max(each.parent, each.identity) for each in refused), default=0)
        lease = lease._replace(next_identity=max(lease.next_identity, used + 1))
        good = frozenset(
            run.run for run in self.store.runs(row.serial) if run.status not in (Status.DIVERGED, Status.RUNNING)
        )
        retries = spec.application.retries if spec is not None and spec.application is not None else None
        options = RunOptions(
            strict=launch.strict,
            good_runs=good,
            place_rule=launch.place_rule,
            reuse_changed=launch.reuse_changed,
            match_by_place=launch.match_by_place,
            retries=retries.policy() if retries is not None else None,
            headers=headers,
        )
        environment = Environment(self.store, launch.code.serializer, self.signer, settings, self.workers)
        run = Run(environment, lease, options, launch.code)
        self.active[row.id] = run
        run.on_end.append(lambda: self._forget(run))
        try:
            self._save(run, refused)
            return run, self._begin(run, row, spec)
        except BaseException:  # an interrupt too: else the request would count as running while this process lives
            self.let_go(run)
            raise

    def _acquire(self, row: RequestRow, new: NewRun, until: float, take_over: bool) -> Lease:
        """The lease. An owner that is gone is no owner; nor is this process when it runs nothing of the request."""
        owner = ownership.this_owner()
        for known in (row, None):
            held = (known or self.store.request(row.id)).owner
            free = take_over or (held is not None and (held == owner or ownership.alive(held) is False))
            try:
                return self.store.begin(row.serial, owner, new, until, take_over=free)
            except SDKUsageError:
                # An interrupt may have left `begin` while its transaction went on: then the newest row names us.
                if known is None or self.store.request(row.id).owner != owner:
                    raise
        raise InternalError(f"request {row.id} could neither be acquired nor refused; please report this")

    def _end_left_over(self, id: str) -> None:
        """An interrupt can throw a run out of its own end; the thread that ran it ends it here when it comes back."""
        left = self.active.get(id)
        if left is None:
            return
        scope = current.get()
        inside = scope is not None and scope.request_id == id
        if inside or left is self.sessions.run or left.thread_id != threading.get_ident():
            raise SDKUsageError(f"request {id} is running in this process; wait for it, or cancel it first")
        self.let_go(left)

    def _begin(self, run: Run, row: RequestRow, spec: Spec | None) -> ActiveCall:
        name = spec.name if spec is not None else row.application
        root = run.root(spec, name, row.kind, root_row(self.store, row.serial))
        root.digest = row.input_digest
        if spec is not None:
            self._prepare_input(run, root, row, spec)
        for observer in list(self.observers):
            if (listener := observer(run, row)) is not None:
                run.listeners.append(listener)
        return root

    def _refused(self, lease: Lease) -> list[CallRow]:
        """What the store refused in the run before. Had another process run the request since, identities are taken."""
        before, refused = self._unsaved.pop(lease.id, (0, []))
        return refused if before == lease.run - 1 else []

    def _save(self, run: Run, refused: list[CallRow]) -> None:
        """Commit what the store had refused: there is room again, or this raises and it stays in memory."""
        for at, row in enumerate(refused):
            try:
                run.record(row)
            except RunStopped as left:
                run.unsaved += refused[at + 1 :]
                raise (run.stopped or left) from None

    def settle_ownerless(self, row: RequestRow, status: str = Status.INTERRUPTED) -> None:
        """A request whose owner is gone becomes interrupted, or cancelled, in the store too."""
        now = self.clock.now()
        lease = self.store.begin(
            row.serial, ownership.this_owner(), NewRun("adaptive", now, None, ()), now + 1, take_over=True
        )
        self.store.journal(lease).finish(Finish(None, status, status, None, now, 0, 0, 0.0))

    def _forget(self, run: Run) -> None:
        self.active.pop(run.id, None)
        if run.unsaved:
            self._unsaved[run.id] = (run.number, run.unsaved)

    def _prepare_input(self, run: Run, root: ActiveCall, row: RequestRow, spec: Spec) -> None:
        assert row.input is not None
        (root.args, root.kwargs), _ = run.sealer.unseal(row.input, 0, 0)
        application = spec.application
        if application is not None and application.output_serializer == "json":
            run.must_store_output = True
            run.output = lambda value: self._output(spec, value)

    def _output(self, spec: Spec, value: Any) -> Any:
        given = self.edge(spec).encode_output(value)
        self._warn_changed(spec.name, "output", given.changed)
        return given.value

    def run_application(self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any], origin: Origin) -> RequestRow:
        """Accept a request and run it to its end, whatever that is."""
        code = versions.live_code(None)
        row, _ = self.accept(spec, args, kwargs, origin, code)
        conducting.quietly(*self.launch(row, Launch(code), spec))
        return row

    def let_go(self, *runs: Run) -> None:
        """These runs, or all since the process is about to end, are recorded as interrupted: nobody has to find out."""
        for run in runs or list(self.active.values()):
            self.active.pop(run.id, None)
            with contextlib.suppress(StoreError):
                now = self.clock.now()
                run.end_served(
                    Finish(None, Status.INTERRUPTED, Status.INTERRUPTED, None, now, run.executed, run.reused, run.saved)
                )


def _headers(row: RequestRow) -> Headers:
    try:
        return Headers.from_json(row.headers)
    except ValueError as error:
        raise StoreError(f"the headers of request {row.id} are damaged in the store ({error}): call it anew") from None
