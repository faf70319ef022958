"""Who may ask for what the page shows, and do what it offers.

Rules of this file
- A browser sends its cookie with whatever any page asks of this server. So what a session asks must carry a header that
  only a page of this server can send (others would need CORS, which there is none of), and must not say that it comes
  from elsewhere (`Sec-Fetch-Site`). `SameSite=Strict` alone does not tell the ports of a machine apart.
- A token in a header will do instead: no browser sends one by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Final

from fastapi import Depends, Request

from jupyter_durable.server.auth import Access, identified, noted, with_scope
from jupyter_durable.server.page.sessions import Sessions
from jupyter_durable.server.refusals import Refusal
from jupyter_durable.server.state import server_of

COOKIE: Final = "jupyter-durable-session"
PATH: Final = "/page"
HEADER: Final = "X-Jupyter-Durable-Page"
_BEARER: Final = "bearer "


def sessions_of(request: Request) -> Sessions:
    """The sessions of the server that a request came to."""
    kept = server_of(request).kept
    found = kept.get(Sessions)
    if found is None:
        found = kept.setdefault(Sessions, Sessions(server_of(request).settings.folder))
    assert isinstance(found, Sessions)
    return found


def refuse_foreign(request: Request) -> None:
    """Refuse what another page than ours has sent. Raises `Refusal`."""
    elsewhere = request.headers.get("sec-fetch-site", "same-origin") != "same-origin"
    if elsewhere or HEADER.lower() not in request.headers:
        raise Refusal(403, "Forbidden", "only the page of this server may ask this; open it anew")


def entered(request: Request) -> Access | None:
    """What whoever asks may do; None where he is not logged in. Raises `Refusal`."""
    said = request.headers.get("authorization", "")
    if said.lower().startswith(_BEARER):
        return identified(request, said[len(_BEARER) :].strip())
    session = request.cookies.get(COOKIE)
    if not session:
        return None
    now = time.time()
    id = sessions_of(request).token(session, now)
    token = None if id is None else server_of(request).tokens.standing(id, now)
    if token is None:
        return None
    refuse_foreign(request)
    return noted(request, token)


def _needs(scope: str) -> Callable[[Request], Access]:
    def allowed(request: Request) -> Access:
        access = entered(request)
        if access is None:
            raise Refusal(401, "Unauthorized", "you are not logged in, or no longer: enter a token")
        return with_scope(access, scope)

    return allowed


Looker = Annotated[Access, Depends(_needs("read"))]
Actor = Annotated[Access, Depends(_needs("write"))]
