"""The manual of `%durable` and `%%durable`: what each verb takes and does, as it is read in a window of 80 columns.

Rules of this file
- Texts only. What a verb does is in `magics.py`; help, completion and the reading of a line use these entries.
- No line is longer than `COLUMNS`; what something does stands in one column.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Final, NamedTuple

COLUMNS: Final = 80
_TEXT: Final = 28
"""Column in which explanations begin."""


class Option(NamedTuple):
    """An option of a verb."""

    value: str
    """What its value is; empty for a flag."""
    does: str
    many: bool = False
    """It may be said several times; the values are joined by commas."""


class Entry(NamedTuple):
    """One verb."""

    words: str
    """What stands behind it, without options."""
    does: str
    most: int
    """Words it takes at most."""
    options: Mapping[str, Option]

    def usage(self, name: str) -> str:
        """How it is written."""
        return " ".join(filter(None, ["%durable", name, self.words, "[OPTIONS]" if self.options else ""]))


_REPLAYING: Final = {
    "strict": Option("", "stop where the code leaves the recorded path"),
    "latest": Option("", "with the code that is defined now"),
    "from": Option("CALL", "execute this call again, and everything after it"),
    "rerun": Option("NAMES", "execute these again: a,b[2], or what `changed`"),
}
_TAKE_OVER: Final = {"take-over": Option("", "also when another process runs it, which then stops")}

LOOK: Final = {
    "list": Entry(
        "",
        "requests, newest first",
        0,
        {
            "status": Option("STATUS", "running, failed, cancelled, interrupted, succeeded"),
            "since": Option("TIME", "only those accepted since: 2h, 7d, 2026-01-31"),
            "notebook": Option("PATH", "only those of this notebook"),
            "text": Option("TEXT", "only those with this text in name, notebook or error"),
            "limit": Option("N", "so many at most; 20 if unsaid"),
        },
    ),
    "show": Entry("[ID]", "one request: its runs and its calls", 1, {}),
    "tree": Entry("[ID]", "all its calls", 1, {}),
    "inputs": Entry("[ID] CALL", "the recorded arguments of a call", 2, {}),
    "output": Entry("[ID] [CALL]", "the result of a request, or of a call", 2, {}),
    "logs": Entry("[ID] [CALL]", "what its calls printed", 2, {}),
}
GO_ON: Final = {
    "preview": Entry("[ID]", "what a replay would execute; runs nothing", 1, _REPLAYING),
    "replay": Entry("[ID]", "run it again; what succeeded is not executed again", 1, {**_REPLAYING, **_TAKE_OVER}),
    "fork": Entry(
        "[ID]",
        "the same in a new request",
        1,
        {
            "from": _REPLAYING["from"],
            "rerun": Option("NAMES", "execute these again: a,b[2]"),
            "input": Option("EXPRESSION", "another argument, or a tuple of arguments"),
        },
    ),
    "cancel": Entry("[ID]", "stop it; what succeeded is kept", 1, {}),
    "debug": Entry("[ID] CALL", "run a call with its arguments in the debugger", 2, {}),
    "deploy": Entry("[APP]", "send an application to the server, with the code of now", 1, {}),
    "export": Entry(
        "DIR",
        "write the applications of this notebook as a project that can be deployed",
        1,
        {
            "app": Option("NAMES", "only these applications: a,b", many=True),
            "target": Option("TARGET", "what it is for: server, or tensorlake; server if unsaid"),
            "bundle": Option("NAMES", "values of now that go in as JSON files: a,b", many=True),
            "record": Option("REQUEST", "a request that becomes a test of the project", many=True),
            "check": Option("", "only say what goes in, and why; write nothing"),
            "force": Option("", "write over what was edited by hand"),
        },
    ),
    "once": Entry("[on|off]", "cells go on with their requests after a success, too", 1, {}),
}
KEEP: Final = {
    "pin": Entry("[ID]", "keep it from gc", 1, {"off": Option("", "let gc have it again")}),
    "delete": Entry("ID", "remove it with its values", 1, {}),
    "gc": Entry(
        "",
        "remove old requests that ended and are not pinned",
        0,
        {
            "older-than": Option("AGE", "those that ended so long ago: 30d if unsaid, 12h"),
            "dry-run": Option("", "only say what would go"),
        },
    ),
    "store": Entry("[URL]", "where requests are kept, or another place for them", 1, {}),
    "copy": Entry("NEW", "write all of it into a new store, also when its file is gone", 1, {}),
    "push": Entry("ID [OTHER]", "take a request with all that is recorded into another store", 2, {}),
    "pull": Entry("ID [OTHER]", "get a request with all that is recorded from another store", 2, {}),
    "trust": Entry("PATH_OF_KEY", "load values that another user's key signed", 1, {}),
    "display": Entry(
        "[FORM]",
        "how requests are shown, and what of that is saved",
        1,
        {"save-view": Option("WHAT", "keep in the notebook: full, summary or none")},
    ),
    "doctor": Entry("", "what is well and what is not", 0, {}),
}
ENTRIES: Final[Mapping[str, Entry]] = {**LOOK, **GO_ON, **KEEP}
_WORDS: Final = {
    "ID": "an id, its beginning, or `last`",
    "[ID]": "an id, its beginning, or `last`; `last` if unsaid",
    "CALL": "name[n], as %durable tree shows it, n from 0",
    "[CALL]": "name[n], as %durable tree shows it, n from 0",
    "[APP]": "an application of this notebook; all of them if unsaid",
    "DIR": "where the project goes: a folder, new or exported to before",
    "[on|off]": "for this notebook; if unsaid, what holds is shown",
    "[FORM]": "auto, mime, html, text or widget",
    "[URL]": "sqlite:///PATH, postgresql://USER@HOST/DATABASE, https://HOST:PORT or memory:, from now on",
    "[OTHER]": "the URL of a store; that of the server that is set if unsaid",
    "NEW": "a path, or sqlite:///PATH, where nothing is yet",
    "PATH_OF_KEY": "the key file of whoever wrote the store",
}


def _row(words: str, does: str) -> str:
    """Words, and what they do in the column of explanations; on the next line where the words are long."""
    indent = " " * _TEXT
    lines = textwrap.wrap(does, COLUMNS - _TEXT)
    first = f"    {words}".ljust(_TEXT) if len(words) + 6 <= _TEXT else f"    {words}\n{indent}"
    return first + f"\n{indent}".join(lines)


def _section(title: str, entries: Mapping[str, Entry]) -> str:
    return "\n".join([title, *(_row(f"{name} {entry.words}".rstrip(), entry.does) for name, entry in entries.items())])


WHOLE: Final = f"""Requests of durable functions: look at them, go on with them, keep them.

