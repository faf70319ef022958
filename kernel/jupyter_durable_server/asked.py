"""What the page may ask, checked.

Rules of this file
- What comes from outside passes through one of these models, or is refused with a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from jupyter_durable.client.request import STATUSES

MOST: int = 2000
"""Requests in one list."""
Short = Annotated[str, StringConstraints(max_length=4096)]
_Model = TypeVar("_Model", bound=BaseModel)


class Refused(Exception):
    """What was asked is not something that can be asked; the text says why."""


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Wanted(_Asked):
    """Which requests to list."""

    status: Short = ""
    notebook: Short = ""
    text: Short = ""
    limit: int = Field(100, ge=1, le=MOST)


class Page(_Asked):
    """Which calls of a request to show."""

    parent: int
    name: Short = ""
    kind: Short = ""
    offset: int = Field(0, ge=0)
    failed: bool = False


class Detail(_Asked):
    """Which call to show."""

    call: int


class Plan(_Asked):
    """How a request would be replayed; with the recorded code, since the server has no other."""

    strict: bool = False
    latest: bool = False


class Pin(_Asked):
    """To keep a request, or no longer."""

    pinned: bool = True


class Nothing(_Asked):
    """Nothing more to say."""


def read(model: type[_Model], given: Mapping[str, object]) -> _Model:
    """What was asked. Raises `Refused`."""
    try:
        made = model.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused(f"{'.'.join(str(part) for part in first['loc']) or 'the request'}: {first['msg']}") from None
    status = getattr(made, "status", "")
    if status and status not in STATUSES:
        raise Refused(f"status: {status!r} is unknown; known are {', '.join(STATUSES)}")
    return made
