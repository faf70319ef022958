"""What this user's key vouches for: a request, what it is of, its input, its code.

Rules of this file
- Nothing recorded is restored or run before it was checked here, or by `versions` for the code itself.
"""

from __future__ import annotations

from jupyter_durable.client import versions
from jupyter_durable.client.process import Process
from jupyter_durable.core.model import CodeVersion, Kind, RequestRow
from jupyter_durable.errors import DeserializationError, SDKUsageError
from jupyter_durable.runner.sealing import Sealer, not_loaded
from jupyter_durable.runner.vouching import is_old


def sealer_of(process: Process, request: str, code: versions.Loaded) -> Sealer:
    """Encodes and signs what belongs to a request."""
    return Sealer(request, process.store, code.serializer, process.signer)


def check(process: Process, row: RequestRow) -> None:
    """Whether this user's key vouches for a request: what it is of, its input, its code.

    Raises `DeserializationError`. For one of before format 2 its input and its code have to vouch, as they did.
    """
    sealer = sealer_of(process, row.id, versions.live_code(None))
    flaw = sealer.flaw_of(row)
    if flaw is None:
        return
    if row.mac is not None or not is_old(row.id):
        raise DeserializationError(f"request {row.id} of {row.application} {not_loaded(flaw)}")
    versions.check_old(process.store.code(row.code_key), process.signer)
    if row.kind == Kind.FUNCTION:
        sealer.input_is_old(row)


def code_of(process: Process, row: RequestRow) -> CodeVersion:
    """The recorded code of a request that this user's key vouches for. Raises `DeserializationError`.

    A request that was deleted since it was read has taken its code along: that is what is said then.
    """
    check(process, row)
    try:
        return process.store.code(row.code_key)
    except SDKUsageError:
        process.store.request(row.id)
        raise
