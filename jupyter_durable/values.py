"""Values with a meaning of their own: files, HTTP bodies and headers, and the image a function asks for.

Rules of this file
- Standard library and errors only: these types are seen by users, servers and exports alike.
- `File`, `HttpBody` and `Headers` pass the edge of an application as they are, never through JSON.
- An `Image` records what was asked for; it builds nothing.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from jupyter_durable.errors import DeserializationError, SDKUsageError
from jupyter_durable.records import NamedTuple

__all__ = ["File", "Headers", "HttpBody", "Image"]


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """Bytes with a media type, as input or output of an application."""

    content: bytes
    content_type: str

    def __post_init__(self) -> None:
        _check_bytes("File", self.content)


@dataclasses.dataclass(frozen=True, slots=True)
class HttpBody:
    """The body of an HTTP request, as it came."""

    content: bytes
    content_type: str | None = None

    def __post_init__(self) -> None:
        _check_bytes("HttpBody", self.content)

    def text(self) -> str:
        """The body as text, by the charset of its content type, else UTF-8. Raises `DeserializationError`."""
        from email.message import Message  # costs 10 ms: only for those who ask

        message = Message()
        message["content-type"] = self.content_type or ""
        charset = message.get_content_charset("utf-8")
        try:
            return self.content.decode(charset)
        except (LookupError, UnicodeDecodeError) as error:
            raise DeserializationError(f"the body is not text in {charset}: {error}") from error

    def json(self) -> Any:
        """The body read as JSON. Raises `DeserializationError`."""
        try:
            return json.loads(self.text())
        except (ValueError, RecursionError) as error:
            raise DeserializationError(f"the body is not JSON: {error}") from error


def _check_bytes(kind: str, content: object) -> None:
    if not isinstance(content, bytes):
        raise SDKUsageError(f"{kind}(content=…) takes bytes, not {type(content).__qualname__}")


_TELLING: Final = re.compile(r"authorization|cookie|token|secret|key|passw|credential|signature|session")


class Headers(Mapping[str, str]):
    """HTTP headers: names in any case, each with one value or several. Reading one gives its first value.

    The repr masks what by its name is a credential; what is read is as it came.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        pairs = items.items() if isinstance(items, Mapping) else items
        self._items = tuple((name.lower(), value) for name, value in pairs)

    @classmethod
    def from_json(cls, text: str | None) -> Headers:
        """The headers in a JSON array of name, value pairs. Raises `ValueError` for anything else."""
        try:
            pairs = json.loads(text) if text else []
        except RecursionError:
            raise ValueError("headers are pairs of texts, not nested lists") from None
        if not isinstance(pairs, list) or any(
            not isinstance(pair, list) or [type(each) for each in pair] != [str, str] for pair in pairs
        ):
            raise ValueError("headers are pairs of texts")
        return cls(pairs)

    def __getitem__(self, name: str) -> str:
        for known, value in self._items:
            if known == name.lower():
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._items))

    def __len__(self) -> int:
        return len(dict(self._items))

    def __eq__(self, other: object) -> bool:
        return sorted(self._items) == sorted(other._items) if isinstance(other, Headers) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(sorted(self._items)))

    def __repr__(self) -> str:
        return f"Headers({[(name, '***' if _TELLING.search(name) else value) for name, value in self._items]!r})"

    def getlist(self, name: str) -> list[str]:
        """All values of one header, in order; empty when it is not there."""
        return [value for known, value in self._items if known == name.lower()]

    def multi_items(self) -> list[tuple[str, str]]:
        """All (name, value) pairs in order, names in lower case."""
        return list(self._items)


class Instruction(NamedTuple):
    """One line of an image: `RUN`, `COPY`, `ADD`, `ENV` or `WORKDIR`, its arguments and its `--name=value` options."""

    verb: str
    arguments: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()

    def line(self) -> str:
        """As it stands in a Dockerfile."""
        if self.verb == "ENV":
            name, value = self.arguments
            quoted = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'ENV {name}="{quoted}"'
        return " ".join([self.verb, *(f"--{name}={value}" for name, value in self.options), *self.arguments])


class Image:
    """What a function runs on: a base image and the instructions to add to it, in order. Every verb returns `self`."""

    def __init__(self, name: str = "default", tag: str = "latest", base_image: str = "python:3.14-trixie") -> None:
        self.name = name
        self.tag = tag
        self.base_image = base_image
        self.instructions: list[Instruction] = []

    def add(self, src: str, dest: str, options: Mapping[str, str] | None = None) -> Image:
        """`ADD src dest`."""
        return self._then("ADD", (src, dest), options)

    def copy(self, src: str, dest: str, options: Mapping[str, str] | None = None) -> Image:
        """`COPY src dest`."""
        return self._then("COPY", (src, dest), options)

    def env(self, key: str, value: str) -> Image:
        """`ENV key="value"`."""
        return self._then("ENV", (key, value), None)

    def run(self, commands: str | list[str], options: Mapping[str, str] | None = None) -> Image:
        """`RUN command`, one for each."""
        for command in [commands] if isinstance(commands, str) else commands:
            self._then("RUN", (command,), options)
        return self

    def workdir(self, directory: str) -> Image:
        """`WORKDIR directory`."""
        return self._then("WORKDIR", (directory,), None)

    def dockerfile(self) -> str:
        """The text of a Dockerfile that builds this image."""
        return "\n".join([f"FROM {self.base_image}", *(each.line() for each in self.instructions)]) + "\n"

    def _then(self, verb: str, arguments: tuple[str, ...], options: Mapping[str, str] | None) -> Image:
        for text in (*arguments, *(options or {}).values()):
            if not isinstance(text, str):
                raise SDKUsageError(f"Image.{verb.lower()} takes text, not {type(text).__qualname__} ({text!r})")
        self.instructions.append(Instruction(verb, arguments, tuple((options or {}).items())))
        return self

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if isinstance(other, Image) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.name, self.tag, self.base_image))

    def __repr__(self) -> str:
        return f"Image({self.name}:{self.tag}, from {self.base_image}, {len(self.instructions)} instructions)"
