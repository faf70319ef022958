"""The OpenAPI document against the server: whatever fits it, or just does not, is answered without a server error."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from jupyter_durable.server.app import create_app
from jupyter_durable.server.settings import ServerSettings
from jupyter_durable.server.tokens import TokenFile
from jupyter_durable.store.http import wire

MESSAGES = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-(2**63), 2**64 - 1)
    | some.floats()
    | some.binary()
    | some.text("ab1"),
    lambda inner: some.lists(inner, max_size=6),
    max_leaves=20,
).map(wire.encode)
FEW = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Any:
    import schemathesis  # half a second, of every worker that collects this file

    schemathesis.openapi.media_type(wire.MSGPACK, MESSAGES | some.binary(max_size=100))
    folder = tmp_path_factory.mktemp("server")
    app = create_app(ServerSettings(folder))
    token = TokenFile(folder).create("default", "admin", 0.0, None)[0]
    app.state.given = {"Authorization": f"Bearer {token}", wire.PROTOCOL_HEADER: str(wire.PROTOCOL)}
    return schemathesis.openapi.from_asgi("/openapi.json", app=app, headers=app.state.given)


def test_no_input_is_a_server_error(described: Any) -> None:
    asked: Counter[str] = Counter()
    for found in described.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
        )
        @given(case=operation.as_strategy())
        def holds(case: Any) -> None:
            answer = case.call(headers=described.app.state.given)
            asked[case.path] += 1
            assert answer.status_code < 500, (case.path, answer.text)

        holds()
    assert set(asked) >= {wire.STORE + verb for verb in wire.VERBS}
