"""The edge of an application: its input and output as JSON, by its type hints.

Rules of this file
- A value goes through JSON here exactly as it will when the application is deployed: dump, then validate.
- `File`, `HttpBody` and `Headers` pass as they are.
- What is not JSON is an error that names the way out; what JSON changes is reported by path, for one warning.
- pydantic is imported with the first value, not with this file: it costs as much as the rest of the library.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_durable.errors import InputMismatch, SDKUsageError, SerializationError
from jupyter_durable.records import NamedTuple
from jupyter_durable.serializer.digest import value_digest
from jupyter_durable.serializer.digesting import Digesting
from jupyter_durable.values import File, Headers, HttpBody

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = ["JsonArguments", "JsonEdge", "JsonValue"]

MAX_CHANGES: Final = 20
"""How many changed paths are reported for one value."""
FAULTS: Final = 3
"""How many faults of a value that does not fit its hint are told."""

_UNSAID: Final = frozenset({"__pydantic_fields_set__"})
"""Which fields of a model were set, which JSON does not say: after it all are."""
_RAW: Final = (File, HttpBody, Headers)
_NUMBERS: Final = (int, float)
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_PLURAL: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class JsonArguments(NamedTuple):
    """Arguments as the application gets them, the paths of what JSON changed (`items[0]`), and what it does not take
    (`argument 2`, `nmae`)."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    changed: list[str]
    ignored: list[str]


class JsonValue(NamedTuple):
    """An output as JSON (None for a raw one), as whoever asked for it gets it, and the paths of what JSON changed."""

    data: bytes | None
    value: Any
    changed: list[str]


