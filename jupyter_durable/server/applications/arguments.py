"""The input of a request as it was sent, checked by the schema of its application.

Rules of this file
- As with Tensorlake: a body is the first argument; several arguments are the parts of a form, named by their place
  ("0", "1") or by their parameter. An argument the application does not take is ignored.
- What is JSON is read as JSON and checked here; what else a schema cannot say, the worker finds when it reads it by the
  type hints. Bytes of a `File` or `HttpBody` pass as they are.
- What is refused is told by field and without the value.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError

from jupyter_durable.records import NamedTuple
from jupyter_durable.server.applications.records import Manifest, Parameter
from jupyter_durable.server.refusals import Refusal

MOST_FAULTS: Final = 20
DEEPEST: Final = 100
"""Levels of lists and objects in an input."""
RAW: Final = "x-raw"
"""Says in the schema of a parameter that it takes bytes: `File`, `HttpBody`."""


class Part(NamedTuple):
    """One argument as it was sent."""

    name: str
    """A place, or a name."""
    data: bytes
    content_type: str | None
    """None: not said."""


def checked(manifest: Manifest, parts: Sequence[Part]) -> dict[str, Any]:
    """The arguments for a worker: `{"args": […], "kwargs": {…}}`, each `{"json": value}`, or
    `{"bytes": …, "content_type": …, "as": …}`.

    Raises `Refusal`: 400 for what is not JSON, 415 for a content type that nobody reads, 422 for what does not fit.
    """
    args: dict[int, Any] = {}
    kwargs: dict[str, Any] = {}
    faults: list[dict[str, Any]] = []
    for part in parts:
        parameter = _parameter(manifest, part.name)
        if parameter is None:
            continue
        argument = _argument(parameter, part)
        if "json" in argument:
            faults += _faults(parameter, argument["json"])
        if part.name.isdecimal():
            args[int(part.name)] = argument
        else:
            kwargs[part.name] = argument
    given = [*_places(manifest, args), *kwargs]
    for parameter in manifest.parameters:
        if parameter.required and parameter.name not in given and not parameter.kind.startswith("var_"):
            faults.append({"at": ["body", parameter.name], "message": "it is required"})
    if sorted(args) != list(range(len(args))):
        faults.append({"at": ["body"], "message": "places are numbered from 0 without a gap"})
    if faults:
        named = ", ".join(sorted({".".join(map(str, fault["at"][1:])) or "body" for fault in faults}))
        raise Refusal(
            422,
            "InputMismatch",
            f"the input does not fit application {manifest.name}: see {named}",
            errors=faults[:MOST_FAULTS],
        )
    return {"args": [args[at] for at in sorted(args)], "kwargs": kwargs}


def body_schema(manifest: Manifest) -> dict[str, Any]:
    """JSON schema of a body that is sent as JSON: that of the first argument."""
    return manifest.parameters[0].json_schema if manifest.parameters else {}


def _places(manifest: Manifest, args: dict[int, Any]) -> list[str]:
    return [parameter.name for at, parameter in enumerate(manifest.parameters) if at in args]


def _parameter(manifest: Manifest, name: str) -> Parameter | None:
    """The parameter that an argument is for; None for one the application does not take."""
    parameters = manifest.parameters
    if name.isdecimal():
        at = int(name)
        positional = [each for each in parameters if each.kind.startswith("positional")]
        if at < len(positional):
            return positional[at]
        return next((each for each in parameters if each.kind == "var_positional"), None)
    named = [
        each for each in parameters if each.name == name and each.kind in ("positional_or_keyword", "keyword_only")
    ]
    return named[0] if named else next((each for each in parameters if each.kind == "var_keyword"), None)


def _argument(parameter: Parameter, part: Part) -> dict[str, Any]:
    kind = (part.content_type or "").partition(";")[0].strip().lower()
    if RAW in parameter.json_schema:
        said = part.content_type or "application/octet-stream"
        return {"bytes": b64encode(part.data).decode(), "content_type": said, "as": parameter.json_schema[RAW]}
    if kind and kind != "application/json" and not kind.endswith("+json") and kind != "text/plain":
        raise Refusal(415, "UnsupportedMediaType", f"`{parameter.name}` is sent as {kind}; send it as application/json")
    try:
        value = json.loads(part.data, parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        if kind in ("", "text/plain") and not isinstance(error, RecursionError):
            return {"json": part.data.decode(errors="replace")}  # a field of a form that is a plain word
        what = "nested too deep" if isinstance(error, RecursionError) else f"not JSON: {error}"
        raise Refusal(400, "InvalidJSON", f"the argument `{parameter.name}` is {what}") from None
    if _too_deep(value):
        raise Refusal(400, "InvalidJSON", f"the argument `{parameter.name}` is nested deeper than {DEEPEST} levels")
    return {"json": value}


def _not_json(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")


def _too_deep(value: object) -> bool:
    level: list[object] = [value]
    for _ in range(DEEPEST + 1):
        level = [
            each
            for holder in level
            if isinstance(holder, list | dict)
            for each in (holder.values() if isinstance(holder, dict) else holder)
        ]
        if not level:
            return False
    return True


def _faults(parameter: Parameter, value: object) -> list[dict[str, Any]]:
    validator = _validator(json.dumps(parameter.json_schema, sort_keys=True))
    found = []
    for error in validator.iter_errors(value):
        found += [_fault(parameter, each) for each in _leaves(error)]
        if len(found) >= MOST_FAULTS:
            break
    return found


def _leaves(error: ValidationError) -> list[ValidationError]:
    """Of alternatives the errors of the one that fits best; else the error itself."""
    if not error.context:
        return [error]
    deepest = max(len(each.path) for each in error.context)
    return [each for each in error.context if len(each.path) == deepest] if deepest else [error]


def _fault(parameter: Parameter, error: ValidationError) -> dict[str, Any]:
    path = list(error.absolute_path)
    if error.validator == "required":
        missing = next((name for name in error.validator_value if name not in error.instance), "")
        return {"at": ["body", parameter.name, *path, missing], "message": "it is required"}
    expected = json.dumps(error.validator_value)[:200]
    return {"at": ["body", parameter.name, *path], "message": f"it does not fit {error.validator}: {expected}"}


@lru_cache(maxsize=256)
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema))


def check_schemas(manifest: Manifest) -> None:
    """Whether the schemas of a manifest are ones. Raises `Refusal`."""
    for parameter in manifest.parameters:
        try:
            Draft202012Validator.check_schema(parameter.json_schema)
        except SchemaError as error:
            raise Refusal(
                422, "InvalidManifest", f"the schema of parameter `{parameter.name}` is none: {error.message}"
            ) from None
