"""Records in memory, and rows with few fields to write."""

from __future__ import annotations

from jupyter_durable.core.model import ArgumentsDecide, CallRow, Kind, Reached, Status

RUN_1, RUN_2, RUN_3, RUN_9 = (run << 16 | 1 for run in (1, 2, 3, 9))


def digest(argument: object) -> bytes:
    return repr(argument).encode().ljust(16, b".")


def row(identity: int, seq: int, name: str, argument: object, **changes) -> CallRow:
    base = CallRow(
        parent=1,
        identity=identity,
        pass_no=RUN_1,
        seq=seq,
        kind=Kind.FUNCTION,
        name=name,
        status=Status.SUCCEEDED,
        flags=0,
        digest=digest(argument),
        code=b"",
        attempts=1,
        started_at=0.0,
        duration=1.0,
        codec="plain",
        value=repr((name, argument)).encode(),
        blob=None,
        mac=None,
        inputs=None,
        writes=None,
        children=0,
        result=None,
    )
    return base._replace(**changes)


class Records:
    """`Recorded` over lists that the test may change while a matcher reads them."""

    def __init__(self, rows=(), reached=(), decided=()) -> None:
        self.rows: dict[int, CallRow] = {one.identity: one for one in rows}
        self.stretches: list[Reached] = list(reached)
        self.decisions: list[ArgumentsDecide] = list(decided)
        self.read = 0

    def page(self, after: int, limit: int) -> list[CallRow]:
        found = [self.rows[identity] for identity in sorted(self.rows) if identity > after][:limit]
        self.read += len(found)
        return found

    def reached(self) -> list[Reached]:
        return self.stretches

    def decided(self) -> list[ArgumentsDecide]:
        return self.decisions

    def row(self, identity: int) -> CallRow:
        return self.rows[identity]
