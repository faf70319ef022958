"""What the conformance suite of the protocol wants to find, as durable applications."""

from __future__ import annotations

FIXTURES = '''
import pathlib, sys, time
(pathlib.Path(sys.path[0]) / "left_behind.py").write_text("def go():\\n    return 'gone'\\n")
import left_behind
from jupyter_durable import RequestContext, application, deploy, function

@application(tags={"mcp": "sync"})
@function()
def greet(name: str) -> str:
    """Says hello."""
    return f"Hello, {name}!"

@application()
@function(timeout=90)
def slow_compute(seconds: float, label: str = "") -> str:
    """Takes its time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        RequestContext.get().progress.update(seconds - (end - time.monotonic()), seconds)
        time.sleep(0.2)
    return f"{label} took {seconds}"

@application(tags={"mcp": "required"})
@function()
def failing_job() -> str:
    """Fails."""
    raise RuntimeError("it failed")

@application()
@function()
def protocol_error_job() -> str:
    """Needs what is not where the server runs."""
    return left_behind.go()

@application()
@function()
def confirm_delete(filename: str) -> str:
    """Asks nobody while it runs, which these do not."""
    return filename

@application(tags={"mcp": "required"})
@function()
def test_tool_with_task(name: str) -> str:
    """Asks for what it lacks before it begins."""
    return f"Hello, {name}!"

deploy()
'''
