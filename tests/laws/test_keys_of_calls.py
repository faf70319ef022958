"""The idempotency key of a call that is killed right after it was read is that of its replay, and no other call's."""

from __future__ import annotations

from pathlib import Path

from tests.laws.scripts import answer, executions, start


def keys(folder: Path, mutant: str = "") -> list[list[str]]:
    """What read which key, in order, in a run that was killed and in the replay of it, which takes another path."""
    assert answer(start("keyed", folder, mutant), 100) is None
    (folder / "second").touch()
    assert answer(start("keyed", folder, mutant), 100) == "paid"
    return [line.split() for line in (folder / "keys").read_text().splitlines()]


def test_a_key_that_was_read_is_that_of_its_call_for_ever(tmp_path: Path) -> None:
    """The service that was asked before the kill knows the call again."""
    first, other, again = keys(tmp_path)
    assert executions(tmp_path) == ["pay", "pay"]
    assert first == again
    assert other[1] != first[1]


def test_a_key_whose_start_is_not_durable_is_found(tmp_path: Path) -> None:
    """The planted bug: another call is given it, and the service takes that for the first one."""
    first, other, _ = keys(tmp_path, "key of a start that is not durable")
    assert other[1] == first[1]
