"""What is refused of applications and their requests.

Rules of this file
- A sentence says what was asked for and what to do next. It repeats nothing of an input but names.
"""

from __future__ import annotations

from jupyter_durable.server.refusals import Refusal


def unknown_application(name: str) -> Refusal:
    """404: nothing of this name was deployed."""
    return Refusal(
        404,
        "UnknownApplication",
        f"no application {name!r} is deployed in this namespace: `jupyter durable deploy FILE {name}` deploys it, and "
        "GET /applications lists those that are",
    )


def unknown_version(name: str, version: str) -> Refusal:
    """404: an application has no such version."""
    return Refusal(404, "UnknownVersion", f"application {name!r} has no version {version!r}")


def unknown_request(name: str, id: str) -> Refusal:
    """404: no request of this id."""
    return Refusal(
        404,
        "UnknownRequest",
        f"application {name!r} has no request {id!r} here: GET /applications/{name}/requests lists those it has",
    )


def not_ended(id: str, verb: str) -> Refusal:
    """409: a request has to end first."""
    return Refusal(409, "RequestNotFinished", f"request {id} has not ended; wait for it or cancel it, then {verb}")
