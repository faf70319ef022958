"""An application as a tool: its name, what it says of itself, and the schema of its arguments.

Rules of this file
- All of it comes from the manifest. What was deployed later than a tool was listed is another version of it: arguments
  are checked again when a request is accepted.
- The tag `mcp` of an application says how it is called: `task` (a task where the client knows them, else the caller
  waits), `required` (a task always), `sync` (the caller waits always), `hidden` (it is no tool).
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

import mcp_types as types

from jupyter_durable.server.agents import foreign
from jupyter_durable.server.applications.arguments import RAW, Part
from jupyter_durable.server.applications.records import Deployed, Manifest, Parameter
from jupyter_durable.server.refusals import Refusal

TAG: Final = "mcp"
TASK, REQUIRED, SYNC, HIDDEN = "task", "required", "sync", "hidden"
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""What clients take for the name of a tool."""
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.-]")


def mode_of(manifest: Manifest) -> str:
    """How it is called; `task` where its tag says nothing that is known here."""
    said = manifest.tags.get(TAG, TASK)
    return said if said in (REQUIRED, SYNC, HIDDEN) else TASK


def tool_name(application: str) -> str:
    """The name of its tool: its own, but for names that clients refuse."""
    if _NAME.fullmatch(application):
        return application
    digest = blake2b(application.encode(), digest_size=4).hexdigest()
    return f"{_NOT_IN_NAMES.sub('_', application)[:50]}_{digest}"


def named(deployed: Sequence[Deployed], name: str) -> Deployed | None:
    """The application of a tool; None where there is no such tool."""
    return next((each for each in offered(deployed) if tool_name(each.application) == name), None)


def offered(deployed: Sequence[Deployed]) -> list[Deployed]:
    """Those that are tools."""
    return [each for each in deployed if mode_of(each.manifest) != HIDDEN]


def tool_of(deployed: Deployed) -> types.Tool:
    """The tool of an application."""
    manifest = deployed.manifest
    description = foreign.shown(manifest.description, foreign.MOST_DESCRIPTION) or f"The application {manifest.name}."
    return types.Tool(
        name=tool_name(deployed.application),
        description=description,
        input_schema=input_schema(manifest),
        output_schema=manifest.returns if gives_object(manifest) else None,
    )


def gives_object(manifest: Manifest) -> bool:
    """Whether its output is an object of a known schema: older clients know no other structured results."""
    return manifest.returns.get("type") == "object"


def input_schema(manifest: Manifest) -> dict[str, Any]:
    """One object with a property for each parameter."""
    shared: dict[str, Any] = {}
    properties = {each.name: _property(each, shared) for each in _taken(manifest)}
    schema: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": [each.name for each in _taken(manifest) if each.required],
        "additionalProperties": any(each.kind == "var_keyword" for each in manifest.parameters),
    }
    return {**schema, "$defs": shared} if shared else schema


def _taken(manifest: Manifest) -> list[Parameter]:
    """Parameters that have a name by which they are given."""
    return [each for each in manifest.parameters if not each.kind.startswith("var_")]


def _property(parameter: Parameter, shared: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter within that of all; what it defines is put into `shared`."""
    if RAW in parameter.json_schema:
        return {"type": "string", "contentEncoding": "base64", "description": "The bytes of a file, as base64."}
    own: dict[str, Any] = parameter.json_schema.get("$defs", {})
    names = {name: name if shared.get(name, body) == body else f"{parameter.name}.{name}" for name, body in own.items()}
    for name, body in own.items():
        shared[names[name]] = _pointing(body, names)
    rest = {key: value for key, value in parameter.json_schema.items() if key != "$defs"}
    found: dict[str, Any] = _pointing(rest, names)
    return found


def _pointing(schema: Any, names: Mapping[str, str]) -> Any:
    """A schema whose references to definitions follow their new names."""
    if isinstance(schema, list):
        return [_pointing(each, names) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _pointing(value, names) for key, value in schema.items()}
    to = schema.get("$ref")
    if isinstance(to, str) and (name := to.removeprefix("#/$defs/")) in names:
        found["$ref"] = f"#/$defs/{names[name]}"
    return found


def parts_of(manifest: Manifest, arguments: Mapping[str, Any]) -> list[Part]:
    """Arguments as they are sent to the application. Raises `Refusal` for what is no base64."""
    known = {each.name: (place, each) for place, each in enumerate(manifest.parameters)}
    parts = []
    for name, value in arguments.items():
        place, parameter = known.get(name, (0, None))
        sent = str(place) if parameter is not None and parameter.kind == "positional_only" else name
        if parameter is not None and RAW in parameter.json_schema:
            parts.append(Part(sent, _bytes_of(name, value), None))
        elif parameter is None or not parameter.kind.startswith("var_"):
            parts.append(Part(sent, json.dumps(value).encode(), "application/json"))
    return parts


def _bytes_of(name: str, value: Any) -> bytes:
    try:
        return b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise Refusal(422, "InputMismatch", f"`{name}` takes the bytes of a file as base64") from None
