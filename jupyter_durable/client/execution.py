"""Running a recorded request again: an application by its function, a cell by its body."""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Callable
from types import CodeType
from typing import Any, Final

from jupyter_durable.client import conducting, launching, ownership, replay
from jupyter_durable.client.launching import Launch
from jupyter_durable.client.process import Process
from jupyter_durable.client.versions import Loaded
from jupyter_durable.code.statements import once_called
from jupyter_durable.code.texts import RESTORED, remember_source, tree_of
from jupyter_durable.context import current
from jupyter_durable.core.model import Kind, RequestRow, Status
from jupyter_durable.durable_cell.definitions import DECORATOR, commented, decorate, is_durable_cell
from jupyter_durable.durable_cell.line import parsed_options
from jupyter_durable.errors import ReplayError, SDKUsageError, StoreError
from jupyter_durable.runner.call import ActiveCall
from jupyter_durable.runner.ending import end_stopped
from jupyter_durable.runner.run import Run
from jupyter_durable.runner.start import enter_root
from jupyter_durable.runner.stop import RunStopped

DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def run_recorded(
    process: Process, id: str, choice: replay.Choice, *, strict: bool = False, take_over: bool = False
) -> None:
    """Run a request to its end. A failure of user code is kept in the request; a divergence is raised."""
    _run(process, id, lambda row: _launch(process, row, choice, False)._replace(strict=strict, take_over=take_over))


def run_forked(process: Process, row: RequestRow, choice: replay.Choice, input: Any) -> str:
    """Do the same in a new request, run to its end; its id. `input`: as `Request.fork` takes it.

    One that is cancelled before it begins has ended.
    """
    code = replay.code_for(process, row, False)
    replay.set_asides(process, row, choice, code)  # may raise
    arguments = replay.arguments_of(process, row, input, code)
    id = replay.forked(process, row, arguments).id

    def wanted(now: RequestRow) -> Launch | None:
        return None if now.status == Status.CANCELLED else _launch(process, now, choice, arguments is not None)

    _run(process, id, wanted)
    return id


def _run(process: Process, id: str, wanted: Callable[[RequestRow], Launch | None]) -> None:
    """Run a request as `wanted` says of it as it was read, to its end; None: not at all."""

    def begun() -> tuple[Run, ActiveCall, Loaded] | None:
        row = process.store.request(id)
        launch = wanted(row)
        if launch is None:
            return None
        spec = launch.code.spec(row.application) if row.kind == Kind.FUNCTION else None
        return *launching.launch(process, row, launch, spec), launch.code

    launched = ownership.as_read(begun)
    if launched is None:
        return
    run, root, code = launched
    if root.spec is not None:
        conducting.quietly(run, root)
    else:
        _run_body(run, root, code)
    if isinstance(run.stopped, ReplayError | StoreError):
        raise run.stopped


def _launch(process: Process, row: RequestRow, choice: replay.Choice, other_input: bool) -> Launch:
    """What a run of the request as `row` says it is, is to be."""
    code = replay.code_for(process, row, choice.upgrade)
    aside = set(replay.set_asides(process, row, choice, code))
    if other_input:
        aside.update(replay.input_set_asides(process, row))
    rule = once_called(code.body) if code.body is not None else None
    if row.kind != Kind.FUNCTION and code.body is None:
        raise SDKUsageError(f"request {row.id}: the source of its cell was not stored; run the cell again instead")
    return Launch(
        code,
        set_aside=tuple(sorted(aside)),
        place_rule=rule,
        match_by_place=not other_input,
        reuse_changed=choice.rerun != "changed",
    )


def _run_body(run: Run, root: ActiveCall, code: Loaded) -> None:
    """Execute the body of a cell in the namespace of its code."""
    enter_root(root)
    token = current.set(run.root_scope)
    error: BaseException | None = None
    try:
        _execute(run, root, code)
    except conducting.leaving() as left:
        error = left
    except Exception as failure:  # noqa: BLE001 - the user's cell was executed; the request keeps its failure
        error = failure
    finally:
        current.reset(token)
    _end(run, root, error)


def _end(run: Run, root: ActiveCall, error: BaseException | None) -> None:
    if run.ended:
        return
    if run.stopped is not None or isinstance(error, conducting.leaving()):
        end_stopped(run, root, None if isinstance(error, RunStopped) else error)
        if run.stopped is None and error is not None:
            raise error
    elif error is not None:
        root.settle_failed(error)
    else:
        root.succeed(None)


def _execute(run: Run, root: ActiveCall, code: Loaded) -> None:
    """The statements of the body; definitions are those of the code version, which are there already."""
    assert code.body is not None
    namespace: Any = code.namespace
    source = commented(code.body)
    name = f"{RESTORED}{hashlib.blake2b(source.encode(), digest_size=8).hexdigest()}>"
    remember_source(name, source)  # what the body defines itself is known by its source, as it was in the cell
    tree = tree_of(source)
    if is_durable_cell(code.body):
        options = parsed_options(code.body)
        tree = decorate(tree, options.plain)
        namespace[DECORATOR] = options.make_recorded
    tree.body = [
        statement for statement in tree.body if not (isinstance(statement, DEFINITIONS) and statement.name in namespace)
    ]
    compiled: CodeType = compile(tree, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if compiled.co_flags & inspect.CO_COROUTINE:
        # Not `asyncio.run`: in a notebook a loop runs in this thread already.
        run.workers.loops.submit(0, lambda: eval(compiled, namespace)).result()
    elif root.visit is not None:  # not in the main thread: what stops the run is thrown into the body
        root.visit.run(exec, compiled, namespace)
    else:
        exec(compiled, namespace)
