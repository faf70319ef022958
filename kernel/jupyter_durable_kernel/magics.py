"""`%durable` and its verbs.

Rules of this file
- A verb is an entry of the manual (`manual.py`), which help, completion and errors read, and a function of `VERBS`.
- What a verb does is done by `client.verbs`; here its words are read and its answer is shown.
- Every mistake is one line: what was said, and what there is.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from IPython.core.error import UsageError

from jupyter_durable.client import deploying, verbs
from jupyter_durable.client.settings import DISPLAYS
from jupyter_durable.code.credentials import MASK, masked, tells
from jupyter_durable.errors import DurableError, SDKUsageError
from jupyter_durable.store.base import Filter
from jupyter_durable.store.location import shown
from jupyter_durable_kernel.cells.decorating import NOT_FIRST
from jupyter_durable_kernel.verbs import answers, debugger, manual, page_part
from jupyter_durable_kernel.verbs.manual import ENTRIES
from jupyter_durable_kernel.verbs.notebook import Notebook

if TYPE_CHECKING:
    from jupyter_durable.client.engine import Engine


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


def _list(notebook: Notebook, words: Words) -> str:
    options, now = words.options, notebook.engine.clock.now()
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
    return answers.table(verbs.listing(notebook.engine, wanted), now)


def _show(notebook: Notebook, words: Words) -> str:
    return answers.shown(verbs.show(notebook.engine, words.id()))


def _tree(notebook: Notebook, words: Words) -> str:
    return verbs.find(notebook.engine, words.id()).tree()


def _replay(notebook: Notebook, words: Words) -> str:
    request = verbs.replay(notebook.engine, words.id(), words.wish())
    return repr(request)


def _preview(notebook: Notebook, words: Words) -> str:
    return str(verbs.preview(notebook.engine, words.id(), words.wish()))


def _fork(notebook: Notebook, words: Words) -> str:
    options = words.options
    given = options.get("input")
    input = notebook.evaluated(given) if given is not None else None
    return repr(verbs.fork(notebook.engine, words.id(), wish=words.wish(), input=input))


def _cancel(notebook: Notebook, words: Words) -> str:
    request = verbs.cancel(notebook.engine, words.id())
    return f"{request.id}: asked to stop; what has succeeded is kept, %durable replay {request.id} goes on"


def _delete(notebook: Notebook, words: Words) -> str:
    if not words.plain:
        raise SDKUsageError("which request? %durable delete ID; %durable list shows what there is")
    return f"{verbs.delete(notebook.engine, words.id())} is deleted, with all that only it had: values, files, code"


def _deploy(notebook: Notebook, words: Words) -> str:
    found = deploying.applications_here(words.plain[:1])
    sent = [deploying.deploy(notebook.engine, spec) for spec in found]
    return "\n".join(f"{each.application} is deployed on {each.server}, version {each.version}" for each in sent)


def _export(notebook: Notebook, words: Words) -> str:
    if not words.plain:
        raise SDKUsageError("where to? %durable export DIR, a folder, new or exported to before")
    from jupyter_durable_kernel.verbs import exporting  # for those who export

    return exporting.exported(notebook, words.plain[0], words.options)


def _pin(notebook: Notebook, words: Words) -> str:
    pinned = "off" not in words.options
    request = verbs.pin(notebook.engine, words.id(), pinned)
    return f"{request.id} is {'kept from' if pinned else 'open to'} garbage collection"


def _inputs(notebook: Notebook, words: Words) -> str:
    args, kwargs = verbs.inputs(notebook.engine, *words.id_and_call())
    parts = [repr(value) for value in args]
    parts += [f"{name}={MASK if tells(name, value) else repr(value)}" for name, value in kwargs.items()]
    return masked(f"({', '.join(parts)})")


def _output(notebook: Notebook, words: Words) -> None:
    notebook.show_value(verbs.output(notebook.engine, *words.id_or_call()))


def _logs(notebook: Notebook, words: Words) -> str:
    return answers.logs(verbs.logs(notebook.engine, *words.id_or_call()))


def _debug(notebook: Notebook, words: Words) -> None:
    debugger.debug(notebook.shell, notebook.engine, *words.id_and_call())


def _store(notebook: Notebook, words: Words) -> str:
    if not words.plain:
        return f"store: {shown(notebook.engine.settings.store)}"
    return f"store: {verbs.use_store(notebook.engine, words.plain[0])}"


def _copy(notebook: Notebook, words: Words) -> str:
    if not words.plain:
        raise SDKUsageError("where to? %durable copy NEW, a path where nothing is yet")
    copied = verbs.copy(notebook.engine, words.plain[0])
    lost = f"; {copied.missing} large values were not found any more" if copied.missing else ""
    return f"copied to {copied.path}{lost}. `%durable store sqlite:///{copied.path}` goes on with it"


def _push(notebook: Notebook, words: Words) -> str:
    return verbs.carried_text(verbs.push(notebook.engine, *_id_and_url("push", words)))


def _pull(notebook: Notebook, words: Words) -> str:
    return verbs.carried_text(verbs.pull(notebook.engine, *_id_and_url("pull", words)))


def _id_and_url(verb: str, words: Words) -> tuple[str, str | None]:
    if not words.plain:
        raise SDKUsageError(f"which request, and which store? %durable {verb} ID URL")
    return words.plain[0], words.plain[1] if len(words.plain) > 1 else None


def _trust(notebook: Notebook, words: Words) -> str:
    if not words.plain:
        raise SDKUsageError(
            "whose key? Values that another user signed are loaded once you have that user's key file: "
            "%durable trust PATH_OF_KEY. Values that are damaged cannot be trusted; replay with --rerun NAME"
        )
    added = verbs.trust(notebook.engine, words.plain[0])
    return f"trusted: key {', '.join(added)}" if added else "that key is trusted already"


def _display(notebook: Notebook, words: Words) -> str:
    wanted = {"display": "".join(words.plain), "save_view": words.options.get("save-view", "")}
    changes = {name: value for name, value in wanted.items() if value}
    settings = notebook.engine.configure(changes) if changes else notebook.engine.settings
    return f"display = {settings.display}, save_view = {settings.save_view}"


def _once(notebook: Notebook, words: Words) -> str:
    if words.plain and words.plain[0] not in ("on", "off"):
        raise SDKUsageError(f"%durable once takes on or off, not {words.plain[0]!r}")
    if words.plain:
        notebook.once = words.plain[0] == "on"
    if notebook.once:
        return "once is on: every cell goes on with its last request, and executes only what changed"
    return "once is off: after a success a cell starts a new request"


def _gc(notebook: Notebook, words: Words) -> str:
    age = verbs.seconds_of(words.options.get("older-than", "30d"))
    dry_run = "dry-run" in words.options
    return answers.swept(verbs.gc(notebook.engine, age, dry_run=dry_run), dry_run)


def _doctor(notebook: Notebook, words: Words) -> str:
    del words
    return answers.findings([*verbs.doctor(notebook.engine), *page_part.findings(os.environ)])


Verb = Callable[[Notebook, Words], str | None]
VERBS: Final[Mapping[str, Verb]] = {
    "list": _list,
    "show": _show,
    "tree": _tree,
    "inputs": _inputs,
    "output": _output,
    "logs": _logs,
    "preview": _preview,
    "replay": _replay,
    "fork": _fork,
    "cancel": _cancel,
    "debug": _debug,
    "deploy": _deploy,
    "export": _export,
    "once": _once,
    "pin": _pin,
    "delete": _delete,
    "gc": _gc,
    "store": _store,
    "copy": _copy,
    "push": _push,
    "pull": _pull,
    "trust": _trust,
    "display": _display,
    "doctor": _doctor,
}
NAMES_CALL: Final = frozenset({"inputs", "output", "debug", "logs"})
_HELP: Final = frozenset({"--help", "-h", "help"})
HELP: Final = "%durable {verb} --help says more"


def read(verb: str, words: Iterable[str]) -> Words:
    """The words after a verb. Raises `SDKUsageError` that names the word and what the verb takes."""
    known = ENTRIES[verb]
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
        if known.options[name].value and not equals:
            value = next(pending, "")
            if not value:
                wanted = known.options[name].value
                raise SDKUsageError(f"%durable {verb}: {word} needs a value, {wanted}; {HELP.format(verb=verb)}")
        options[name] = f"{options[name]},{value}" if known.options[name].many and name in options else value
    if len(plain) > known.most:
        raise SDKUsageError(f"%durable {verb}: too many words. Usage: {known.usage(verb)}; {HELP.format(verb=verb)}")
    return Words(tuple(plain), options)


class DurableMagics:
    """`%durable` and `%%durable`."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook

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

    line.__doc__ = manual.WHOLE

    def _run(self, words: list[str]) -> str | None:
        notebook = self._notebook
        if not words:
            return answers.overview(verbs.overview(notebook.engine), notebook.engine.clock.now())
        name, *rest = words
        if name in _HELP:
            return manual.of_verb(rest[0]) if rest and rest[0] in VERBS else manual.WHOLE
        if name not in VERBS:
            cell = "; options of a cell stand behind %%durable" if name.startswith("-") else ""
            raise SDKUsageError(f"%durable {name}: there is no such verb; there are {', '.join(VERBS)}{cell}")
        if not _HELP.isdisjoint(rest[:1]):
            return manual.of_verb(name)
        return VERBS[name](notebook, read(name, rest))

    def cell(self, line: str, cell: str) -> None:
        del line, cell
        raise UsageError(NOT_FIRST)

    cell.__doc__ = manual.CELL


def complete(engine: Engine, line: str) -> list[str]:
    """What may come next in a line of `%durable`."""
    said = line.split()
    typed = "" if line.endswith(" ") or not said else said[-1]
    before = said[1:] if not typed else said[1:-1]
    if not before:
        return [verb for verb in VERBS if verb.startswith(typed)]
    verb = ENTRIES.get(before[0])
    if verb is None:
        return []
    if typed.startswith("-"):
        options = [f"--{option}" for option in (*verb.options, "help")]
        return [option for option in options if option.startswith(typed)]
    words = {"once": ("on", "off"), "display": DISPLAYS}.get(before[0])
    if words is not None:
        return [word for word in words if word.startswith(typed)]
    if not verb.most or before[0] in ("store", "copy", "pull", "trust"):
        return []
    found = ["last", *(info.id for info in verbs.listing(engine, Filter(limit=50)))]
    if before[0] in NAMES_CALL or before[-1] == "--from":
        id = before[1] if len(before) > 1 and not before[1].startswith("-") else "last"
        try:
            found += verbs.call_names(verbs.find(engine, id))
        except DurableError:
            return []
    return [word for word in found if word.startswith(typed)]
