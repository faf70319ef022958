"""Who is asking: the token of a call, and what it allows.

Rules of this file
- A route says what it needs by the type of a parameter: `access: Reader`, `Writer` or `Admin`. What it may touch is
  `access.namespace`, and nothing else.
- 401 for no token or one that is not good, whatever the reason; 403 for one that may not do this.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from jupyter_durable.records import NamedTuple
from jupyter_durable.server.refusals import Refusal
from jupyter_durable.server.state import server_of
from jupyter_durable.server.tokens import SCOPES, Token

_bearer = HTTPBearer(auto_error=False, description="A token of `jupyter durable token create`.")


class Access(NamedTuple):
    """What a call may do."""

    token: str
    """Its id, which is no secret."""
    namespace: str
    scope: str


def identified(request: Request, text: str | None) -> Access | None:
    """What a token allows; None where it is not good."""
    found = server_of(request).tokens.find(text, time.time()) if text else None
    return None if found is None else noted(request, found)


def noted(request: Request, token: Token) -> Access:
    """What a token that is good allows."""
    access = Access(token.id, token.namespace, token.scope)
    request.state.access = access  # for the log
    return access


def needs(scope: str) -> Callable[..., Access]:
    """The dependency that lets in whoever has a token of this scope or a wider one."""

    def allowed(
        request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None
    ) -> Access:
        access = identified(request, given.credentials if given is not None else None)
        if access is None:
            raise Refusal(
                401,
                "Unauthorized",
                "a token is needed, and it must be known here and neither expired nor revoked: put one of `jupyter"
                " durable token create` into JUPYTER_DURABLE_TOKEN",
            )
        return with_scope(access, scope)

    return allowed


def with_scope(access: Access, scope: str) -> Access:
    """What a call may do, when its token has this scope or a wider one. Raises `Refusal`."""
    if SCOPES.index(access.scope) < SCOPES.index(scope):
        raise Refusal(403, "Forbidden", f"the token {access.token} allows {access.scope}, and this needs {scope}")
    return access


Reader = Annotated[Access, Depends(needs("read"))]
Writer = Annotated[Access, Depends(needs("write"))]
Admin = Annotated[Access, Depends(needs("admin"))]
