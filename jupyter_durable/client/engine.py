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
from typing import Any

from jupyter_durable.client import conducting, launching, ownership, versions
from jupyter_durable.client.counted import Counted
from jupyter_durable.client.keys import HeldKey
from jupyter_durable.client.launching import Launch
from jupyter_durable.client.session import Sessions
from jupyter_durable.client.settings import Settings
from jupyter_durable.clock import Clock, SystemClock
from jupyter_durable.core.model import CodeVersion, Kind, NewRequest, Owner, RequestRow, Status
from jupyter_durable.errors import DeserializationError, SDKUsageError, StoreError
from jupyter_durable.function import Spec
from jupyter_durable.protocols import Scope
from jupyter_durable.runner.call import ActiveCall
from jupyter_durable.runner.run import Run, Unsaved
from jupyter_durable.runner.sealing import Sealer, not_loaded
from jupyter_durable.runner.settings import Listener
from jupyter_durable.runner.vouching import is_old
from jupyter_durable.runner.workers import Workers
from jupyter_durable.serializer.base import Signer
from jupyter_durable.serializer.digest import Digesting, args_digest
from jupyter_durable.serializer.json import JsonEdge
from jupyter_durable.serializer.signing import KeyFile
from jupyter_durable.store import open_store
from jupyter_durable.store.base import Copied, Finish, Seen, Store
from jupyter_durable.store.location import default_url, own_folder

Observer = Callable[[Run, RequestRow], Listener | None]
"""Called when a run begins; gives who listens to it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from."""

    notebook: str | None = None
    cell: str | None = None
    idempotency_key: str | None = None
    forked_from: str | None = None
    headers: str | None = None
    seen: Seen | None = None
    """The look that found no request to go on with."""


def key_file() -> KeyFile:
    """The keys of this user, in the folder that is ours."""
    path = Path(default_url().removeprefix("sqlite:///")).with_name("key")
    with contextlib.suppress(OSError):  # where it cannot be made the key says so itself
        own_folder()
    return KeyFile(path)


