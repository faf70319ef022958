"""Reading the journal of a request: the tree of its calls, and what they hold.

Rules of this file
- An identity is larger than that of the caller, which executed first, and has one caller. Where it is not so, the file
  is damaged; to follow it could go in circles, or by more ways than there is time for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from jupyter_durable.core.model import ROOT, CallRow, Reached, RequestRow, Write
from jupyter_durable.errors import StoreError
from jupyter_durable.store.base import Store

if TYPE_CHECKING:
    from jupyter_durable.core.calltree import CallNode, CallTree

PAGE = 1000


def rows_below(store: Store, serial: int, parent: int) -> Iterator[CallRow]:
    """All children of one parent, read in pages."""
    after = 0
    while True:
        page = store.children(serial, parent, after, PAGE)
        yield from page
        if len(page) < PAGE:
            return
        if page[-1].identity <= after:  # pages of the file that lead to themselves
            raise _damaged(page[-1].identity, parent)
        after = page[-1].identity


def records(store: Store, serial: int, *, values: bool = False, below: int = 0) -> Iterator[Write]:
    """Every record of a request, or of what is below one call; parents before children.

    Values are left out unless asked for: a tree shows none.
    """
    parents, seen = [below], {0}
    while parents:
        parent = parents.pop()
        for stretch in store.reached(serial, parent):
            _sound(stretch, parent)
            yield stretch
        for row in rows_below(store, serial, parent):
            _sound(row, parent)
            if row.identity in seen:
                raise _damaged(row.identity, parent)
            seen.add(row.identity)
            if row.children != 0:
                parents.append(row.identity)
            yield row if values else row._replace(value=None, inputs=None)


def _sound(record: CallRow | Reached, parent: int) -> None:
    if record.parent != parent or record.identity <= parent:
        raise _damaged(record.identity, parent)


def _damaged(identity: int, parent: int) -> StoreError:
    return StoreError(
        f"the journal is damaged: call {identity} cannot stand below call {parent}."
        " Nothing was changed; `jupyter durable doctor` looks at the store"
    )


def load_tree(store: Store, request: RequestRow, *, live: bool) -> tuple[CallTree, CallNode | None]:
    """The call tree of the last run. `live`: somebody is running the request now."""
    from jupyter_durable.core.calltree import CallTree  # for those who look: a process that runs calls has no tree

    tree = CallTree()
    tree.apply(records(store, request.serial))
    tree.apply(store.progress(request.serial))
    tree.apply(store.logs(request.serial))
    return tree, tree.tree(request.run, live=live)


def root_row(store: Store, serial: int) -> CallRow | None:
    """The row of the root call, None before the first run."""
    return store.call(serial, 0, ROOT)
