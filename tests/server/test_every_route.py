"""Every route of the application's own table, asked with every credential that should not do: a new one fails here
until it is listed."""

from __future__ import annotations

import hashlib
import hmac
import http.cookiejar
import inspect
import time
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

import pytest
from tornado.web import Application, create_signed_value, decode_signed_value

from jupyter_durable_server import routes
from tests.server.conftest import TOKEN, Reply, Server, sent

REQUEST: Final = "requests/any/req_0123456789ab/"
WITHOUT_XSRF: Final = "cookie without XSRF"
OTHER_ORIGIN: Final = "other origin"
OWN: Final = ("get", "head", "post", "put", "patch", "delete")
"""Methods of HTTP that change or show something."""


class Route(NamedTuple):
    """One path, with one method."""

    method: str
    path: str
    changes: bool


EXPECTED: Final = {
    "/jupyter-durable/requests": {"get": ["requests"]},
    "/jupyter-durable/requests/.../(snapshot|page|detail|preview|info)": {
        "get": [REQUEST + what for what in ("snapshot", "page?parent=1", "detail?call=1", "preview", "info")]
    },
    "/jupyter-durable/requests/.../(cancel|delete|pin|replay)": {
        "post": [REQUEST + what for what in ("cancel", "delete", "pin", "replay")]
    },
}
"""What there is, and how it is asked for."""
ROUTES: Final = [
    Route(method, path, method != "get") for by in EXPECTED.values() for method, paths in by.items() for path in paths
]


def table() -> dict[str, set[str]]:
    """The patterns of the application as `install` makes it, and the methods that each answers to."""
    application = Application(base_url="/")
    routes.install(SimpleNamespace(web_app=application))  # type: ignore[arg-type]  # all that it takes of a server
    found = {}
    for rule in application.default_router.rules:
        for inner in getattr(rule.target, "rules", []):
            pattern: str = inner.matcher.regex.pattern.rstrip("$")
            short = pattern.replace(routes._REQUEST, "requests/...").replace("(?P<what>", "(")
            found[short] = {name for name in OWN if _answers(inner.target, name)}
    return found


def _answers(handler: type[Any], method: str) -> bool:
    return inspect.isfunction(getattr(handler, method)) and method in vars(handler)


def test_the_table_of_routes_is_the_one_that_is_asked_here() -> None:
    assert table() == {pattern: set(by) for pattern, by in EXPECTED.items()}
    assert {path.partition("?")[0].rpartition("/")[2] for _, path, _ in ROUTES} == {
        word for pattern in EXPECTED for word in pattern.rpartition("/")[2].strip("()").split("|")
    }


def test_every_method_is_for_who_is_logged_in_and_authorized() -> None:
    """The two decorators stand at each: what they wrap is there, twice."""
    handlers = [each for each in vars(routes).values() if inspect.isclass(each) and issubclass(each, routes._Route)]
    for handler in handlers:
        for method in set(OWN) & set(vars(handler)):
            wrapped = vars(handler)[method]
            assert hasattr(wrapped, "__wrapped__"), (handler, method)
            assert hasattr(wrapped.__wrapped__, "__wrapped__"), (handler, method)
        assert handler.auth_resource == "jupyter_durable"


def cookies(server: Server) -> dict[str, str]:
    """Those of a browser that is logged in; that of the login is the last."""
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    for path in ("api/status", "login"):  # the second gives the token against XSRF
        browser.open(f"{server.url}/{path}?token={TOKEN}").close()
    found = {cookie.name: cookie.value or "" for cookie in jar}
    return dict(sorted(found.items(), key=lambda each: each[0].startswith("username-")))


def signed_days_ago(server: Server, name: str, value: str, days: float) -> str:
    """The cookie of a login as the server itself would have signed it then; it takes them for 31 days."""
    runtime = Path(server.environment["JUPYTER_RUNTIME_DIR"])
    secret = hmac.new((runtime / "jupyter_cookie_secret").read_bytes(), digestmod=hashlib.sha256).digest()
    user = decode_signed_value(secret, name, value.strip('"'))
    assert user, "the secret of the server is another one"
    return create_signed_value(secret, name, user, clock=lambda: time.time() - days * 86_400).decode()


def credentials(server: Server) -> dict[str, dict[str, str]]:
    """Headers by what is wrong with them; those that begin with `good` are as good as any."""
    found = cookies(server)
    *_, (name, value) = found.items()
    logged_in = _joined(found)
    xsrf = {"X-XSRFToken": found["_xsrf"]}
    old, new = (_joined({**found, name: signed_days_ago(server, name, value, days)}) for days in (32, 30))
    return {
        "none": {},
        "bad": {"Authorization": "token wrong"},
        "bad in the address": {"Authorization": f"token {TOKEN[:-1]}"},
        "signature of another secret": {"Cookie": _joined({**found, name: f"{value.strip(chr(34))[:-4]}0000"}), **xsrf},
        "expired": {"Cookie": old, **xsrf},
        OTHER_ORIGIN: {"Cookie": logged_in, **xsrf, "Origin": "https://elsewhere.example"},
        WITHOUT_XSRF: {"Cookie": logged_in},
        "good, not expired": {"Cookie": new, **xsrf},
        "good, own origin": {"Cookie": logged_in, **xsrf, "Origin": server.url},
    }


def _joined(found: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in found.items())


def asked(server: Server, route: Route, headers: dict[str, str]) -> Reply:
    body = b"{}" if route.changes else None
    url = f"{server.url}/jupyter-durable/{route.path}"
    return sent(urllib.request.Request(url, body, {**headers, "Content-Type": "application/json"}))


def test_a_route_without_a_good_credential_is_refused_whatever_it_is(server: Server) -> None:
    """None of them tells whether a request is there: who may not look gets no 404 of ours. From another origin the
    server itself answers 404, which is not our word for a request that is not there.
    """
    for wrong, headers in credentials(server).items():
        for route in ROUTES:
            if wrong == WITHOUT_XSRF and not route.changes:
                continue  # as of every page of Jupyter: it changes nothing, and no other origin can read the answer
            reply = asked(server, route, headers)
            answered = reply.status == 200 or (isinstance(reply.body, dict) and "ours" in reply.body)
            if wrong.startswith("good"):
                assert answered, (wrong, route, reply)
            else:
                assert not answered, (wrong, route, reply)
                assert reply.status == (404 if wrong == OTHER_ORIGIN else 403), (wrong, route, reply)


def test_with_a_good_credential_each_route_answers(server: Server) -> None:
    good = {"Authorization": f"token {TOKEN}"}
    assert {route.path: asked(server, route, good).status for route in ROUTES} == {
        route.path: 200 if route.path == "requests" else 404 for route in ROUTES
    }


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE"])
def test_no_other_method_does_anything(server: Server, method: str) -> None:
    for route in ROUTES:
        answer = server.ask(route.path.partition("?")[0], method=method)
        assert answer.status in (403, 405), (method, route)
