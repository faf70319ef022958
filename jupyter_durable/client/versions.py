"""Code versions of requests: captured from the running notebook, restored from the store.

Rules of this file
- Snapshots are signed when they are made and verified before they are restored: they hold pickles.
- Replay of recorded code stops before any call when something it needs is not there.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import blake3

from jupyter_durable.code.classify import looked_up
from jupyter_durable.code.hashing import CodeHashes
from jupyter_durable.code.modules import is_local
from jupyter_durable.code.plain import is_plain
from jupyter_durable.code.snapshot import ClassRegistry, Version, capture, names_absent, restore
from jupyter_durable.core.model import CodeVersion
from jupyter_durable.errors import DeserializationError, ReplayError, SDKUsageError
from jupyter_durable.function import Spec, durable_functions, durable_of, options_of, own_methods, redecorate, registry
from jupyter_durable.records import NamedTuple
from jupyter_durable.runner.sealing import not_loaded, preview
from jupyter_durable.runner.vouching import CODE
from jupyter_durable.serializer.base import Context, Signer
from jupyter_durable.serializer.pickle import ValueSerializer
from jupyter_durable.serializer.signing import CHANGED
from jupyter_durable.static import is_a

OLD_CODE: Final = Context("code", 0, 0)
SNAPSHOT: Final = "snapshot"
SHOWN_BYTES: Final = 60
"""A value of at most this size is told with its name."""
MAIN: Final = frozenset({"__main__", "__mp_main__"})


def live_namespace() -> dict[str, Any]:
    """The globals of the notebook, or of the script."""
    return vars(sys.modules["__main__"])


class Loaded(NamedTuple):
    """The code a run executes."""

    version: CodeVersion | None
    """To be stored with the run; None when it is the recorded one."""
    namespace: Mapping[str, Any]
    body: str | None
    hashes: CodeHashes
    serializer: ValueSerializer

    def code_of(self, spec: Spec) -> bytes:
        """16 bytes over the code of a function."""
        return self.hashes.of(spec.fn)

    def holds(self, spec: Spec) -> Callable[[], bool] | None:
        """What tells whether that is still its code; None where it reads no data that could change."""
        return self.hashes.holds(spec.fn)

    def as_argument(self, value: Any) -> bytes | None:
        """The same for a function or class among arguments, as it is now; None where its name says it all."""
        return self.hashes.as_argument(value)

    def read_by(self, value: Any) -> Mapping[str, object]:
        """What that reads and its hash leaves out, since it is no plain data."""
        return self.hashes.read_by(value)

    def code_named(self, name: str) -> bytes | None:
        """The code of the function of a name; None when it is not defined."""
        try:
            return self.code_of(self.spec(name))
        except SDKUsageError:
            return None

    def spec(self, name: str) -> Spec:
        """The durable function of a name, in this version of the code."""
        spec = durable_of(looked_up(self.namespace, name)) or registry.get(name)
        if spec is None:
            raise SDKUsageError(
                f"{name} is not defined here: run the cell that defines it, or replay the recorded code "
                "(upgrade_to_latest_version=False)"
            )
        return spec


def current_version(roots: Mapping[str, Any], body: str | None, signer: Signer) -> CodeVersion:
    """A signed snapshot of the code that is defined now, as far as `roots` and a cell's `body` reach."""
    durable = map(durable_of, durable_functions(live_namespace()).values())
    secrets = {name for spec in durable if spec is not None for name in spec.options.secrets}
    data = capture(roots, live_namespace(), body=body, secrets=secrets, options=options_of)
    key = blake3.blake3(data).digest()
    return CodeVersion(key, data, signer.voucher(CODE).sign(key))


def live_code(version: CodeVersion | None, body: str | None = None) -> Loaded:
    """The code that is defined now; `version` is its snapshot."""
    live = live_namespace()
    hashes = CodeHashes(live)
    classes = ClassRegistry(live)
    serializer = ValueSerializer(classes.find_class, classes.name_of, is_local)
    return Loaded(version, live, body, hashes, serializer)


def code_to_read_with(recorded: Callable[[], CodeVersion], signer: Signer) -> Loaded:
    """The live code, for reading values: a class that its notebook defined is restored when a value first needs it."""
    live = ClassRegistry(live_namespace())

    @functools.cache
    def version() -> ClassRegistry:
        return ClassRegistry(live_namespace(), restored_version(recorded(), signer))

    def find_class(module: str, qualname: str) -> Any:
        return (version() if module in MAIN else live).find_class(module, qualname)

    return live_code(None)._replace(serializer=ValueSerializer(find_class, live.name_of, is_local))


class Reading(NamedTuple):
    """The code of now that a run of a request is about to execute."""

    roots: Mapping[str, Any]
    """Functions by name."""
    body: str | None
    """Source of the cell, None when the request is no cell's."""

    def absent(self) -> frozenset[str]:
        """Names that it reads and nothing here has."""
        return names_absent(self.roots, live_namespace(), self.body)

    def absent_from_cell(self) -> frozenset[str]:
        """Those of them that the cell itself reads."""
        return self.absent() & names_absent({}, {}, self.body)


