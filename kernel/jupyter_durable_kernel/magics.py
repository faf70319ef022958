"""`%durable` and its verbs, and the help of `%%durable`.

Rules of this file
- A verb is a row of `VERBS`: its usage, its sentence, its function. Help, completion and errors read that table.
- What a verb does is done by `client.verbs`; here its words are read and its answer is shown.
- Every mistake is one line: what was said, and what there is.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from IPython.core.error import UsageError

from jupyter_durable.client import verbs
from jupyter_durable.client.settings import DISPLAYS
from jupyter_durable.errors import DurableError, SDKUsageError
from jupyter_durable.store.base import Filter
from jupyter_durable_kernel import debugging, environments, texts
from jupyter_durable_kernel.cells import NOT_FIRST

if TYPE_CHECKING:
    from jupyter_durable.client.engine import Engine
    from jupyter_durable_kernel.extension import Extension


class Words(NamedTuple):
    """A line of `%durable`, taken apart."""

    plain: tuple[str, ...]
    options: dict[str, str]
    """Option without dashes, to its value; "" for a flag."""

    def id(self) -> str:
        """The request that was named, or the last one."""
        return self.plain[0] if self.plain else "last"

    def id_and_call(self) -> tuple[str, str]:
        """`[ID] CALL`."""
        if not self.plain:
            raise SDKUsageError("which call? Write name[n], as %durable tree shows it")
        return (self.plain[0], self.plain[1]) if len(self.plain) > 1 else ("last", self.plain[0])

    def id_or_call(self) -> tuple[str, str | None]:
        """`[ID] [CALL]`: one word alone is a call of the last request, unless it begins as ids do."""
        if len(self.plain) == 1 and self.plain[0] != "last" and not self.plain[0].startswith("req_"):
            return "last", self.plain[0]
        return self.id(), self.plain[1] if len(self.plain) > 1 else None

    def wish(self) -> verbs.Wish:
        """`--strict --latest --from CALL --rerun changed|NAME --take-over`."""
        options = self.options
        return verbs.Wish(
            "strict" in options, "latest" in options, options.get("from"), options.get("rerun"), "take-over" in options
        )


class Verb(NamedTuple):
    """One verb of `%durable`."""

    usage: str
    help: str
    plain: int
    """Words it takes at most."""
    options: dict[str, bool]
    """Option to whether it takes a value."""
    run: Callable[[Extension, Words], str | None]


REPLAYING = {"strict": False, "latest": False, "from": True, "rerun": True, "take-over": False}


def _list(extension: Extension, words: Words) -> str:
    options, now = words.options, extension.engine.clock.now()
    since = verbs.time_of(options["since"], now) if "since" in options else None
    limit = options.get("limit", str(verbs.LISTED))
    if not limit.isdigit() or not int(limit):
        raise SDKUsageError(f"--limit takes a whole number from 1, not {limit!r}")
    wanted = Filter(
        status=options.get("status"),
        notebook=options.get("notebook"),
        text=options.get("text"),
        since=since,
        limit=int(limit),
    )
    return texts.table(verbs.listing(extension.engine, wanted), now)


def _show(extension: Extension, words: Words) -> str:
    return texts.shown(verbs.show(extension.engine, words.id()))


def _tree(extension: Extension, words: Words) -> str:
    return verbs.find(extension.engine, words.id()).tree()


def _replay(extension: Extension, words: Words) -> str:
    request = verbs.replay(extension.engine, words.id(), words.wish())
    return repr(request)


def _preview(extension: Extension, words: Words) -> str:
    return str(verbs.preview(extension.engine, words.id(), words.wish()))


def _fork(extension: Extension, words: Words) -> str:
    options = words.options
    given = options.get("input")
    input = extension.evaluated(given) if given is not None else None
    return repr(verbs.fork(extension.engine, words.id(), wish=words.wish(), input=input))


def _cancel(extension: Extension, words: Words) -> str:
    request = verbs.cancel(extension.engine, words.id())
    return f"{request.id}: asked to stop; what has succeeded is kept, %durable replay {request.id} goes on"


def _delete(extension: Extension, words: Words) -> str:
    if not words.plain:
        raise SDKUsageError("which request? %durable delete ID; %durable list shows what there is")
    return f"{verbs.delete(extension.engine, words.id())} is deleted"


def _pin(extension: Extension, words: Words) -> str:
    pinned = "off" not in words.options
    request = verbs.pin(extension.engine, words.id(), pinned)
    return f"{request.id} is {'kept from' if pinned else 'open to'} garbage collection"


def _inputs(extension: Extension, words: Words) -> str:
    args, kwargs = verbs.inputs(extension.engine, *words.id_and_call())
    parts = [repr(value) for value in args] + [f"{name}={value!r}" for name, value in kwargs.items()]
    return f"({', '.join(parts)})"


def _output(extension: Extension, words: Words) -> None:
    extension.show_value(verbs.output(extension.engine, *words.id_or_call()))


def _logs(extension: Extension, words: Words) -> str:
    return texts.logs(verbs.logs(extension.engine, *words.id_or_call()))


def _debug(extension: Extension, words: Words) -> None:
    debugging.debug(extension.shell, extension.engine, *words.id_and_call())


def _store(extension: Extension, words: Words) -> str:
    if not words.plain:
        return f"store: {extension.engine.settings.store}"
    return f"store: {verbs.use_store(extension.engine, words.plain[0])}"


def _trust(extension: Extension, words: Words) -> str:
    if not words.plain:
        raise SDKUsageError(
            "whose key? Values that another user signed are loaded once you have that user's key file: "
            "%durable trust PATH_OF_KEY. Values that are damaged cannot be trusted; replay with --rerun NAME"
        )
    added = verbs.trust(extension.engine, words.plain[0])
    return f"trusted: key {', '.join(added)}" if added else "that key is trusted already"


def _display(extension: Extension, words: Words) -> str:
    wanted = {"display": "".join(words.plain), "save_view": words.options.get("save-view", "")}
    changes = {name: value for name, value in wanted.items() if value}
    settings = extension.engine.configure(changes) if changes else extension.engine.settings
    return f"display = {settings.display}, save_view = {settings.save_view}"


def _once(extension: Extension, words: Words) -> str:
    if words.plain and words.plain[0] not in ("on", "off"):
        raise SDKUsageError(f"%durable once takes on or off, not {words.plain[0]!r}")
    if words.plain:
        extension.once = words.plain[0] == "on"
    if extension.once:
        return "once is on: every cell goes on with its last request, and executes only what changed"
    return "once is off: after a success a cell starts a new request"


def _gc(extension: Extension, words: Words) -> str:
    age = verbs.seconds_of(words.options.get("older-than", "30d"))
    return texts.swept(verbs.gc(extension.engine, age, dry_run="dry-run" in words.options), "dry-run" in words.options)


def _doctor(extension: Extension, words: Words) -> str:
    del words
    return texts.findings([*verbs.doctor(extension.engine), *environments.findings(os.environ)])


_ID = "[ID]"
VERBS: dict[str, Verb] = {
    "list": Verb(
        "list [--status S] [--since 2h] [--notebook PATH] [--text T] [--limit N]",
        "requests, newest first",
        0,
        {"status": True, "since": True, "notebook": True, "text": True, "limit": True},
        _list,
    ),
    "show": Verb("show [ID]", "one request: its runs and its calls", 1, {}, _show),
    "tree": Verb("tree [ID]", "all its calls", 1, {}, _tree),
    "replay": Verb(
        "replay [ID] [--strict] [--latest] [--from CALL] [--rerun changed|NAME] [--take-over]",
        "run it again; what succeeded comes from checkpoints",
        1,
        REPLAYING,
        _replay,
    ),
    "preview": Verb(
        "preview [ID] [the options of replay]", "what that replay would execute; runs nothing", 1, REPLAYING, _preview
    ),
    "fork": Verb(
        "fork [ID] [--from CALL] [--rerun NAME] [--input EXPRESSION]",
        "the same in a new request",
        1,
        {"from": True, "rerun": True, "input": True},
        _fork,
    ),
    "cancel": Verb("cancel [ID]", "stop it and keep what succeeded", 1, {}, _cancel),
    "delete": Verb("delete ID", "remove it with its values", 1, {}, _delete),
    "pin": Verb("pin [ID] [--off]", "keep it from gc", 1, {"off": False}, _pin),
    "inputs": Verb("inputs [ID] CALL", "the arguments of a call, as recorded", 2, {}, _inputs),
    "output": Verb("output [ID] [CALL]", "the result of a request or of a call", 2, {}, _output),
    "logs": Verb("logs [ID] [CALL]", "what its calls printed", 2, {}, _logs),
    "debug": Verb("debug [ID] CALL", "run a call again with its recorded arguments, under the debugger", 2, {}, _debug),
    "store": Verb("store [URL]", "where requests are kept: sqlite:///PATH or memory:", 1, {}, _store),
    "trust": Verb("trust PATH_OF_KEY", "load values that another user's key signed", 1, {}, _trust),
    "display": Verb(
        "display [auto|mime|html|text|widget] [--save-view full|summary|none]",
        "the form in which requests are shown, and what of it is saved in the notebook",
        1,
        {"save-view": True},
        _display,
    ),
    "once": Verb("once [on|off]", "go on with the last request of a cell after a success, too", 1, {}, _once),
    "gc": Verb(
        "gc [--older-than 30d] [--dry-run]",
        "remove old requests that ended and are not pinned",
        0,
        {"older-than": True, "dry-run": False},
        _gc,
    ),
    "doctor": Verb("doctor", "what is well and what is not", 0, {}, _doctor),
}
NAMES_CALL = frozenset({"inputs", "output", "debug", "logs"})


def read(verb: str, words: Iterable[str]) -> Words:
    """The words after a verb. Raises `SDKUsageError` that names the word and what the verb takes."""
    known = VERBS[verb]
    plain: list[str] = []
    options: dict[str, str] = {}
    pending = iter(words)
    for word in pending:
        if not word.startswith("--"):
            plain.append(word)
            continue
        name, equals, value = word[2:].partition("=")
        if name not in known.options:
            takes = ", ".join(f"--{option}" for option in known.options) or "no options"
            raise SDKUsageError(f"%durable {verb}: unknown option {word!r}; it takes {takes}")
        if known.options[name] and not equals:
            value = next(pending, "")
            if not value:
                raise SDKUsageError(f"%durable {verb}: {word} needs a value. Usage: %durable {known.usage}")
        options[name] = value
    if len(plain) > known.plain:
        raise SDKUsageError(f"%durable {verb}: too many words. Usage: %durable {known.usage}")
    return Words(tuple(plain), options)


def _help() -> str:
    width = max(len(verb.usage) for verb in VERBS.values() if len(verb.usage) < 48)
    lines = []
    for verb in VERBS.values():
        gap = "\n" + " " * (width + 6) if len(verb.usage) > width else " " * (width - len(verb.usage) + 2)
        lines.append(f"    {verb.usage}{gap}{verb.help}")
    return "\n".join(lines)


HELP = f"""Requests of durable functions: look at them, replay them, care for them.

    %durable                  where things are stored, what runs, the last requests

