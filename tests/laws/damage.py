"""Damages a store in many ways and replays it: `python -B -m tests.laws.damage FOLDER SEED COUNT [MUTANT]`.

Prints JSON: how many damages of each kind were made, what became of them, and every one that went unseen. A value that
is served must be the recorded one; else there is an error of ours, or the call executes again.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from jupyter_durable.client import list_requests, run_local_application
from jupyter_durable.errors import DurableError
from jupyter_durable.serializer.signing import KeyVoucher
from tests.crash.case import in_fork, open_engine, preload
from tests.crash.shapes import START
from tests.crash.witness import ACKNOWLEDGED, STARTED, Witness, holder, read_log, short

SOURCE: Final = """
import os
@function()
def small(i): return ran(f"small{i}")
@function()
def number(i): return {"value": ran(f"number{i}"), "at": i / 3}
@function()
def large(i): return ran(f"large{i}", 80_000)
@function()
def array(i):
    import array as arrays
    return arrays.array("d", ran(f"array{i}", 88).encode() * 200)
@function()
def keep(i):
    value = ran(f"keep{i}")
    RequestContext.get().state.set("kept", value)
    return value
@function()
def over(i):
    value = ran(f"over{i}")
    got(f"small{i}", small(i))
    return value
@application()
def flow():
    for i in range(4):
        got(f"small{i}", small(i))
        got(f"number{i}", number(i))
    for i in range(2):
        got(f"large{i}", large(i))
        got(f"array{i}", array(i))
        got(f"keep{i}", keep(i))
        got(f"state{i}", RequestContext.get().state.get("kept"))
        got(f"over{i + 10}", over(i + 10))
    for i, value in enumerate(small.map(range(20, 24))):
        got(f"small{i + 20}", value)
    if not os.environ.get("GO_ON"):
        raise OSError("stopped here, so that a replay has something to do")
    return "done"
"""
Damage = Callable[[Path, random.Random], None]


def flip(data: bytearray, draw: random.Random) -> None:
    for _ in range(draw.choice((1, 1, 1, 2, 8))):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def flip_file(home: Path, draw: random.Random) -> None:
    path = home / "store.db"
    data = bytearray(path.read_bytes())
    flip(data, draw)
    path.write_bytes(data)


def zero_page(home: Path, draw: random.Random) -> None:
    path = home / "store.db"
    data = bytearray(path.read_bytes())
    at = draw.randrange(len(data) // 512) * 512
    data[at : at + 512] = bytes(512)
    path.write_bytes(data)


def cut_file(home: Path, draw: random.Random) -> None:
    os.truncate(home / "store.db", draw.randrange((home / "store.db").stat().st_size))


def blob_files(home: Path) -> list[Path]:
    return sorted(path for path in (home / "store.db.blobs").rglob("*") if path.is_file())


def flip_blob(home: Path, draw: random.Random) -> None:
    path = draw.choice(blob_files(home))
    data = bytearray(path.read_bytes())
    flip(data, draw)
    path.write_bytes(data)


def cut_blob(home: Path, draw: random.Random) -> None:
    path = draw.choice(blob_files(home))
    os.truncate(path, draw.randrange(path.stat().st_size))


def swap_blobs(home: Path, draw: random.Random) -> None:
    one, other = draw.sample(blob_files(home), 2)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def flip_column(home: Path, draw: random.Random) -> None:
    """A bit of a value, a signature, a reference, an input, a state, or of the code."""
    table, column = draw.choice(
        [("call", name) for name in ("value", "value", "mac", "blob", "inputs", "writes", "digest", "codec")]
        + [("request", "input"), ("code", "data"), ("code", "mac")]
    )
    with sqlite3.connect(home / "store.db") as connection:
        key = "identity" if table == "call" else "rowid"
        rows = connection.execute(f"SELECT {key}, {column} FROM {table} WHERE length({column}) > 0").fetchall()
        where, held = draw.choice(rows)
        data = bytearray(held.encode() if isinstance(held, str) else held)
        flip(data, draw)
        kept: Any = data.decode("latin-1") if isinstance(held, str) else bytes(data)
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (kept, where))
    connection.close()


def swap_rows(home: Path, draw: random.Random) -> None:
    """Two calls of one function exchange their values, with or without what belongs to them."""
    columns = draw.choice((("value", "blob"), ("value", "blob", "mac", "codec"), ("mac",), ("writes",), ("inputs",)))
    names = ", ".join(columns)
    with sqlite3.connect(home / "store.db") as connection:
        name = draw.choice(("small", "number", "large", "keep", "array", "over"))
        found = connection.execute(f"SELECT identity, {names} FROM call WHERE name = ? AND kind <> 'map'", (name,))
        one, other = draw.sample(found.fetchall(), 2)
        sets = ", ".join(f"{column} = ?" for column in columns)
        connection.execute(f"UPDATE call SET {sets} WHERE identity = ?", (*other[1:], one[0]))
        connection.execute(f"UPDATE call SET {sets} WHERE identity = ?", (*one[1:], other[0]))
    connection.close()


def exchange_identities(home: Path, draw: random.Random) -> None:
    """Two rows exchange their places in the journal, whole."""
    with sqlite3.connect(home / "store.db") as connection:
        found = connection.execute("SELECT parent, identity FROM call WHERE name = 'small' AND kind = 'function_call'")
        (parent, one), (above, other) = draw.sample(found.fetchall(), 2)
        change = "UPDATE call SET identity = ? WHERE parent = ? AND identity = ?"
        connection.execute(change, (99_999, parent, one))
        connection.execute(change, (one, above, other))
        connection.execute(change, (other, parent, 99_999))
    connection.close()


def change_type(home: Path, draw: random.Random) -> None:
    """Something of another type stands in a column, as a bit in the head of a row does it."""
    with sqlite3.connect(home / "store.db") as connection:
        table = draw.choice(("call", "call", "call", "request", "reached", "run", "code"))
        columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})") if name != "serial"]
        column = draw.choice(columns)
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        if count:
            row = connection.execute(f"SELECT * FROM {table} LIMIT 1 OFFSET ?", (draw.randrange(count),)).fetchone()
            names = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
            where = " AND ".join(f"{name} IS ?" for name in names)
            foreign: Any = draw.choice(("text", b"\xff\x00bytes", 7, -1, 2.5, b"", ""))
            connection.execute(f"UPDATE OR IGNORE {table} SET {column} = ? WHERE {where}", (foreign, *row))
    connection.close()


DAMAGES: Final[tuple[Damage, ...]] = (
    flip_file, zero_page, cut_file, flip_blob, cut_blob, swap_blobs, flip_column, flip_column, swap_rows,
    swap_rows, exchange_identities, change_type,
)  # fmt: skip


def outputs() -> dict[str, str]:
    """What the calls that succeeded say that they returned, by their identities; refused ones are left out."""
    found: dict[str, str] = {}
    for request in list_requests():
        for call in request.calls():
            if call.kind in ("function_call", "map_item") and call.status == "succeeded":
                with suppress(DurableError):
                    found[str(call.identity)] = short(call.output())
    return found


def record(base: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Run the workload until it stops; the values its callers got by their keys, and those of all calls."""

    def body() -> dict[str, Any]:
        engine = open_engine(base / "home")
        holder[:] = [Witness(os.open(base / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT), 0, lambda: None)]
        exec(START + SOURCE, vars(sys.modules["__main__"]))
        run_local_application(vars(sys.modules["__main__"])["flow"])
        returned = outputs()
        engine.store.close()
        return {"outputs": returned}

    (base / "home").mkdir(parents=True)
    said = in_fork(body, base).result
    assert not said.get("error"), said["error"]
    assert len(said["outputs"]) == len(set(said["outputs"].values())), "each call has a value of its own"
    events = read_log((base / "log").read_text())
    return {event.key: event.detail for event in events if event.kind == ACKNOWLEDGED}, said["outputs"]


