"""`configure(...)`: settings of this process, and where each of them came from.

Rules of this file
- Later sources win: default, `[tool.jupyter-durable]` of the nearest pyproject.toml, `JUPYTER_DURABLE_…` environment
  variables, `configure(...)`.
- `configure` changes only the keys it is given; nothing at all when one of them is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from jupyter_durable.errors import SDKUsageError
from jupyter_durable.options import EXECUTORS, LATER_EXECUTORS, MAX_TIMEOUT
from jupyter_durable.records import NamedTuple
from jupyter_durable.runner.settings import INPUT_BYTES, SLOTS
from jupyter_durable.serializer.digesting import BUDGET_SECONDS
from jupyter_durable.store.location import default_url, shown

DISPLAYS: Final = ("auto", "mime", "html", "text", "widget")
MAX_BUDGET: Final = 3600
SAVE_VIEWS: Final = ("full", "summary", "none")
PREFIX: Final = "JUPYTER_DURABLE_"
UNITS: Final = {"": 1, "B": 1, "KIB": 1024, "MIB": 1024**2, "KB": 1000, "MB": 1000**2}


class Settings(NamedTuple):
    """What holds in this process; `sources` says where each key came from."""

    store: str = ""
    """URL of the store."""
    executor: str | None = None
    max_concurrency: int = SLOTS
    """Calls that run beside each other at most."""
    default_timeout: float | None = None
    """Seconds, for functions that say nothing; None: no limit."""
    display: str = "auto"
    """In which form a notebook shows requests."""
    save_view: str = "full"
    """What of a view is saved in the notebook."""
    inputs: int = INPUT_BYTES
    """Bytes of arguments kept with each call; 0: none."""
    reprint: bool = False
    """In a cell that goes on with its request, what served calls had printed is printed once more, marked."""
    fresh: bool = False
    """Every cell and every script begins a request of its own, as with `--fresh`."""
    digest_budget: float = BUDGET_SECONDS
    """About how many seconds a look at the arguments of a call may take; what takes longer is not compared by value."""
    otel: bool = False
    """Requests and calls are traced, where a tracer provider of OpenTelemetry was set up."""
    server: str = ""
    """URL of the server that deployed applications run on; that of the store where that is a server, if unsaid."""
    sources: Mapping[str, str] = MappingProxyType({})

    def __repr__(self) -> str:
        values = {name: getattr(self, name) for name in self._fields if name != "sources"} | {
            "store": shown(self.store)
        }
        return "\n".join(f"{name} = {value!r}  ({self.sources.get(name, 'default')})" for name, value in values.items())

    def changed(self, values: Mapping[str, Any], source: str) -> Settings:
        """With these keys from `source`. Raises `SDKUsageError` that names the key, its value and what it takes."""
        known = {*self._fields} - {"sources"}
        checked: dict[str, Any] = {}
        for name, value in values.items():
            if name not in known:
                raise SDKUsageError(f"{source}: unknown setting {name!r}; known are {', '.join(sorted(known))}")
            checked[name] = _CHECKS[name](name, value, source)
        return self._replace(**checked, sources={**self.sources, **dict.fromkeys(checked, source)})


def _text(name: str, value: Any, source: str) -> str:
    if not isinstance(value, str) or not value:
        raise SDKUsageError(f"{source}: {name} must be a text, not {value!r}")
    return value


def _server(name: str, value: Any, source: str) -> str:
    if value == "":
        return ""
    from jupyter_durable.store.http.origin import origin_of

    try:
        return origin_of(_text(name, value, source)).url
    except SDKUsageError as error:
        raise SDKUsageError(f"{source}: {name}: {error}") from None


def _executor(name: str, value: Any, source: str) -> str | None:
    if value in LATER_EXECUTORS:
        raise SDKUsageError(f"{source}: {name}={value!r} is not built yet; use one of {', '.join(EXECUTORS)}")
    if value is not None and value not in EXECUTORS:
        raise SDKUsageError(f"{source}: {name} must be one of {', '.join(EXECUTORS)}, not {value!r}")
    return value  # type: ignore[no-any-return]


def _one_of(known: tuple[str, ...], name: str, value: Any, source: str) -> str:
    if value not in known:
        raise SDKUsageError(f"{source}: {name} must be one of {', '.join(known)}, not {value!r}")
    return str(value)


def _slots(name: str, value: Any, source: str) -> int:
    number = _number(name, value, source)
    if number != int(number) or number < 1:
        raise SDKUsageError(f"{source}: {name} must be a whole number >= 1, not {value!r}")
    return int(number)


def _seconds(name: str, value: Any, source: str) -> float | None:
    if value in (None, "", "none", "None"):
        return None
    number = _number(name, value, source)
    if not 1 <= number <= MAX_TIMEOUT:
        raise SDKUsageError(f"{source}: {name} must be seconds from 1 to {MAX_TIMEOUT}, or None, not {value!r}")
    return number


def _budget(name: str, value: Any, source: str) -> float:
    number = _number(name, value, source)
    if not 0 < number <= MAX_BUDGET:
        raise SDKUsageError(f"{source}: {name} must be seconds above 0 and up to {MAX_BUDGET}, not {value!r}")
    return number


def _number(name: str, value: Any, source: str) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise SDKUsageError(f"{source}: {name} must be a number, not {value!r}") from None


def _flag(name: str, value: Any, source: str) -> bool:
    known = {True: True, False: False, "1": True, "true": True, "0": False, "false": False, "": False}
    flag = known.get(value.lower() if isinstance(value, str) else value)
    if flag is None:
        raise SDKUsageError(f"{source}: {name} must be true or false, not {value!r}")
    return flag


def _bytes(name: str, value: Any, source: str) -> int:
    """`65536`, `"64KiB"`, `"1MB"`."""
    text = str(value).strip().upper()
    digits = text.rstrip("BIKM")
    unit = text[len(digits) :]
    if unit not in UNITS or not digits.strip().isdigit():
        raise SDKUsageError(f'{source}: {name} must be a size such as "64KiB", not {value!r}')
    return int(digits) * UNITS[unit]


_CHECKS: Final[Mapping[str, Callable[[str, Any, str], Any]]] = {
    "store": _text,
    "executor": _executor,
    "max_concurrency": _slots,
    "default_timeout": _seconds,
    "display": partial(_one_of, DISPLAYS),
    "save_view": partial(_one_of, SAVE_VIEWS),
    "inputs": _bytes,
    "reprint": _flag,
    "fresh": _flag,
    "digest_budget": _budget,
    "otel": _flag,
    "server": _server,
}


def load(environment: Mapping[str, str], directory: Path) -> Settings:
    """Settings from the environment and the pyproject.toml at or above `directory`."""
    settings = Settings(store=default_url())
    for folder in (directory, *directory.parents):
        path = folder / "pyproject.toml"
        if path.is_file():
            table = _table(path)
            settings = settings.changed({name.replace("-", "_"): value for name, value in table.items()}, str(path))
            break
    given = {name.removeprefix(PREFIX).lower(): name for name in environment if name.startswith(PREFIX)}
    for secret in ("token", "key"):  # no settings: nothing shows them
        given.pop(secret, None)
    for name, variable in given.items():
        settings = settings.changed({name: environment[variable]}, variable)
    return settings


_TABLE: Final = r"""tool["']?[ \t]*(\.[ \t]*["']?jupyter-durable|[\]=])|\\[uU]"""
"""Stands in every file that has a table of ours, in whichever way it is written."""


def _table(path: Path) -> dict[str, Any]:
    # Files of other projects are not ours to judge: whoever they are for will say what is wrong with them.
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    if re.search(_TABLE, text) is None:  # most files; to parse one takes a tenth of the time to the first call
        return {}
    import tomllib

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}
    table = data.get("tool", {}).get("jupyter-durable", {})
    return table if isinstance(table, dict) else {}