With a verb:

{_help()}

ID may be a prefix, or `last`, which it is when left out. CALL is name[n], as `%durable tree` shows it.
The same verbs are the command line: jupyter durable ...
"""


class DurableMagics:
    """`%durable` and `%%durable`."""

    def __init__(self, extension: Extension) -> None:
        self._extension = extension

    def register(self, shell: Any) -> None:
        """Add both to a shell."""
        shell.register_magic_function(self.line, "line", "durable")
        shell.register_magic_function(self.cell, "cell", "durable")

    def line(self, line: str) -> None:
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise UsageError(f"%durable: {error}") from None
        try:
            text = self._run(words)
        except DurableError as error:
            raise UsageError(str(error)) from None
        if text is not None:
            print(text)

    line.__doc__ = HELP

    def _run(self, words: list[str]) -> str | None:
        extension = self._extension
        if not words:
            return texts.overview(verbs.overview(extension.engine), extension.engine.clock.now())
        verb = VERBS.get(words[0])
        if verb is None:
            cell = "; options of a cell stand behind %%durable" if words[0].startswith("-") else ""
            raise SDKUsageError(f"%durable {words[0]}: there is no such verb; there are {', '.join(VERBS)}{cell}")
        return verb.run(extension, read(words[0], words[1:]))

    def cell(self, line: str, cell: str) -> None:
        """Make the functions of a cell durable, and its body a request.

        Usage, as the first line of a cell:

            %%durable [NAME] [--plain NAMES] [--retries N] [--timeout SECONDS] [--executor inline|thread]
                      [--once | --fresh]

        Every top-level `def` and `async def` becomes durable: the output of each call is checkpointed as it returns.
        Left as they are: names that begin with `_`, generators, functions under a decorator that is not ours, and
        those named by --plain (a comma between names). Classes are untouched.

        After a failure, an interrupt or a dead kernel, running the cell again resumes: every call that had succeeded is
        served from its checkpoint. After a success it starts a new request.

            NAME        finds the request again, however the cell is edited or moved
            --retries   how often a failed call runs again
            --timeout   seconds a call may take
            --executor  where calls run: inline or thread
            --once      after a success, too, go on with the last request, and execute only what changed
            --fresh     always start a new request
        """
        del line, cell
        raise UsageError(NOT_FIRST)


def complete(engine: Engine, line: str) -> list[str]:
    """What may come next in a line of `%durable`."""
    said = line.split()
    typed = "" if line.endswith(" ") or not said else said[-1]
    before = said[1:] if not typed else said[1:-1]
    if not before:
        return [verb for verb in VERBS if verb.startswith(typed)]
    verb = VERBS.get(before[0])
    if verb is None:
        return []
    if typed.startswith("-"):
        return [f"--{option}" for option in verb.options if f"--{option}".startswith(typed)]
    words = {"once": ("on", "off"), "display": DISPLAYS}.get(before[0])
    if words is not None:
        return [word for word in words if word.startswith(typed)]
    if not verb.plain or before[0] in ("store", "trust"):
        return []
    found = ["last", *(info.id for info in verbs.listing(engine, Filter(limit=50)))]
    if before[0] in NAMES_CALL or before[-1] == "--from":
        id = before[1] if len(before) > 1 and not before[1].startswith("-") else "last"
        try:
            found += verbs.call_names(verbs.find(engine, id))
        except DurableError:
            return []
    return [word for word in found if word.startswith(typed)]