def replay(home: Path, log: Path, mutant: str | None) -> dict[str, Any]:
    """Replay a damaged store, and read it; what its errors were."""
    if mutant == "signatures not checked":
        KeyVoucher.flaw = lambda *_: None  # type: ignore[method-assign]
    os.environ["GO_ON"] = "1"
    holder[:] = [Witness(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT), 0, lambda: None)]
    returned: dict[str, str] = {}
    typed = ""
    try:
        engine = open_engine(home)
        returned = outputs()
        for request in list_requests():
            request.replay()
            if request.status == "succeeded":
                request.output()
            elif not isinstance(request.error, DurableError):
                return {"error": f"the request failed with {request.error!r}"}
            else:
                typed = type(request.error.__cause__ or request.error).__name__
        engine.store.check()
        engine.store.close()
    except DurableError as error:
        return {"error": "", "typed": type(error).__name__, "outputs": returned}
    return {"error": "", "typed": typed, "outputs": returned}


def main(base: Path, seed: int, count: int, mutant: str | None) -> dict[str, Any]:
    preload()
    recorded, returned = record(base)
    made: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    unseen = []
    for number in range(count):
        draw = random.Random(seed * 1_000_003 + number)
        damage = DAMAGES[number % len(DAMAGES)]
        folder = base / "damaged"
        shutil.copytree(base / "home", folder)
        log = base / "log-again"
        log.write_text("")
        damage(folder, draw)
        said = in_fork(lambda: replay(folder, log, mutant), base).result  # noqa: B023 - it runs at once
        shutil.rmtree(folder)
        events = read_log(log.read_text())
        executed = {event.key for event in events if event.kind == STARTED}
        served = {event.key: event.detail for event in events
                  if event.kind == ACKNOWLEDGED and event.key not in executed}  # fmt: skip
        if executed & {"keep0", "keep1"}:
            served = {key: value for key, value in served.items() if not key.startswith("state")}
        wrong = [f"{key} = {value}, not {recorded[key]}" for key, value in served.items() if value != recorded[key]]
        wrong += [
            f"output of call {identity} = {value}, not {returned.get(identity)}"
            for identity, value in said.get("outputs", {}).items()
            if value != returned.get(identity)
        ]
        made[damage.__name__] += 1
        if said["error"] or wrong:
            unseen.append(f"seed {seed}, damage {number} ({damage.__name__}): {said['error'][-1500:]} {wrong}")
        else:
            ends[said["typed"] or ("executed again" if executed else "served")] += 1
    return {"made": made, "ends": ends, "unseen": unseen}


if __name__ == "__main__":
    folder, seed, count, *mutants = sys.argv[1:]
    print(json.dumps(main(Path(folder), int(seed), int(count), mutants[0] if mutants else None)))