class Lacking(NamedTuple):
    """What the code of now reads and a recorded version has, while nothing here has it."""

    names: tuple[str, ...]
    lines: tuple[str, ...]
    """For each name how it was made."""


def lacking(reading: Reading, recorded: Callable[[], CodeVersion], signer: Signer) -> Lacking:
    """What is not defined here yet, though the recorded code had it. `recorded` is asked only where a name is absent.

    Raises `DeserializationError` for recorded code that is not trusted or cannot be restored here.
    """
    absent = reading.absent()
    if not absent:
        return Lacking((), ())
    version = restored_version(recorded(), signer)
    made = {missing.name: missing.statement for missing in version.missing}
    for name, value in version.namespace.items():
        source = version.sources.get(name, "").splitlines()
        defined = [line.strip() for line in source if line.lstrip().startswith(("def ", "async def ", "class "))]
        made[name] = defined[0] if defined else f"{name} = {preview(value)}" if is_plain(value, SHOWN_BYTES) else ""
    names = tuple(sorted(absent & made.keys()))
    lines = (
        f"`{name}`: run `{made[name]}`" if made[name] else f"`{name}`: run the cell that makes it" for name in names
    )
    return Lacking(names, tuple(lines))


def lacking_lines(reading: Reading, recorded: CodeVersion, signer: Signer, request: str) -> list[str]:
    """What to run before a cell that goes on with a request, or what to do instead."""
    lines = lacking(reading, lambda: recorded, signer).lines
    return [*lines, f"or replay the recorded code, which has it: %durable replay {request}"] if lines else []


def code_of_now(reading: Reading, recorded: Callable[[], CodeVersion], signer: Signer) -> tuple[Loaded, bool]:
    """The code of now for a request that is resumed, and whether all that its recorded code had is there.

    Where it is not, the run will probably fail for want of it: the recorded version stays that of the request.
    """
    try:
        complete = not lacking(reading, recorded, signer).names
    except DeserializationError:
        complete = False  # nobody can tell what it has, and something is absent here
    version = current_version(*reading, signer) if complete else None
    return live_code(version, reading.body), complete


def require_names(reading: Reading, recorded: Callable[[], CodeVersion], signer: Signer, request: str) -> None:
    """What code needs is there before it runs as it is now. Raises `ReplayError` that names the rest."""
    missing = lacking(reading, recorded, signer)
    names = sorted({*reading.absent_from_cell(), *missing.names})
    if names:
        lines = f" ({'; '.join(missing.lines)})" if missing.lines else ""
        raise ReplayError(
            f"request {request}: its code needs {', '.join(f'`{name}`' for name in names)}, not defined here. Run the "
            f"cells that define them{lines}, or replay the recorded code (without the upgrade)"
        )


def recorded_code(recorded: CodeVersion, signer: Signer, request: str) -> Loaded:
    """The code that a request ran. Raises `ReplayError` that names what is missing and how it is made."""
    restored = restored_version(recorded, signer)
    if restored.missing:
        raise ReplayError(f"request {request} cannot be replayed yet: {_missing(restored)}")
    hashes = CodeHashes(restored.namespace)
    classes = ClassRegistry(live_namespace(), restored)
    serializer = ValueSerializer(classes.find_class, classes.name_of, is_local)
    return Loaded(None, restored.namespace, restored.body, hashes, serializer)


def check_code(recorded: CodeVersion, signer: Signer) -> None:
    """Whether this user's key vouches for a snapshot. Raises `DeserializationError`."""
    flaw = signer.voucher(CODE).flaw(recorded.key, recorded.mac)
    if flaw is not None:
        try:
            check_old(recorded, signer)
        except DeserializationError as error:
            raise DeserializationError(f"the recorded code holds pickles: {error}") from None


def check_old(recorded: CodeVersion, signer: Signer) -> None:
    """Whether format 1 vouches for a snapshot. Raises `DeserializationError`."""
    signer.verify(OLD_CODE, SNAPSHOT, recorded.key, recorded.mac)


def restored_version(recorded: CodeVersion, signer: Signer) -> Version:
    """A verified snapshot as running code, complete or not."""
    check_code(recorded, signer)
    if blake3.blake3(recorded.data).digest() != recorded.key:
        raise DeserializationError(f"the code snapshot {not_loaded(CHANGED)}")
    version = restore(recorded.data, redecorate=redecorate, live=live_namespace())
    for value in version.namespace.values():
        if is_a(value, type):
            own_methods(value)
    return version


def _missing(version: Version) -> str:
    lines = []
    for missing in version.missing:
        made = f"run `{missing.statement}`" if missing.statement else "run the cell that makes it"
        lines.append(f"`{missing.name}` is not stored; {made}, then replay")
    return "; ".join(lines)
