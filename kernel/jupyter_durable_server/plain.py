"""Requests without unpickling: of their values only those are read that hold no class.

Rules of this file
- What stands here is all that keeps pickles from being loaded in the server; every value goes through it.
- Plain values are read by an unpickler that knows no name (jupyter_durable/serializer/pickle.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jupyter_durable.client import versions
from jupyter_durable.client.calls import Call
from jupyter_durable.client.stored import Stored
from jupyter_durable.core.model import RequestRow, Status
from jupyter_durable.core.nodes import GROUPS
from jupyter_durable.errors import DeserializationError, DurableError
from jupyter_durable.serializer.base import PLAIN
from jupyter_durable.serializer.pickle import ValueSerializer
from jupyter_durable_kernel.view import call_details
from jupyter_durable_kernel.view.call_values import Values

if TYPE_CHECKING:
    from jupyter_durable.client.engine import Engine
    from jupyter_durable.core.calltree import CallNode

ELSEWHERE: Final = "shown by a kernel: open the notebook, start its kernel and look there"


class PlainSerializer(ValueSerializer):
    """Reads plain values, and refuses all others unread."""

    def decode(self, codec: str, head: bytes, buffers: list[memoryview]) -> object:
        """The value. Raises `DeserializationError` for one that would have to be unpickled."""
        if codec != PLAIN:
            raise DeserializationError(ELSEWHERE)
        return super().decode(codec, head, buffers)


class PlainStored(Stored):
    """A request whose recorded code is never restored."""

    def code(self) -> versions.Loaded:
        """The code of here."""
        return versions.live_code(None)._replace(serializer=PlainSerializer())


class PlainValues(Values):
    """Previews of the values that are plain."""

    def __init__(self, engine: Engine, row: RequestRow) -> None:
        super().__init__(engine, row)
        self._stored = PlainStored(engine, row)


def detail(engine: Engine, row: RequestRow, node: CallNode) -> dict[str, Any]:
    """One call as far as it can be shown here; what cannot says where it can."""
    made = call_details.detail(Call(PlainStored(engine, row), node, None))
    if node.kind in GROUPS:
        return made
    elsewhere = {"type": "text", "text": ELSEWHERE}
    if not made["inputs"] and _has_inputs(engine, row, node):
        made["inputs"] = [{"name": "", "value": elsewhere}]
    if node.status == Status.SUCCEEDED and not _is_plain(engine, row, node):
        made["output"] = elsewhere
    return made


def _has_inputs(engine: Engine, row: RequestRow, node: CallNode) -> bool:
    """Whether there is anything to be shown elsewhere: an empty list of arguments is plain, and shown as such."""
    call = Call(PlainStored(engine, row), node, None)
    try:
        call.inputs()
    except DeserializationError:
        return True
    except DurableError:  # none were kept, or the call has gone: then a kernel has none to show either
        return False
    return False


def _is_plain(engine: Engine, row: RequestRow, node: CallNode) -> bool:
    stored = engine.store.call(row.serial, node.parent, node.identity)
    return stored is None or stored.codec in ("", PLAIN)
