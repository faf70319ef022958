"""What a MAC covers: the records of calls, requests and code, as the bytes that are signed.

Rules of this file
- A record is signed whole: all that decides what executes, with which input, and what is served. Of a call only its
  times are left out, and the mark that it was set aside, which the store writes: without it the call is served what it
  recorded, with it it executes again. Of a request what changes while it runs is left out (who owns it, its status, a
  line about its error: nothing is served for them), and the path of its notebook, which may move.
- `marshal` in version 2 is the bytes of a tuple without a second reading: each part says its type and length. It is
  four times as fast as anything written in Python, and has not changed since Python 2.5.
- Where calls stood in earlier runs, and where arguments alone decide, is signed as well: it tells which recorded call
  a call takes that has other arguments, what a strict replay compares with, and which marks a served call has.
- A request that a store of format 1 accepted has twelve digits in its id, those of before schema 6, whose places are
  not signed, fourteen, later ones sixteen, and the id is in every MAC: nothing that was signed can be made to look as
  if it need not be.
"""

from __future__ import annotations

from marshal import dumps
from typing import Any, Final

from jupyter_durable.core.model import FINGERPRINT_RULE, ArgumentsDecide, CallRow, Flag, NewRequest, Reached, RequestRow

CALL: Final = "call"
REQUEST: Final = "request"
CODE: Final = "code"
PLACE: Final = "place"
_VERSION: Final = 2
_SIGNED_FLAGS: Final = ~Flag.SET_ASIDE
_OLD: Final = 12
_WITHOUT_PLACES: Final = 14
"""Digits of the ids that requests were given then."""
_DIGITS: Final = frozenset("0123456789abcdef")


def is_old(request: str) -> bool:
    """Whether a request may have been accepted before format 2, so that format 1 vouches for what it wrote then."""
    return _digits(request) == _OLD


def may_lack_places(request: str) -> bool:
    """Whether a request may have been accepted before schema 6, so that nothing vouches for where its calls stood."""
    return _digits(request) in (_OLD, _WITHOUT_PLACES)


def _digits(request: str) -> int | None:
    """How many hexadecimal digits an id has; None for what is no id of ours."""
    digits = request.removeprefix("req_")
    return len(digits) if digits != request and _DIGITS.issuperset(digits) else None


def call_record(row: CallRow | tuple[Any, ...]) -> bytes:
    """What is signed of a call."""
    (
        parent, identity, pass_no, seq, kind, name, status, flags, digest, code, attempts, _, _, codec, value, blob, _,
        inputs, writes, children, result, below, files, metrics,
    ) = row  # fmt: skip
    return dumps(
        (
            parent, identity, pass_no, seq, kind, name, status, flags & _SIGNED_FLAGS, digest, code, attempts, codec,
            value, blob, inputs, writes, children, result, below, files, metrics,
        ),
        _VERSION,
    )  # fmt: skip


def place_record(place: Reached | ArgumentsDecide) -> bytes:
    """What is signed of a stretch of reused calls, or of a decision for arguments."""
    if isinstance(place, Reached):
        return dumps((*place[:5], int(place.flags)), _VERSION)  # no marks may be False, which the store keeps as 0
    return dumps((place.parent, _text(place.name), place.pass_no), _VERSION)


def request_record(request: NewRequest | RequestRow) -> bytes:
    """What is signed of a request."""
    code_key, rule = (
        (request.code.key, FINGERPRINT_RULE) if isinstance(request, NewRequest) else (request.code_key, request.rule)
    )
    return dumps(
        (
            _text(request.application), request.kind, request.input, request.input_digest, code_key,
            _text(request.cell), _text(request.idempotency_key), request.forked_from, request.headers, rule,
        ),
        _VERSION,
    )  # fmt: skip


def _text(given: str | None) -> str | None:
    """A text that a user gave, without the class it may have: the store keeps none."""
    return None if given is None else str.__str__(given)
