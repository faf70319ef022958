"""Our `NamedTuple` makes what that of `typing` makes."""

from __future__ import annotations

import pickle
import re
import typing

import pytest

from jupyter_durable.records import NamedTuple
from tests.conftest import ROOT


class Ours(NamedTuple):
    """A record."""

    name: str
    at: int | None = None
    """A field may have a text below it."""
    more: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        return f"{self.name} at {self.at}"

    def later(self, by: int) -> Ours:
        return self._replace(at=(self.at or 0) + by)


class Typed(typing.NamedTuple):
    """A record."""

    name: str
    at: int | None = None
    more: tuple[str, ...] = ()


def test_fields_defaults_and_names_are_those_of_the_class_statement() -> None:
    for said in ("_fields", "_field_defaults", "__doc__", "__module__", "__match_args__", "__bases__"):
        assert getattr(Ours, said) == getattr(Typed, said)
    assert (Ours.__name__, Ours.__qualname__) == ("Ours", "Ours")
    assert typing.get_type_hints(Ours) == typing.get_type_hints(Typed)


def test_a_record_is_a_plain_tuple_with_the_methods_of_its_class() -> None:
    made = Ours("a", more=("b",))
    assert type(made).__mro__ == (Ours, tuple, object)
    assert made.later(2).later(1).told == "a at 3"
    assert repr(made) == "Ours(name='a', at=None, more=('b',))"
    assert not hasattr(made, "__dict__")
    assert made == ("a", None, ("b",))


def test_a_record_is_pickled_by_the_name_of_its_class() -> None:
    assert type(pickle.loads(pickle.dumps(Ours("a")))) is Ours


def test_a_missing_field_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="name"):
        Ours()  # type: ignore[call-arg]


def test_no_other_file_makes_records_by_typing() -> None:
    files = (ROOT / "jupyter_durable").rglob("*.py")
    by_typing = re.compile(r"^\s*from typing import .*\bNamedTuple\b", re.MULTILINE)
    assert [path.name for path in files if by_typing.search(path.read_text("utf-8"))] == ["records.py"]