def new_id() -> str:
    """An id for a request."""
    return f"req_{secrets.token_hex(8)}"  # 16 digits say what of it is signed (`runner.vouching`)


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
    starting: dict[str, int] = field(default_factory=dict)
    """Requests that are being acquired, and in which thread."""
    counted: Counted = field(default_factory=Counted)
    _store: Store | None = None
    _signer: Signer | None = None
    _key: HeldKey | None = None
    _workers: Workers | None = None
    unsaved: dict[str, tuple[int, list[Unsaved]]] = field(default_factory=dict)
    """By request: a run, and its outcomes that a full store refused; the next run commits them first."""
    limit: Callable[[], float] | None = None
    """Set where stores are only looked at, whoever made them: seconds that the next statement may take."""
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
                self._store = self._opened(self.settings.store)
            return self._store

    def _opened(self, url: str) -> Store:
        store = open_store(url, self._tell, self.limit)
        store.watch(self._key_changed)
        return store

    def _key_changed(self) -> str | None:
        """What happened to the signing key. Called by the store's thread, so no lock is taken."""
        key = self._key
        return None if key is None else key.changed()

    def _tell(self, text: str) -> None:
        self.warn(text)

    @property
    def signer(self) -> Signer:
        """What signs values: the key of this user, made on first use."""
        with self._lock:
            if self._signer is None:
                self._key = HeldKey(key_file())
                self._signer = self._key.signer()
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
        self._lock = threading.RLock()
        self.sessions.forked(bool(self.active))
        self.active, self.starting, self.unsaved, self._workers = {}, {}, {}, None

    def sealer(self, request: str, code: versions.Loaded) -> Sealer:
        """Encodes and signs what belongs to a request."""
        return Sealer(request, self.store, code.serializer, self.signer)

    def check(self, row: RequestRow) -> None:
        """Whether this user's key vouches for a request: what it is of, its input, its code.

        Raises `DeserializationError`. For one of before format 2 its input and its code have to vouch, as they did.
        """
        sealer = self.sealer(row.id, versions.live_code(None))
        flaw = sealer.flaw_of(row)
        if flaw is None:
            return
        if row.mac is not None or not is_old(row.id):
            raise DeserializationError(f"request {row.id} of {row.application} {not_loaded(flaw)}")
        versions.check_old(self.store.code(row.code_key), self.signer)
        if row.kind == Kind.FUNCTION:
            sealer.input_is_old(row)

    def code_of(self, row: RequestRow) -> CodeVersion:
        """The recorded code of a request that this user's key vouches for. Raises `DeserializationError`."""
        self.check(row)
        return self.store.code(row.code_key)

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
        from jupyter_durable.client.request import Request

        key: object = idempotency_key
        if key is not None and (not isinstance(key, str) or not key):
            raise SDKUsageError(f"{spec.name}.submit: idempotency_key must be a text that is not empty, not {key!r}")
        code = versions.live_code(None)
        origin = Origin(*self.sessions.place(), idempotency_key)
        row, created = self.accept(spec, args, kwargs, origin, code)

        def begun() -> tuple[Run, ActiveCall] | None:
            """None: somebody has begun, or cancelled, what was accepted."""
            now = self.store.request(row.id)
            waits = now.status == Status.QUEUED and (created or self.status_of(now) == Status.INTERRUPTED)
            return self.launch(now, Launch(code), spec) if waits else None

        launched = ownership.as_read(begun)
        if launched is not None:
            run, root = launched
            run.thread_id = None  # of the thread that is started now
            conducting.in_background(run, root)
        return Request(self, row)

    # accepting and running

    def as_taken(
        self, spec: Spec, given: tuple[tuple[Any, ...], dict[str, Any]]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """As `passed`, without a warning of what JSON changes."""
        application = spec.application
        if application is None or application.input_deserializer != "json":
            return given
        taken = self.edge(spec).decode_input(*given)
        return taken.args, taken.kwargs

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
        """Keep a request before anything of it runs. False: a request of this idempotency key was there.

        Raises `NotAsRead` when one was accepted since `origin.seen` was looked at.
        """
        args, kwargs = self.passed(spec, args, kwargs)
        digest, _ = args_digest(spec.params, args, kwargs, Digesting(code.as_argument))
        id = new_id()
        version = versions.current_version({spec.name: spec.wrapper}, None, self.signer)
        sealer = self.sealer(id, code)
        new = NewRequest(
            id,
            spec.name,
            Kind.FUNCTION,
            self.clock.now(),
            sealer.pack((args, kwargs)),
            digest,
            version,
            origin.notebook,
            origin.cell,
            origin.idempotency_key,
            origin.forked_from,
            origin.headers,
        )
        row, created = self.store.accept(sealer.vouched(new), seen=origin.seen)
        if not created:
            self.check(row)
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

    def runs(self, id: str) -> bool:
        """Whether this process runs a request, or is about to."""
        return id in self.active or self.starting.get(id, threading.get_ident()) != threading.get_ident()

    def holder(self, row: RequestRow) -> Owner | None:
        """Who runs the request of a row now, this process included; None when nobody does."""
        return ownership.holder(row, self.clock.now(), ours=self.runs(row.id))

    def status_of(self, row: RequestRow) -> str:
        """The status of a row that holds now."""
        return ownership.status(row, self.clock.now(), ours=self.runs(row.id))

    def launch(self, row: RequestRow, launch: Launch, spec: Spec | None) -> tuple[Run, ActiveCall]:
        """Acquire the request as it was read and begin a run.

        Raises `SDKUsageError` when somebody else holds it, `NotAsRead` when somebody acted on it since.
        """
        return launching.launch(self, row, launch, spec)

    def settle_ownerless(self, id: str, status: str = Status.INTERRUPTED) -> bool:
        """A request whose owner is gone becomes interrupted, or cancelled, in the store too; whether it did."""

        def settle() -> bool:
            row = self.store.request(id)
            if row.status in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, status):
                return False
            if self.status_of(row) != Status.INTERRUPTED:
                return False
            self.store.settle(row.serial, row.epoch, status, self.clock.now())
            return True

        return ownership.as_read(settle)

    def prepare_input(self, run: Run, root: ActiveCall, row: RequestRow, spec: Spec) -> None:
        """Give the root of an application its arguments, and its output to the edge."""
        root.take(*run.sealer.input(row))
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
        begun = ownership.as_read(lambda: self.launch(self.store.request(row.id), Launch(code), spec))
        conducting.quietly(*begun)
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
