"""What a view takes in a notebook's file: little, failures first, and no credentials."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import nbformat
import pytest

from jupyter_durable.code.credentials import masked
from jupyter_durable.core.calltree import CallTree
from jupyter_durable.core.model import CallRow, Logged, Progressed, Status
from jupyter_durable_kernel.view import mime_bundle, saved_forms, short_values
from jupyter_durable_kernel.view.call_values import Told
from jupyter_durable_kernel.view.state import State
from jupyter_durable_kernel.view.tallies import counted
from tests.core.support import row
from tests.page.test_bundle import REQUEST

MANY = 10_000


class Words:
    """Previews of any size."""

    def __init__(self, text: str) -> None:
        self._told = Told(masked(text), masked(text), masked(text))  # as `Values` does

    def of(self, node: object) -> Told:
        return self._told


def bundle_of(rows: list[CallRow], text: str, records: Any = (), error: str = "ValueError: no") -> dict[str, Any]:
    tree = CallTree()
    below = sum(one.parent == 1 for one in rows)
    tree.apply([row(1, 0, "app", "", parent=0, pass_no=1 << 16, children=below, status=Status.FAILED)])
    tree.apply([*rows, *records])
    root = tree.tree(1, live=True)
    assert root is not None
    request = REQUEST._replace(error=error)
    state = State(request, Status.FAILED, root, {}, counted(root, {}), False, 12.3)
    return mime_bundle.bundle(state, Words(text))  # type: ignore[arg-type]


def saved_bytes(bundle: dict[str, Any]) -> int:
    """Bytes by which a notebook grows."""
    output = nbformat.v4.new_output("display_data", bundle)
    with_it = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[output], id="a")])
    without = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(id="a")])
    return len(nbformat.writes(with_it).encode()) - len(nbformat.writes(without).encode())


def failed(n: int) -> str:
    return Status.FAILED if n in (MANY - 1, MANY - 700) else Status.SUCCEEDED


def flat(n: int) -> CallRow:
    return row(n + 2, n, "parse", n, status=failed(n))


def named(n: int) -> CallRow:
    return row(n + 2, n, f"function_{n}", n, status=failed(n))


def in_groups(n: int) -> CallRow:
    return row(n + 2, n, f"group_{n % 150}" + "é" * 300, n, status=failed(n))


def deep(n: int) -> CallRow:
    return row(n + 2, 0, "down", n, parent=n + 1, children=1, status=failed(n))


def all_failed(n: int) -> CallRow:
    return row(n + 2, n, f"f{n % 3}", n, status=Status.FAILED)


@pytest.mark.parametrize("text", ["x", "n=3, 'a text'", 'Long <b>"error"</b>\n' * 500, "\x1b\u202e\U0001f642" * 4000])
@pytest.mark.parametrize("make", [flat, named, in_groups, deep, all_failed])
def test_ten_thousand_calls_take_at_most_100_kb(make: Callable[[int], CallRow], text: str) -> None:
    bundle = bundle_of([make(n) for n in range(MANY)], text, error=text)
    assert saved_bytes(bundle) <= mime_bundle.BYTES
    assert bundle[saved_forms.MIME]["calls"][0]["depth"] == 0
    assert f"{MANY:,}" in bundle["text/html"] or "more" in bundle["text/html"]


def test_a_view_of_ordinary_calls_uses_the_room_it_has() -> None:
    bundle = bundle_of([named(n) for n in range(MANY)], "(17, 'page.html')")
    assert len(bundle[saved_forms.MIME]["calls"]) >= 60
    assert bundle["text/html"].count("<code>") >= 40


@pytest.mark.parametrize("make", [flat, named, in_groups])
def test_failures_are_in_every_form(make: Callable[[int], CallRow]) -> None:
    rows = [make(n) for n in range(MANY)]
    bundle = bundle_of(rows, "x" * 1000)
    calls = [one for one in bundle[saved_forms.MIME]["calls"] if one["status"] == "failed" and one["depth"]]
    assert [one["id"] for one in calls] == [MANY - 700 + 2, MANY - 1 + 2]
    assert bundle["text/html"].count('<span class="err">✕</span> <code>') >= 2
    assert bundle["text/plain"].count("✕") >= 3


def test_the_size_is_that_of_the_notebooks_file() -> None:
    bundle = bundle_of([named(n) for n in range(80)], 'some <text> "here"\n')
    told = sum(saved_forms.saved_size(form) for form in bundle.values())
    assert abs(saved_bytes(bundle) - told) < 500


SECRETS = (
    "hunter2hunter2",
    "sk-abcdefghij0123456789",
    "eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl",
    "MIIBOgIBAAJBAKj34GkxFhD9",
    "s3cretpass",
    "dXNlcjpwYXNzd29yZA==",
    "opaque-token-4711",
)
TOLD = "\n".join(
    [
        f'  File "/tmp/ipykernel_1/2.py", line 3, in f\n    connect(api_key="{SECRETS[0]}")',
        f"refused: {SECRETS[1]} and {SECRETS[2]}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRETS[3]}\n-----END RSA PRIVATE KEY-----",
        f"postgresql://me:{SECRETS[4]}@host/db",
        f"Authorization: Basic {SECRETS[5]}",
        f"GET https://host/path?access_token={SECRETS[6]}&n=3 with Bearer {SECRETS[6]}",
        f"{{'password': '{SECRETS[0]}'}}",
    ]
)


def test_no_credential_is_in_any_form() -> None:
    records = [
        Logged(2, 1 << 16 | 1, 0.0, "stdout", "x" * 900 + TOLD),
        Progressed(2, 1.0, 3.0, TOLD, json.dumps({"at": TOLD}), 1.0),
    ]
    bundle = bundle_of([row(2, 0, "f", 0, status=Status.RUNNING, duration=None), flat(5)], TOLD, records, TOLD)
    forms = json.dumps(bundle)
    for secret in SECRETS:
        assert secret not in forms
        assert secret[:-2] not in forms


def test_arguments_are_masked_by_the_names_of_their_parameters() -> None:
    assert short_values.arguments(("hunter2", 3), {}, ("password", "n")) == "(***, 3)"
    assert short_values.arguments((f"GET /?api_key={SECRETS[0]}",), {}) == "('GET /?api_key=***')"
