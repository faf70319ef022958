"""What a command has to say, apart from how it is written.

Rules of this file
- Plain records: `document` is what a program gets as JSON, `parts` are what a person reads.
- JSON holds times as Unix seconds and lengths as seconds; a value that JSON has no form for stands as its `repr`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from jupyter_durable.client.verbs import Info, Shown
from jupyter_durable.client.words import moment
from jupyter_durable.code.credentials import masked, without_credentials
from jupyter_durable.core import outline
from jupyter_durable.core.calltree import CallNode, Counts, spoken, to_json
from jupyter_durable.core.counting import saved_text
from jupyter_durable.core.model import RunRow, Status
from jupyter_durable.core.selection import Preview
from jupyter_durable.records import NamedTuple

WIDE_INT: Final = 10_000
"""Bits of an int that is written in hexadecimal: Python writes no more than 4,300 digits of another base."""


class Grid(NamedTuple):
    """A table: cells are plain text, foreign text included."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Tree(NamedTuple):
    """A call tree."""

    root: CallNode


class Value(NamedTuple):
    """A Python value that was recorded."""

    value: Any
    raw: bool = False
    """With the credentials in it."""

    @property
    def text(self) -> str:
        """A text as it is, anything else as its `repr`."""
        return _text(self.value, raw=self.raw) if isinstance(self.value, str) else _repr(self.value, raw=self.raw)


Part = str | Grid | Tree | Value


class Said(NamedTuple):
    """What a command has to say."""

    document: Any
    """For `--json`: only what JSON has."""
    parts: Sequence[Part] = ()
    code: int = 0
    """Exit code: 0, or 1 when the request failed."""


def info_json(info: Info) -> dict[str, Any]:
    """A request as lists show it."""
    return info._asdict()


def run_json(run: RunRow) -> dict[str, Any]:
    """One run of a request."""
    return run._replace(code_key=b"")._asdict() | {"code_key": run.code_key.hex()}


def tree_json(root: CallNode | None) -> dict[str, Any]:
    """Summary, counts and calls; empty before the first run."""
    if root is None:
        return {"summary": "", "counts": dict.fromkeys(Counts.__slots__, 0), "calls": []}
    return to_json(root)


def shown_json(shown: Shown) -> dict[str, Any]:
    """A request with its runs and its calls."""
    return {
        "request": info_json(shown.info),
        "runs": [run_json(run) for run in shown.runs],
        **tree_json(shown.root),
    }


def preview_json(request: str, preview: Preview) -> dict[str, Any]:
    """What a replay would do."""
    return {"request": request, "saved": preview.saved, "calls": [call._asdict() for call in preview.calls]}


def value_json(value: Any, *, raw: bool = False) -> dict[str, Any]:
    """A value: itself where JSON has it, always its type and its `repr`. Credentials are masked unless it is `raw`."""
    form: dict[str, Any] = {"type": _type_name(value), "repr": _repr(value, raw=raw), "json": False}
    try:
        text = json.dumps(value if raw else without_credentials(value), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return form
    return form | {"json": True, "value": json.loads(text)}


def _repr(value: Any, *, raw: bool) -> str:
    try:
        return _text(hex(value) if type(value) is int and value.bit_length() > WIDE_INT else repr(value), raw=raw)
    # A method of a user's class, which may raise anything; or an int in it of more digits than Python writes.
    except Exception as error:  # noqa: BLE001
        return _text(f"<{_type_name(value)}, of which repr raises {type(error).__name__}: {error}>", raw=raw)


def _text(text: str, *, raw: bool) -> str:
    return text if raw else masked(text)


def _type_name(value: Any) -> str:
    kind = type(value)
    return (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )


def exit_code(status: str) -> int:
    """1 unless the request succeeded."""
    return 0 if status == Status.SUCCEEDED else 1


def calls_text(info: Info) -> str:
    """How many calls the last run executed and reused."""
    reused = f"{info.reused} from checkpoint · " if info.reused else ""
    saved = saved_text(info.saved, info.saved_metrics)
    return f"{reused}{info.executed} ran" + (f" · {saved}" if saved else "")


def facts(info: Info) -> Grid:
    """What there is to say of one request besides its calls."""
    told = {
        "name": info.application,
        "status": info.status + (f", held by {info.held_by}" if info.held_by else ""),
        "accepted": moment(info.accepted_at),
        "notebook": info.notebook,
        "cell": info.cell,
        "forked from": info.forked_from,
        "pinned": "yes" if info.pinned else None,
        "error": info.error,
    }
    return Grid(("request", info.id), tuple((name, text) for name, text in told.items() if text))


def runs_grid(shown: Shown) -> Grid:
    """The original execution and every replay; of the last run the numbers of the tree."""
    info = shown.info
    runs = [
        run._replace(executed=info.executed, reused=info.reused, saved=info.saved) if run.run == info.runs else run
        for run in shown.runs
    ]
    return Grid(
        ("run", "mode", "status", "started", "ran", "from checkpoint", "saved"),
        tuple(
            (
                str(run.run),
                run.mode,
                run.status,
                moment(run.started_at),
                str(run.executed),
                str(run.reused),
                spoken(run.saved),
            )
            for run in runs
        ),
    )


def preview_parts(preview: Preview) -> list[Part]:
    """The sum, and the verdicts as a table in which many calls of one name are one line."""
    lines = outline.lines(preview.calls)
    rows = tuple(("  " * line.depth + line.call, line.verdict, line.why) for line in lines)
    return [outline.summary(preview.calls, preview.saved), Grid(("call", "verdict", "why"), rows)]
