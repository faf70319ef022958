"""What is written down of deployed applications and their requests, and what a worker and its server tell each other.

Rules of this file
- Plain values with a JSON form; bytes travel as base64. Nothing here is pickled.
- A worker reads one `Order`, then words (`CANCEL`); it writes lines: `BEGUN`, and one `Outcome` at the end.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

CANCEL: Final = "cancel"
BEGUN: Final = "begun"
DEFAULT_TIMEOUT: Final = 300.0
"""Seconds of a deployed function whose timeout is unwritten: the documented default of deployments."""
OPEN: Final = "open"
ENDED: Final = "ended"


class Parameter(BaseModel):
    """One parameter of an application."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    name: str = Field(min_length=1, max_length=200)
    kind: str = "positional_or_keyword"
    """As `inspect.Parameter` names it, in lower case."""
    required: bool = True
    json_schema: dict[str, Any] = Field(default_factory=dict, alias="schema")


class Entrypoint(BaseModel):
    """What Tensorlake's own client reads to send an input and to read an output. We only hand it on."""

    model_config = ConfigDict(extra="ignore")

    function_name: str
    input_serializer: str = "json"
    inputs_base64: str = ""
    output_serializer: str = "json"
    output_type_hints_base64: str = ""


class Manifest(BaseModel):
    """An application as whoever deployed it describes it."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(pattern=r"^[^\W\d][\w.]{0,199}$")
    description: str = Field(default="", max_length=20_000)
    tags: dict[str, str] = Field(default_factory=dict)
    allow: list[str] = Field(default_factory=list)
    python: str = ""
    """Version of Python that made the code: 3.11."""
    parameters: list[Parameter] = Field(default_factory=list, max_length=200)
    returns: dict[str, Any] = Field(default_factory=dict)
    """JSON schema of the output."""
    entrypoint: Entrypoint
    functions: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is to do: run this request to its end."""

    request: str
    application: str
    store: str
    """URL of the store that its namespace has."""
    code: bytes
    input: dict[str, Any]
    """As `arguments.checked` gives it."""
    headers: list[list[str]]
    strict: bool = False
    cancelled: bool = False
    """It was asked to end: what it left is settled, and nothing runs."""

    def line(self) -> bytes:
        """One line of JSON."""
        return json.dumps({**asdict(self), "code": _text(self.code)}).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes | str) -> Order:
        """The order in a line."""
        said = json.loads(line)
        return cls(**{**said, "code": b64decode(said["code"])})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run of a request ended."""

    status: str
    """`succeeded`, `failed` or `cancelled`."""
    reason: str = ""
    """Of a failure: `function_error`, `function_timeout`, `request_error`, `replay_error`, `cancelled` …"""
    function: str = ""
    """Of a failure: whose it is."""
    error: str = ""
    """Type of the exception."""
    message: str = ""
    traceback: str = ""
    output: bytes | None = None
    content_type: str = ""

    def line(self) -> bytes:
        """One line of JSON."""
        output = None if self.output is None else _text(self.output)
        return json.dumps({**asdict(self), "output": output}).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes | str) -> Outcome:
        """The outcome in a line."""
        said = json.loads(line)
        return cls(**{**said, "output": None if said["output"] is None else b64decode(said["output"])})


@dataclass(frozen=True, slots=True)
class Deployed:
    """One version of an application."""

    namespace: str
    application: str
    version: str
    manifest: Manifest
    deployed_at: float


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request as the ledger has it, without its input and output."""

    serial: int
    id: str
    namespace: str
    application: str
    version: str
    accepted_at: float
    state: str
    """`open` or `ended`."""
    strict: bool
    cancelled: bool
    """It was asked to end."""
    losses: int
    """Workers of this run that died."""
    ended_at: float | None
    outcome: Outcome | None
    """Without its output."""
    idempotency_key: str | None


def _text(data: bytes) -> str:
    return b64encode(data).decode("ascii")
