"""The page itself: one document, its program and its style, which tell nobody anything.

Rules of this file
- The program and the style are built from the labextension's source, so that a request looks as it does in a notebook.
- The policy of the page is strict: nothing inline, nothing from elsewhere, in no frame.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from jupyter_durable.server.refusals import Refusal

DOCUMENT: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>Durable requests</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="page.css">
<script type="module" src="page.js"></script>
</head>
<body><noscript>This page needs JavaScript; `jupyter durable list` shows the same in a terminal.</noscript></body>
</html>
"""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
router = APIRouter(include_in_schema=False)


@router.get("/")
def document() -> Response:
    """The page; it asks for a token by itself."""
    return HTMLResponse(DOCUMENT, headers=HEADERS)


@router.get("/page.js")
def program() -> Response:
    """What it does."""
    return Response(_built("page.js"), media_type="text/javascript", headers=HEADERS)


@router.get("/page.css")
def style() -> Response:
    """How it looks."""
    return Response(_built("page.css"), media_type="text/css", headers=HEADERS)


def _built(name: str) -> bytes:
    try:
        return files("jupyter_durable.server.page").joinpath("static", name).read_bytes()
    except OSError:
        raise Refusal(404, "NotBuilt", "this installation has no page: build it from labextension/") from None
