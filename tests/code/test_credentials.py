"""What is taken for a credential, and what is not."""

from __future__ import annotations

import pytest

from jupyter_durable.code.credentials import holds_credential, is_credential, masked, redacted
from tests.code.notebook import Notebook, bring_back


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_KEY", "x"),
        ("openaikey", "x"),
        ("auth_token", b"x"),
        ("DB_PASSWORD", "x"),
        ("secrets", ["x"]),
        ("a", "sk-abcdefghijkl"),
        ("a", "ghp_abcdefghijkl"),
        ("a", "AKIAABCDEFGHIJKLMNOP"),
        ("a", "eyJhbGciOi.eyJzdWIiOi.c2ln"),
        ("a", ["fine", {"deep": "use sk-abcdefghijkl"}]),
        ("a", {"api_key": "x"}),
        ("a", {"db": {"password": "x"}}),
        ("a", "postgresql://me:letmein@host/db"),
        ("a", "-----BEGIN RSA PRIVATE KEY-----"),
        ("a", {"Authorization": "Bearer x"}),
        ("a", {b"authorization": b"Bearer x"}),
        ("a", [("Cookie", "sid=x"), ("X-Id", "7")]),
        ("a", [(b"x-api-key", b"x")]),
        ("a", {"cookie": "sid=x"}),
        ("authorization", "x"),
    ],
)
def test_credentials(name, value):
    assert is_credential(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", 100),
        ("keys", [1, 2]),
        ("text", "a plain text"),
        ("a", {"key": "name", "value": "x"}),
        ("a", "https://host/path"),
        ("password", None),
        ("a", {"cookie": "chocolate"}),
        ("a", [("token", "NN"), ("key", "NN")]),
    ],
)
def test_not_credentials(name, value):
    assert not is_credential(name, value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("api_key=hunter2", "api_key=***"),
        ("{'password': 'hunter2', 'n': 3}", "{'password': ***, 'n': 3}"),
        ("GET https://x/?access_token=abc&n=3", "GET https://x/?access_token=***&n=3"),
        ("Authorization: Bearer abcdef1234567", "Authorization: Bearer ***"),
        ("postgres://me:letmein@host/db", "postgres://***@host/db"),
        ("no: sk-abcdefghij1234", "no: ***"),
        ("-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\nafter", "***\nafter"),
        ("Set-Cookie: sid=abc; path=/\nnext", "Set-Cookie: ***\nnext"),
        ("{'Cookie': 'sid=abc', 'n': 3}", "{'Cookie': ***, 'n': 3}"),
        ("[(b'authorization', b'Basic x'), ('n', '1')]", "[(b'authorization', b'***'), ('n', '1')]"),
        ("a cookie: chocolate", "a cookie: chocolate"),
        ("max_tokens=5", "max_tokens=5"),
        ("KeyError: 'api_key'", "KeyError: 'api_key'"),
        ("the bearer certificates", "the bearer certificates"),
    ],
)
def test_free_text_is_masked_where_it_tells_a_credential(text, shown):
    assert masked(text) == shown
    assert masked(shown) == shown


def test_what_is_named_in_secrets_is_one_and_so_is_its_value_from_the_environment(monkeypatch):
    monkeypatch.setenv("MY_THING", "plain-looking")
    assert is_credential("thing", 3, secrets=("thing",))
    assert is_credential("other", "plain-looking", secrets=("MY_THING",))
    assert not is_credential("other", "another", secrets=("MY_THING",))


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("API_KEY = 'hunter2'", "API_KEY = '***'"),
        ("API_KEY = b'hunter2'", "API_KEY = b'***'"),
        ("h = {b'Authorization': b'x', 'Cookie': 'a=x'}", "h = {b'Authorization': b'***', 'Cookie': '***'}"),
        ("h = [('X-Api-Key', 'x'), ('n', 'm')]", "h = [('X-Api-Key', '***'), ('n', 'm')]"),
        ("c = Client(api_key='ü-hunter2', n=1)", "c = Client(api_key='***', n=1)"),
        ("c = Client(os.environ['OPENAI_API_KEY'])", "c = Client(os.environ['OPENAI_API_KEY'])"),
        ("d = {'password': 'x', 'user': 'y'}", "d = {'password': '***', 'user': 'y'}"),
        ("os.environ['API_KEY'] = 'x'", "os.environ['API_KEY'] = '***'"),
        ("x = f('sk-abcdefghijkl')", "x = f('***')"),
        ("not python sk-abcdefghijkl", "not python ***"),
    ],
)
def test_statements_are_masked(source, shown):
    assert redacted(source) == shown


def test_words_in_code_are_no_credentials():
    assert not holds_credential("t = tokenizer(token='<pad>', sort_key='created_at')")
    assert holds_credential("c = connect(password='hunter2-hunter2')")


@pytest.mark.parametrize(
    "cell",
    [
        "def main():\n    return call('sk-abcdefghijkl')",
        "def main(api_key='hunter2-hunter2'):\n    return api_key",
        "def make(password):\n    return lambda: password\nmain = make('hunter2-hunter2')",
        "class main:\n    password = 'hunter2-hunter2'",
        "def main():\n    headers = {'api_key': 'hunter2-hunter2'}\n    return headers",
        "import functools\nmain = functools.partial(print, 'sk-abcdefghijkl')",
    ],
)
def test_code_with_a_credential_in_it_is_not_stored(cell):
    data = Notebook(cell).snapshot("main")
    assert b"hunter2" not in data
    assert b"sk-abc" not in data
    version = bring_back(data)
    assert [missing.name for missing in version.missing] == ["main"]
