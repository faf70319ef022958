"""Arguments that a call lacks, asked back for: the client shows a form to whoever it works for.

Rules of this file
- Only where the client can ask (`elicitation`), and only for what its flat forms have: text, numbers, yes or no.
- Nothing is kept between the two calls: the client sends its arguments again, with the answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import mcp_types as types

from jupyter_durable.server.applications.records import Manifest

KEY: Final = "arguments"
"""Of the one thing that is asked."""
_FLAT: Final = frozenset({"string", "number", "integer", "boolean"})
_KEPT: Final = ("type", "title", "description", "enum", "minimum", "maximum", "minLength", "maxLength", "format")


def with_answers(params: types.CallToolRequestParams) -> dict[str, Any]:
    """The arguments of a call, with what was answered since it was first made."""
    answer = (params.input_responses or {}).get(KEY)
    accepted = isinstance(answer, types.ElicitResult) and answer.action == "accept"
    answers = (answer.content or {}) if accepted and isinstance(answer, types.ElicitResult) else {}
    return {**answers, **(params.arguments or {})}


def asked_for(
    manifest: Manifest, params: types.CallToolRequestParams, capabilities: types.ClientCapabilities | None
) -> types.InputRequiredResult | None:
    """What has to be asked before a request can begin; None where nothing has, or nothing can be."""
    if capabilities is None or capabilities.elicitation is None or params.input_responses is not None:
        return None
    fields = _lacking(manifest, params.arguments or {})
    if not fields:
        return None
    form = types.ElicitRequestFormParams(
        message=f"{manifest.name} needs {', '.join(fields)}.",
        requested_schema={"type": "object", "properties": fields, "required": list(fields)},
    )
    return types.InputRequiredResult(input_requests={KEY: types.ElicitRequest(params=form)})


def _lacking(manifest: Manifest, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a form; empty where something is lacking that no form can ask for."""
    fields = {}
    for each in manifest.parameters:
        if not each.required or each.name in arguments or each.kind.startswith("var_"):
            continue
        if each.json_schema.get("type") not in _FLAT:
            return {}
        fields[each.name] = {key: each.json_schema[key] for key in _KEPT if key in each.json_schema}
    return fields
