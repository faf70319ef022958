"""What a user holds of one call of a request.

Rules of this file
- A `Call` is a picture of its request at the time it was asked for; values are read when they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jupyter_durable.client.stored import Stored
from jupyter_durable.core.calltree import CallNode
from jupyter_durable.core.model import Progressed, Status


class Call:
    """One call of a request: `name[n]`, n counting from 0 the calls of that name in program order."""

    def __init__(self, stored: Stored, node: CallNode, parent: Call | None) -> None:
        self._stored = stored
        self._node = node
        self.parent = parent

    def __repr__(self) -> str:
        return f"<{self._node.label} {self.status}, {self.source}>"

    @property
    def name(self) -> str:
        """Name of the function."""
        return self._node.name

    @property
    def kind(self) -> str:
        """What it is a call of: function_call, map, map_item, reduce, reduce_step, …"""
        return self._node.kind

    @property
    def index(self) -> int:
        """The n of `name[n]`."""
        return self._node.index

    @property
    def identity(self) -> int:
        """What ties the call to its checkpoint and its children over edits; a number without a meaning."""
        return self._node.identity

    @property
    def fingerprint(self) -> str:
        """The place of the call in its request, 32 hexadecimal digits."""
        return self._node.fingerprint.hex()

    @property
    def children(self) -> list[Call]:
        """The calls it made, in program order."""
        return [Call(self._stored, child, self) for child in self._node.children]

    @property
    def status(self) -> str:
        """running, succeeded, failed, cancelled or interrupted."""
        return self._node.status

    @property
    def source(self) -> str:
        """`ran`, or `checkpoint` where the last run served it from one."""
        return self._node.source

    @property
    def attempts(self) -> int:
        """How often it was tried when it ran."""
        return self._node.attempts

    @property
    def args_changed(self) -> bool:
        """Whether it was served for other arguments than the recorded ones, or for such as cannot be compared."""
        return self._node.args_changed or self._node.not_comparable

    @property
    def args_comparable(self) -> bool:
        """False where it was served for arguments of which nobody knows whether they are the recorded ones."""
        return not self._node.not_comparable

    @property
    def code_changed(self) -> bool:
        """Whether it was served although its code has changed since it ran."""
        return self._node.code_changed

    @property
    def file_changed(self) -> bool:
        """Whether it was served although a file has changed that it, or a call it covers, had read."""
        return self._node.file_changed

    @property
    def started_at(self) -> float:
        """When it ran, Unix seconds."""
        return self._node.started_at

    @property
    def duration(self) -> float | None:
        """Seconds that it took when it ran; None until it has ended."""
        return self._node.duration

    @property
    def progress(self) -> Progressed | None:
        """What it reported last of how far it is."""
        return self._node.progress

    @property
    def error(self) -> BaseException | None:
        """What a failed call raised."""
        return self._stored.failure(self._node) if self._node.status == Status.FAILED else None

    @property
    def error_text(self) -> str | None:
        """What a failed call raised, as text; needs none of its classes."""
        return self._stored.failure_text(self._node) if self._node.status == Status.FAILED else None

    def inputs(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The recorded arguments; texts stand for what could not be stored. Raises `SDKUsageError`."""
        return self._stored.inputs(self._node)

    def output(self) -> Any:
        """The recorded result. Raises what the call raised, or `RequestNotFinished`."""
        return self._stored.value(self._node)

    @property
    def logs(self) -> str:
        """What the call printed."""
        return "".join(entry.text for entry in self._node.logs)


def below(root: Call) -> Iterator[Call]:
    """Every call that is made below one, in program order."""
    pending = list(reversed(root.children))
    while pending:
        call = pending.pop()
        yield call
        pending.extend(reversed(call.children))