{_row("%durable", "where they are stored, what runs, the last ones")}
{_row("%durable VERB [WORDS]", "one of the verbs below")}
{_row("%durable VERB --help", "what a verb takes")}

{_section("Look", LOOK)}

{_section("Go on", GO_ON)}

{_section("Keep", KEEP)}

ID is the id of a request, the beginning of one, or `last`, which it is if
unsaid. CALL is name[n], as %durable tree shows it, n from 0.
The same verbs work on a command line: jupyter durable --help
"""
"""What `%durable?` says."""


def of_verb(name: str) -> str:
    """What `%durable VERB --help` says."""
    entry = ENTRIES[name]
    does = entry.does[0].upper() + entry.does[1:] + "."
    rows = [_row(word, _WORDS[word]) for word in entry.words.split()]
    rows += [_row(f"--{option} {said.value}".rstrip(), said.does) for option, said in entry.options.items()]
    return "\n".join([entry.usage(name), "", *textwrap.wrap(does, COLUMNS), *([""] if rows else []), *rows])


CELL: Final = f"""Make the functions of a cell durable, and its body a request.

    %%durable [NAME] [OPTIONS]

Every top-level `def` and `async def` of the cell becomes durable: the result
of each call is stored as it returns. Left as they are: names that begin with
_, generators, functions under somebody else's decorator, and those named by
--plain. Classes are untouched: @cls() makes their methods durable.

After a failure, an interrupt, a cancel or a dead kernel, running the cell
again resumes: calls that had succeeded are not executed again. After a success
it starts a new request.

{_row("NAME", "finds the request again, wherever the cell moves")}
{_row("--plain NAMES", "leave these functions as they are: a,b")}
{_row("--retries N", "run a failed call again, up to N times")}
{_row("--timeout SECONDS", "how long a call may take; `none`: no limit")}
{_row("--executor WHERE", "inline or thread: where calls run")}
{_row("--once", "after a success, too, go on; execute what changed")}
{_row("--fresh", "always start a new request")}

It stands in the first line; comments, %%time and %%capture may stand above it.
%durable? tells of the requests that come of it.
"""
"""What `%%durable?` says."""
