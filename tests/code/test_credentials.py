"""What is taken for a credential, and what is not."""

from __future__ import annotations

import json
from time import thread_time

import pytest

from jupyter_durable.code.credentials import holds_credential, is_credential, looks_secret, masked, redacted
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.store import open_store
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


PW = "hunter2secretXYZ1"


@pytest.mark.parametrize(
    "text",
    [
        f"redis://:{PW}@localhost:6379/0",
        f"https://{PW}@github.com/a/b",
        f"https://{PW}:@api.host/v1",
        f"postgres://user:pa@{PW}@host/x",
        repr({"token": PW.encode()}),
        f"login(password=b'{PW}', api_key=r\"{PW}\", secret=f'{PW}')",
        f"Settings(password=SecretStr('{PW}'))",
        json.dumps({"body": json.dumps({"password": PW})}),
        repr(json.dumps({"a": json.dumps({"b": json.dumps({"password": PW})})})),
        json.dumps({"password": f'a"b\\{PW}'}),
        f'password = """{PW}"""',
        json.dumps({"password": {"value": PW, "n": [1]}}),
        json.dumps({"api_key": [PW, PW]}, indent=2),
        f"password: |\n  {PW}\n  {PW}",
        f"password: >-\n  {PW}",
        f"password == '{PW}'",
        f"password: str = '{PW}'",
        f"password -> {PW}",
        f"mysql --password {PW} -h host",
        f"['run', '--token', '{PW}']",
        f"[('user', 'me'), ('password', '{PW}')]",
        f"\x1b[1mpassword\x1b[0m: \x1b[32m'{PW}'\x1b[0m",
        f"password=\x1b[31m{PW}\x1b[0m",
        f"DB_PASS={PW} SECRET_VALUE={PW} GITHUB_TOKEN_PROD={PW}",
        f"passphrase={PW}; accessToken={PW}; clientSecret: {PW}",
        f"https://host/c?sv=1&sig={PW}",
        f"https://s3/x?X-Amz-Signature={PW}&X-Amz-Security-Token={PW}",
        f'Authorization: Digest username="u", response="{PW}"',
        f"Authorization: Bearer {PW[:7]}",
        json.dumps(json.dumps({"Authorization": f"Bearer {PW}"})),
        f"<password>{PW}</password><ns:apiKey id='1'>{PW}</ns:apiKey>",
        f'<input name="password" value="{PW}">',
        f"cookies={{'session': '{PW}'}}",
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{PW}\n-----END PGP PRIVATE KEY BLOCK-----",
        f"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{PW}\n{PW}",
        f"password='{PW} that is cut",
        f"secret: token={PW}",
        f"\ud800 password={PW}",
    ],
)
def test_common_forms_of_a_credential_are_masked_whole_and_once(text):
    shown = masked(text)
    assert PW[:7] not in shown
    assert "***" in shown
    assert masked(shown) == shown


@pytest.mark.parametrize(
    "key",
    [
        "sk_live_51Habcdefghijklmnop",
        "glpat-abcdefghijklmnopqrst",
        "SG.abcdefghijklmnopqrstuv.abcdefghijklmnop",
        "npm_abcdefghijklmnopqrstuvwxyz0123456789",
        "ya29.a0AfH6SMBabcdefghijk",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----",
        "redis://:hunter2@host/0",
    ],
)
def test_issued_keys_are_told_by_their_looks(key):
    assert looks_secret(f"x = '{key}'")
    assert key[-8:] not in masked(f"got {key} here")


@pytest.mark.parametrize(
    "text",
    [
        "token count: 3, tokens=512, max_tokens=100, tokens: [1, 2]",
        "{'max_tokens': 100, 'tokens': 512, 'completion_tokens': 7}",
        "MAX_TOKENS=100 TOKEN_COUNT=3 TOKEN_LIMIT: 512 FIRST_PASS=1",
        "a password reset was asked for; key=value pairs",
        "the keys: 3, sort_key='date', monkey: 3, keyboard: us",
        "TOKEN_TYPE=bearer PASSWORD_FILE=/run/secrets/x",
        "use --password to set it, --token is required",
        "https://host/path and ssh://git@github.com/a, mail me@host",
        "postgres://me@host/db, https://me@host/x",
        "the tokenizer: gpt, secretary: Bob, passes: 3, bypass=1",
        "bearer certificates, an authorization is needed, a cookie: chocolate",
        "<token> and <password> are placeholders",
        "columns: ['user', 'password', 'email']",
        "-----BEGIN CERTIFICATE-----",
        "signature of f(x) -> y; design=3",
    ],
)
def test_prose_and_numbers_of_tokens_stay(text):
    assert masked(text) == text


PIECES = (
    "eyJ-",
    "-eyJaaaaa",
    "eyJaaaaa.",
    "cookie: ",
    'cookie: "',
    'cookie: "=',
    "cookies={",
    "://",
    "://a",
    "://a:",
    "token ",
    "bearer ",
    "authorization: ",
    "authorization: digest ",
    "token=[",
    "token=(a'",
    "token='",
    "token=\\'",
    'token="""',
    "password: ",
    "password:\n",
    "token=|\n a",
    "--token ",
    "'--token', '",
    "<password>",
    "<password ",
    "('password', '",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\nAAAA",
    "-----BEGIN PRIVATE KEY-----\n-----END ",
    "?sig=",
    "TOKEN_A",
    "SG.aaaaaaaaaaaaaaaaaaaa",
    "token\x1b[0m",
    "token={'a':",
    "http://aaaaaaaaaaaaaaaaaaaaa",
    "=",
    '"',
    "\\",
    " ",
    "\n",
)


@pytest.mark.parametrize("before", ["", 'cookie: "'])
def test_a_hostile_text_is_masked_in_a_time_that_grows_with_its_length(before):
    for piece in PIECES:
        text = before + piece * (40_000 // len(piece))
        began = thread_time()
        masked(text)
        looks_secret(text)
        assert thread_time() - began < 1, piece  # hundredths on an idle machine; many where it is squared


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
        ("a \ud800 text, sk-abcdefghijkl", "a \ud800 text, ***"),
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


@pytest.mark.parametrize("place", ["redis://:hunter2@h/0", "mysql://me:hunter2@h/db", "ftp://a:b@hunter2/c@h"])
def test_an_error_about_the_url_of_a_store_says_no_credential(place):
    with pytest.raises(SDKUsageError) as error:
        open_store(place)
    assert "hunter2" not in str(error.value)
    assert "@h" in str(error.value)
