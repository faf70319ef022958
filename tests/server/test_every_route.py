"""Every route of the application's own table, asked with every credential that should not do: a new one fails here
until it is listed."""

from __future__ import annotations

import http.cookiejar
import inspect
import urllib.request
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

import pytest
from tornado.web import Application

from jupyter_durable_server import routes
from tests.server.conftest import TOKEN, Server, sent

REQUEST: Final = "requests/any/req_0123456789ab/"
WITHOUT_XSRF: Final = "cookie without XSRF"
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


def cookies(server: Server) -> str:
    """Those of a browser that is logged in."""
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    browser.open(f"{server.url}/api/status?token={TOKEN}").close()
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


def credentials(server: Server) -> dict[str, dict[str, str]]:
    """Headers by what is wrong with them."""
    logged_in = cookies(server)
    name, _, value = logged_in.split("; ")[-1].partition("=")
    return {
        "none": {},
        "bad": {"Authorization": "token wrong"},
        "bad in the address": {"Authorization": f"token {TOKEN[:-1]}"},
        "expired": {"Cookie": f"{name}={value[:-4]}0000"},
        "other origin": {"Cookie": logged_in, "Origin": "https://elsewhere.example"},
        WITHOUT_XSRF: {"Cookie": logged_in},
    }


def asked(server: Server, route: Route, headers: dict[str, str]) -> int:
    body = b"{}" if route.changes else None
    url = f"{server.url}/jupyter-durable/{route.path}"
    return sent(urllib.request.Request(url, body, {**headers, "Content-Type": "application/json"})).status


def test_a_route_without_a_good_credential_is_refused_whatever_it_is(server: Server) -> None:
    """None of them tells whether a request is there: who may not look gets no 404 for it."""
    for wrong, headers in credentials(server).items():
        for route in ROUTES:
            if wrong == WITHOUT_XSRF and not route.changes:
                continue  # as of every page of Jupyter: it changes nothing, and no other origin can read the answer
            status = asked(server, route, headers)
            assert status in ((403, 404) if wrong == "other origin" else (403,)), (wrong, route, status)


def test_with_a_good_credential_each_route_answers(server: Server) -> None:
    good = {"Authorization": f"token {TOKEN}"}
    assert {route.path: asked(server, route, good) for route in ROUTES} == {
        route.path: 200 if route.path == "requests" else 404 for route in ROUTES
    }


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE"])
def test_no_other_method_does_anything(server: Server, method: str) -> None:
    for route in ROUTES:
        answer = server.ask(route.path.partition("?")[0], method=method)
        assert answer.status in (403, 405), (method, route)
