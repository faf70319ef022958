"""`serve`, `token`, `login` and `key` on a command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_durable.server.tokens import TokenFile
from tests.server_app.serving import PATIENCE, Serving


def run(tmp_path: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jupyter_durable.cli", *arguments], input=given, cwd=tmp_path, check=False,
        env={**os.environ, "JUPYTER_DATA_DIR": str(tmp_path / "data")}, capture_output=True, text=True,
        timeout=PATIENCE,
    )  # fmt: skip


def test_a_token_is_printed_once_alone_and_is_listed_and_revoked_by_its_id(tmp_path: Path) -> None:
    made = run(tmp_path, "token", "create", "--scope", "write", "--namespace", "team", "--expires", "2d")
    text = made.stdout.strip()
    kept = TokenFile(tmp_path / "data" / "durable" / "server").find(text, 0.0)
    assert kept is not None
    assert kept.expires_at is not None
    assert (kept.namespace, kept.scope, round(kept.expires_at - kept.created_at)) == ("team", "write", 2 * 86400)
    assert text not in made.stderr
    (listed,) = map(json.loads, run(tmp_path, "token", "list").stdout.splitlines())
    assert (listed["id"], "hash" in listed) == (kept.id, False)
    assert run(tmp_path, "token", "revoke", kept.id).returncode == 0
    assert TokenFile(tmp_path / "data" / "durable" / "server").find(text, 0.0) is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("token", "create", "--scope", "all"), "read, write, admin"),
        (("token", "create", "--scope", "read", "--namespace", "../x"), "is no name of a namespace"),
        (("token", "revoke", "nobody"), "there is no token"),
        (("serve", "--host", "0.0.0.0", "--port", "0"), "token create"),
        (("serve", "--tls-cert", "x.pem"), "TLS needs both"),
        (("login", "http://example.org"), "use https://"),
        (("key", "import"), "holds no key"),
    ],
)
def test_wrong_use_is_one_sentence_that_says_what_to_do(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    ended = run(tmp_path, *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_the_extra_it_is_said_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "sys.modules['fastapi'] = sys.modules['uvicorn'] = None\n"
        "from jupyter_durable.cli import main\n"
        "main(['serve'])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=PATIENCE, cwd=tmp_path
    )
    assert ended.returncode == 2
    assert "pip install 'jupyter-durable[server]'" in ended.stderr


def test_a_token_that_was_kept_opens_its_server_and_a_key_that_was_imported_signs(
    serving: Serving, tmp_path: Path
) -> None:
    kept = run(tmp_path, "login", serving.url, given=serving.token("read"))
    assert kept.returncode == 0, kept.stderr
    assert (tmp_path / "data" / "durable" / "servers").stat().st_mode & 0o777 == 0o600
    listed = run(tmp_path, "list", "--store", serving.url)
    assert (listed.returncode, listed.stdout.strip()) == (0, "No requests."), listed.stderr
    key = "12" * 32
    assert run(tmp_path, "key", "import", given=key).returncode == 0
    assert run(tmp_path, "key", "export").stdout.strip() == key