class JsonEdge:
    """Input and output of one application. `bound`: a method, whose first parameter is not an argument."""

    def __init__(self, fn: Callable[..., Any], *, bound: bool = False) -> None:
        self._name = fn.__qualname__.rpartition("<locals>.")[2]
        parameters = list(inspect.signature(fn).parameters.values())
        self._parameters = parameters[1:] if bound else parameters
        try:
            self._hints = typing.get_type_hints(fn, include_extras=True)
        except (NameError, TypeError) as error:
            raise SDKUsageError(f"the type hints of application {self._name} cannot be read: {error}") from error
        self._adapters: dict[str, Any] = {}

    def decode_input(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> JsonArguments:
        """The arguments after their way through JSON. Those that the application does not take are ignored.

        Raises `SDKUsageError` for missing arguments, `InputMismatch` for what does not fit a hint, `SerializationError`
        for what is not JSON.
        """
        signature = inspect.Signature(self._parameters)
        takes, names = self._takes()
        known = {name: value for name, value in kwargs.items() if names is None or name in names}
        try:
            bound = signature.bind(*args[:takes], **known)
        except TypeError as error:
            raise SDKUsageError(f"application {self._name}{signature}: {error}") from error
        changed: list[str] = []
        for name, value in bound.arguments.items():
            bound.arguments[name] = self._argument(signature.parameters[name], value, changed)
        ignored = [f"argument {at + 1}" for at in range(len(args))[takes:]] + [
            each for each in kwargs if each not in known
        ]
        return JsonArguments(bound.args, bound.kwargs, changed[:MAX_CHANGES], ignored[:MAX_CHANGES])

    def encode_input(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by place ("0") or name, each as JSON, `File` and `HttpBody` as they are: as they are sent.

        Raises as `decode_input`.
        """
        taken = self.decode_input(args, kwargs)
        names = [each.name for each in self._parameters]
        sent = {str(at): self._sent(names[min(at, len(names) - 1)], each) for at, each in enumerate(taken.args)}
        return sent | {name: self._sent(name, each) for name, each in taken.kwargs.items()}

    def _sent(self, hinted: str, value: Any) -> Any:
        return value if isinstance(value, _RAW) else self._adapter(hinted).dump_json(value, warnings=False)

    def decode_output(self, data: bytes) -> Any:
        """An output that was sent as JSON, by the type hint. Raises `SerializationError`."""
        from pydantic import ValidationError

        try:
            return self._adapter("return").validate_json(data)
        except ValidationError as error:
            raise SerializationError(
                f"the output of application {self._name} does not fit its type hint here: {_faults(error)}"
            ) from error

    def schema_of(self, hinted: str) -> dict[str, Any]:
        """The JSON schema of a parameter, or of `return`. Raises `SerializationError` for a hint without one."""
        from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError, PydanticUserError

        hint = self._hints.get(hinted, Any)
        if inspect.isclass(hint) and issubclass(hint, _RAW):
            return {"type": "string", "format": "binary", "x-raw": hint.__name__}
        try:
            mode: Any = "serialization" if hinted == "return" else "validation"
            schema: dict[str, Any] = self._adapter(hinted).json_schema(mode=mode)
        except (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError, PydanticUserError) as error:
            raise SerializationError(
                f"`{hinted}` of application {self._name}: its type hint has no JSON schema. Give it one that JSON knows"
            ) from error
        return schema

    def hint_of(self, hinted: str) -> Any:
        """The type hint of a parameter, or of `return`."""
        return self._hints.get(hinted, Any)

    @property
    def parameters(self) -> list[inspect.Parameter]:
        """The parameters that are arguments."""
        return self._parameters

    def encode_output(self, value: object) -> JsonValue:
        """The output as JSON and after its way through it. Raises `SerializationError`."""
        if isinstance(value, _RAW):
            return JsonValue(None, value, [])
        data, again = self._through("return", value, "result", 'output_serializer="pickle"', SerializationError)
        return JsonValue(data, again, list(_changes("result", value, again))[:MAX_CHANGES])

    def _takes(self) -> tuple[int | None, frozenset[str] | None]:
        """How many positional arguments there may be, and the names of the others; None where any may."""
        kinds = {each.kind for each in self._parameters}
        positional = [each for each in self._parameters if each.kind in _POSITIONAL]
        return (
            None if inspect.Parameter.VAR_POSITIONAL in kinds else len(positional),
            None if inspect.Parameter.VAR_KEYWORD in kinds else frozenset(each.name for each in self._parameters),
        )

    def _argument(self, parameter: inspect.Parameter, value: Any, changed: list[str]) -> Any:
        """One argument, or those that `*args` and `**kwargs` take up: the hint is of each."""
        name = parameter.name
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            return tuple(self._one(name, f"{name}[{at}]", item, changed) for at, item in enumerate(value))
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            return {key: self._one(name, key, item, changed) for key, item in value.items()}
        return self._one(name, name, value, changed)

    def _one(self, hinted: str, path: str, value: Any, changed: list[str]) -> Any:
        if isinstance(value, _RAW):
            return value
        _, again = self._through(hinted, value, path, 'input_deserializer="pickle"', InputMismatch)
        changed.extend(_changes(path, value, again))
        return again

    def _through(
        self, hinted: str, value: Any, path: str, remedy: str, misfit: type[SerializationError]
    ) -> tuple[bytes, Any]:
        from pydantic import PydanticSchemaGenerationError, PydanticUserError, ValidationError
        from pydantic_core import PydanticSerializationError

        where = f"`{path}` of application {self._name}"
        out = f"Give it a type that JSON knows, or say @application({remedy})"
        try:
            adapter = self._adapter(hinted)
            data: bytes = adapter.dump_json(value, warnings=False)
            return data, adapter.validate_json(data)
        except (PydanticSchemaGenerationError, PydanticUserError) as error:
            raise SerializationError(f"{where}: its type hint has no JSON form. {out}") from error
        except (PydanticSerializationError, UnicodeDecodeError, RecursionError) as error:
            raise SerializationError(f"{where} is not JSON: {error}. {out}") from error
        except ValidationError as error:
            raise misfit(f"{where} does not fit its type hint: {_faults(error)}") from error

    def _adapter(self, hinted: str) -> Any:
        if hinted not in self._adapters:
            from pydantic import TypeAdapter

            self._adapters[hinted] = TypeAdapter(self._hints.get(hinted, Any))
        return self._adapters[hinted]


def _faults(error: ValidationError) -> str:
    """What pydantic found, in one line without its links."""
    found = error.errors(include_url=False, include_context=False)
    told = [
        ".".join(map(str, each["loc"])) + (": " if each["loc"] else "") + f"{each['msg']}, not {each['input']!r:.80}"
        for each in found[:FAULTS]
    ]
    return "; ".join(told) + (f"; and {len(found) - FAULTS} more" if len(found) > FAULTS else "")


def _changes(path: str, before: Any, after: Any) -> Iterator[str]:
    """Where the two differ. 1 and 1.0 do not: JSON has one kind of number. Nor a list and what a map returns."""
    if type(before) is not type(after) and not (isinstance(before, list) and type(after) is list):
        numbers = type(before) in _NUMBERS and type(after) in _NUMBERS and before == after
        if not numbers:
            yield path
    elif isinstance(before, dict):
        if list(before) != list(after) or [*map(type, before)] != [*map(type, after)]:
            yield f"{path} (its keys)"
            return
        for key, item in before.items():
            yield from _changes(f"{path}[{key!r}]", item, after[key])
    elif isinstance(before, (list, tuple)) and len(before) == len(after):
        for at, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _changes(f"{path}[{at}]", one, other)
    elif value_digest(before, Digesting(aside=_UNSAID))[0] != value_digest(after, Digesting(aside=_UNSAID))[0]:
        yield path
