"""Sending an application to a server: what it is, and the code version that it runs there.

Rules of this file
- What a server shows and checks (names, schemas) is made here and sent as JSON: the server restores no code.
- An application is deployed only when its code holds all it needs: what a notebook has beside it is not there.
- `inputs_base64` and its like are what Tensorlake's own client reads; a hint that another process could not load
  stands there as `Any`.
"""

from __future__ import annotations

import base64
import inspect
import json
import pickle
import pickletools
import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Final

from jupyter_durable.client import accepting, versions
from jupyter_durable.client.backend import Backend
from jupyter_durable.client.process import Process
from jupyter_durable.code.modules import is_local
from jupyter_durable.code.snapshot import restore
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.function import Spec, durable_functions, durable_of, redecorate
from jupyter_durable.records import NamedTuple

_OF_OTHERS: Final = ("__main__", "__mp_main__", "jupyter_durable")
"""Modules whose classes a process without this notebook, or without us, cannot load."""


class Deployment(NamedTuple):
    """What was deployed."""

    application: str
    version: str
    server: str


def applications_here(names: Sequence[str] = ()) -> list[Spec]:
    """The applications that are defined here, or those of these names. Raises `SDKUsageError`."""
    found = {
        spec.name: spec
        for spec in map(durable_of, durable_functions(versions.live_namespace()).values())
        if spec is not None and spec.application is not None
    }
    for name in names:
        if name not in found:
            known = ", ".join(sorted(found)) or "none"
            raise SDKUsageError(f"no application {name!r} is defined here; defined: {known}")
    if not found:
        raise SDKUsageError("no application is defined here: write @application() above the function to deploy")
    return [found[name] for name in names or sorted(found)]


def deploy(process: Process, spec: Spec) -> Deployment:
    """Send an application to the server. Raises `SDKUsageError`, `SerializationError`, `RemoteAPIError`."""
    backend = Backend(process)
    manifest = manifest_of(process, spec)
    code = code_of(process, spec)
    files = {"application": (None, json.dumps(manifest), "application/json"), "code": ("code", code)}
    said = backend.ask("POST", "/applications", files=files).json()
    return Deployment(said["name"], said["version"], backend.url)


def code_of(process: Process, spec: Spec) -> bytes:
    """The code version of an application. Raises `SDKUsageError` when it would lack something elsewhere."""
    version = versions.current_version({spec.name: spec.wrapper}, None, process.signer)
    restored = restore(version.data, redecorate=redecorate, live={})
    if restored.missing:
        lines = "; ".join(
            f"`{each.name}`" + (f", made by `{each.statement}`" if each.statement else "") for each in restored.missing
        )
        raise SDKUsageError(
            f"{spec.name} cannot be deployed: it reads what is not kept with its code: {lines}. Make it in a function, "
            "or pass it as an argument"
        )
    local = sorted({module for module in map(_module_of, restored.namespace.values()) if module and is_local(module)})
    if local:
        process.warn(
            f"{spec.name} uses {', '.join(local)}, which is not deployed with it: install it where the server runs"
        )
    return version.data


def _module_of(value: object) -> str | None:
    if type(value) is type(sys):
        return value.__name__
    module = getattr(value, "__module__", None) if inspect.isfunction(value) or inspect.isclass(value) else None
    return module if module in sys.modules and module not in versions.MAIN else None


def manifest_of(process: Process, spec: Spec) -> dict[str, Any]:
    """What a server and its clients know of an application. Raises `SDKUsageError`, `SerializationError`."""
    application = spec.application
    assert application is not None
    if application.input_deserializer != "json":
        raise SDKUsageError(
            f'{spec.name} cannot be deployed with input_deserializer="pickle": its input arrives as JSON. Remove that'
        )
    edge = accepting.edge_of(process, spec)
    inputs = [
        SimpleNamespace(arg_name=each.name, type_hint=_anywhere(edge.hint_of(each.name))) for each in edge.parameters
    ]
    return {
        "name": spec.name,
        "description": spec.options.description or inspect.getdoc(spec.fn) or "",
        "tags": dict(application.tags),
        "allow": list(application.allow),
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "parameters": [
            {
                "name": each.name,
                "kind": each.kind.name.lower(),
                "required": each.default is inspect.Parameter.empty,
                "schema": edge.schema_of(each.name),
            }
            for each in edge.parameters
        ],
        "returns": edge.schema_of("return") if application.output_serializer == "json" else {},
        "entrypoint": {
            "function_name": spec.name,
            "input_serializer": "json",
            "inputs_base64": _pickled(inputs),
            "output_serializer": application.output_serializer,
            "output_type_hints_base64": _pickled(_anywhere(edge.hint_of("return"))),
        },
    }


def _anywhere(hint: Any) -> Any:
    """A hint that any process can load."""
    try:
        data = pickle.dumps(hint)
    except (pickle.PicklingError, TypeError, AttributeError):
        return Any
    words = {argument for _, argument, _ in pickletools.genops(data) if isinstance(argument, str)}
    return Any if any(word.partition(".")[0] in _OF_OTHERS for word in words) else hint


def _pickled(value: Any) -> str:
    return base64.b64encode(pickle.dumps(value, protocol=4)).decode()
