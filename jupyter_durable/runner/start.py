"""How a run begins: with what user code sees of its calls, its root, and its pulse."""

from __future__ import annotations

import threading

from jupyter_durable.core.model import ROOT, CallRow, Lease, Status
from jupyter_durable.executor.visit import Visit
from jupyter_durable.runner.call import ActiveCall
from jupyter_durable.runner.hearing import listen
from jupyter_durable.runner.matching import attempts_of
from jupyter_durable.runner.pulse import Pulse
from jupyter_durable.runner.run import Run
from jupyter_durable.runner.scope import CallScope
from jupyter_durable.runner.settings import Code, Environment, RunOptions
from jupyter_durable.spec import Spec


def new_run(environment: Environment, lease: Lease, options: RunOptions, code: Code) -> Run:
    """One run of the request whose lease it is. Begin its root, execute that, and it is over."""
    run = Run(environment, lease, options, code, CallScope)
    listen(run)
    return run


def begin_root(run: Run, spec: Spec | None, name: str, kind: str, recorded: CallRow | None) -> ActiveCall:
    """The root call, to be driven (an application) or entered (a cell)."""
    plan = run.planner.plan(spec) if spec is not None else run.planner.bare(("root", name), name, False)
    call = ActiveCall(None, run, spec, kind, plan, (run.number << 16, 0, b"", plan.flags))
    run.root_call, run.root_scope = call, CallScope(call)
    call.row = recorded
    call.identity = ROOT
    if recorded is not None and recorded.status in (Status.RUNNING, Status.INTERRUPTED):
        call.attempts = attempts_of(run, recorded)
    Pulse(run).start()
    return call


def enter_root(root: ActiveCall) -> None:
    """A cell's body is the root: it is open from now until the run ends."""
    run = root.run
    root.attempts += 1
    root.started_at, root.started = run.now(), run.monotonic()
    root.turn_started = root.started
    root.thread_id = run.thread_id = threading.get_ident()
    if root.thread_id != run.main_id:
        root.visit = Visit()
    run.open[root] = None
