"""`%durable debug CALL`: a recorded call once more, with its recorded arguments, under the debugger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.error import StdinNotImplementedError

from jupyter_durable.client import replay, verbs
from jupyter_durable.errors import SDKUsageError

if TYPE_CHECKING:
    from jupyter_durable.client.engine import Engine


def debug(shell: Any, engine: Engine, id: str, call: str) -> None:
    """Run the function of a call, as it is defined now where it is, else as recorded; stop where it raises.

    Nothing of it is recorded in the request it comes from. Raises `SDKUsageError` for a call without arguments.
    """
    request = verbs.find(engine, id)
    chosen = verbs.call_of(request, call)
    args, kwargs = chosen.inputs()
    row = engine.store.request(request.id)
    try:
        spec = replay.code_for(engine, row, True).spec(chosen.name)
    except SDKUsageError:
        spec = replay.code_for(engine, row, False).spec(chosen.name)
    try:
        value = spec.call(*args, **kwargs)
        if spec.is_async:
            value = engine.workers.loops.submit(0, lambda: value).result()
    # A user's function was called: whatever it raises is what the user wants to look at.
    except Exception:  # noqa: BLE001
        shell.showtraceback(tb_offset=0)
        try:
            shell.debugger(force=True)
        except StdinNotImplementedError:
            print("no debugger here: this front end takes no input. Use %durable debug in JupyterLab or a terminal")
        return
    print(f"{call} returned {value!r}; it did not fail this time")
