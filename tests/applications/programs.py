"""Sources of applications that tests deploy. Each notes what executes in the file that EXECUTION_LOG names."""

from __future__ import annotations

HEAD = """
import os, time
from jupyter_durable import RequestContext, RequestError, application, deploy, function, run_remote_application

def executed(what):
    file = os.open(os.environ["EXECUTION_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{what}\\n".encode())
    os.close(file)
"""

SQUARES = (
    HEAD
    + """
@function()
def square(n: int) -> int:
    executed(f"square {n}")
    return n * n

@application(tags={"team": "blue"})
@function(description="Adds squares.")
def squares(upto: int) -> int:
    return sum(square(n) for n in range(upto))
"""
)

DEPLOY = """
print(deploy()[0].version)
"""
