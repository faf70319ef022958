"""One request as the store has it: its row, the tree of its calls, what they hold.

Rules of this file
- The row is the one that was read last; whoever needs what holds now asks for `now`.
- Values are read when they are asked for, and only after the user's key has vouched for them.
"""

from __future__ import annotations

from typing import Any

from jupyter_durable.client import trusted, versions
from jupyter_durable.client.journal import load_tree, root_row
from jupyter_durable.client.process import Process
from jupyter_durable.code.credentials import masked
from jupyter_durable.core.calltree import CallNode
from jupyter_durable.core.model import ROOT, CallRow, Flag, Kind, RequestRow, Status
from jupyter_durable.core.nodes import GROUPS
from jupyter_durable.errors import RequestNotFinished, SDKUsageError, StoreError
from jupyter_durable.runner.sealing import Sealer
from jupyter_durable.serializer.failure import decode_failure, failure_text


class Stored:
    """A request in the store of a process."""

    def __init__(self, process: Process, row: RequestRow) -> None:
        self.process = process
        self.row = row
        """As it was read last."""

    @property
    def id(self) -> str:
        """Id, as `req_…`."""
        return self.row.id

    def now(self) -> RequestRow:
        """Its row, read again."""
        self.row = self.process.store.request(self.row.id)
        return self.row

    def status(self) -> str:
        """The status that holds now; its row is read again for it."""
        return self.process.status_of(self.now())

    def root(self) -> CallNode | None:
        """The call tree of the last run; None before the first one."""
        row = self.now()
        live = self.process.status_of(row) == Status.RUNNING
        return load_tree(self.process.store, row, live=live)[1]

    def root_row(self) -> CallRow | None:
        """The row of the root call, None before the first run."""
        return root_row(self.process.store, self.row.serial)

    def code(self) -> versions.Loaded:
        """The code that values are read with."""
        process = self.process
        return versions.code_to_read_with(lambda: trusted.code_of(process, self.row), process.signer)

    def sealer(self) -> Sealer:
        """What opens its values."""
        return trusted.sealer_of(self.process, self.id, self.code())

    def call_row(self, node: CallNode) -> CallRow:
        """The row of a call, with its values. Raises `StoreError` when it is gone."""
        row = self.process.store.call(self.row.serial, node.parent, node.identity)
        if row is None:
            raise StoreError(f"{node.label} is no longer in the journal of request {self.id}: read its tree again")
        return row

    def failure(self, node: CallNode) -> BaseException:
        """What a failed call raised."""
        return self.failure_in(self.call_row(node))

    def failure_in(self, row: CallRow) -> BaseException:
        """The failure in the row of a failed call."""
        return decode_failure(self.sealer().open(row), self.code().serializer)

    def failure_text(self, node: CallNode) -> str:
        """The same as text; needs none of its classes."""
        return masked(failure_text(self.sealer().open(self.call_row(node))))

    def value(self, node: CallNode) -> Any:
        """The result of a call. Raises what it raised, or `RequestNotFinished`."""
        if node.status == Status.FAILED:
            raise self.failure(node)
        if node.status != Status.SUCCEEDED:
            raise RequestNotFinished(f"{node.label} of request {self.id} is {node.status}; it has no result")
        return self.opened(self.call_row(node), node.label)

    def opened(self, row: CallRow, label: str) -> Any:
        """The result in a row of a success."""
        sealer = self.sealer()
        if row.value is None and row.blob is None:
            sealer.check(row)
            if row.kind in GROUPS and row.status == Status.SUCCEEDED:
                return None
            if row.flags & Flag.NOT_STORED:
                raise SDKUsageError(f"{label} of request {self.id} completed, but its result was not checkpointed")
        return sealer.open(row)

    def inputs(self, node: CallNode) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The recorded arguments of a call. Raises `SDKUsageError` when none were kept."""
        row = self.call_row(node)
        if row.identity == ROOT and self.row.kind == Kind.FUNCTION:
            trusted.check(self.process, self.row)
            return self.sealer().input(self.row)
        if row.inputs is None:
            raise SDKUsageError(f"{node.label} of request {self.id}: its arguments were not kept")
        return self.sealer().inputs(row)[0]
