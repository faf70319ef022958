"""What a tool is made of, without a server: names, schemas, arguments, results, and the package that may be missing."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from jupyter_durable.errors import SDKUsageError
from jupyter_durable.server.agents import asking, foreign, missing, results, stdio, tools
from jupyter_durable.server.app import create_app
from jupyter_durable.server.applications.records import Accepted, Entrypoint, Manifest, Outcome, Parameter
from jupyter_durable.server.refusals import Refusal
from jupyter_durable.server.settings import ServerSettings
from jupyter_durable.server.tokens import TokenFile


def manifest(*parameters: Parameter, **more: Any) -> Manifest:
    return Manifest(name="tool", entrypoint=Entrypoint(function_name="tool"), parameters=list(parameters), **more)


def parameter(name: str, schema: dict[str, Any], **more: Any) -> Parameter:
    return Parameter(name=name, schema=schema, **more)


def ended(**outcome: Any) -> Accepted:
    return Accepted(1, "req_1", "n", "tool", "v", 0.0, "ended", False, False, 0, 1.0, Outcome(**outcome), None)


def test_schemas_of_two_parameters_keep_their_own_definitions() -> None:
    def of(kind: str) -> dict[str, Any]:
        return {"$ref": "#/$defs/Item", "$defs": {"Item": {"type": "object", "properties": {"x": {"type": kind}}}}}

    schema = tools.input_schema(manifest(parameter("a", of("integer")), parameter("b", of("string"), required=False)))
    Draft202012Validator.check_schema(schema)
    fits = Draft202012Validator(schema).is_valid
    assert fits({"a": {"x": 1}, "b": {"x": "s"}})
    assert not fits({"a": {"x": 1}, "b": {"x": 1}})
    assert not fits({"b": {"x": "s"}})
    assert not fits({"a": {"x": 1}, "c": 1})


def test_a_file_is_taken_as_base64_and_a_place_by_its_number() -> None:
    taken = manifest(
        parameter("first", {"type": "integer"}, kind="positional_only"), parameter("file", {"x-raw": "File"})
    )
    parts = tools.parts_of(taken, {"first": 3, "file": "aGk="})
    assert [(part.name, part.data) for part in parts] == [("0", b"3"), ("file", b"hi")]
    with pytest.raises(Refusal, match="as base64"):
        tools.parts_of(taken, {"file": "no base64"})


def test_names_that_clients_refuse_become_others_that_differ() -> None:
    names = ["über", "öber", "a" * 80, "a" * 81]
    made = [tools.tool_name(name) for name in names]
    assert len(set(made)) == 4
    assert all(tools.tool_name(name) == name for name in made), "all are ones that clients take"


def test_a_result_has_an_end_and_says_what_is_foreign() -> None:
    large = results.result_of(
        ended(status="succeeded", content_type="application/json"), manifest(), b" " * (results.MOST_RESULT + 1)
    )
    assert large.is_error
    failed = results.result_of(
        ended(status="failed", reason="function_error", function="f", error="E", message="x" * 99_999), manifest(), None
    )
    assert isinstance(failed.content[0], types.TextContent)
    assert len(failed.content[0].text) < foreign.MOST_TRACEBACK + 1_000
    assert foreign.shown("\x1b[31mred\u202e token=abcdef012345", 100) == "\\x1b[31mred\\u202e token=***"
    with pytest.raises(results.NotOfTheTool, match="worker_lost"):
        results.result_of(ended(status="failed", reason="worker_lost"), manifest(), None)


def test_what_is_lacking_is_asked_for_where_a_form_can_do_it() -> None:
    able = types.ClientCapabilities(elicitation=types.ElicitationCapability())
    flat, deep = parameter("n", {"type": "integer"}), parameter("o", {"type": "object"})

    def asked(*parameters: Parameter, capabilities: types.ClientCapabilities | None = able) -> bool:
        params = types.CallToolRequestParams(name="tool", arguments={})
        return asking.asked_for(manifest(*parameters), params, capabilities) is not None

    assert asked(flat)
    assert not asked(flat, deep)
    assert not asked(flat, capabilities=None)
    assert not asked(parameter("n", {"type": "integer"}, required=False))


@pytest.mark.parametrize("installed", [None, "1.27.0", "2.2.0"])
def test_where_the_package_is_missing_or_old_it_is_said_what_to_install(
    installed: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def version(name: str) -> str:
        if installed is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed

    monkeypatch.setattr(missing, "version", version)
    missing.what_is_missing.cache_clear()
    try:
        with pytest.raises(SDKUsageError, match=r"pip install 'jupyter-durable\[mcp\]'"):
            stdio([], tmp_path, "sqlite:///x.db")
        token = TokenFile(tmp_path).create("default", "read", 0.0, None)[0]
        with TestClient(create_app(ServerSettings(tmp_path))) as client:
            answer = client.post("/mcp", headers={"Authorization": f"Bearer {token}"}, json={})
            assert answer.status_code == 501
            assert "pip install" in answer.json()["message"]
    finally:
        missing.what_is_missing.cache_clear()
