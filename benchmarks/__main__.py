"""`python -m benchmarks`: all cases, or those named; a table, and lines of JSON where `--json` says."""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.cases import CASES
from benchmarks.measure import SIZES, Figure, read_figure


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="case", help=f"of {', '.join(CASES)}; all when none is named")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--long", action="store_const", const="long", dest="size", help="with a million calls")
    sizes.add_argument("--smallest", action="store_const", const="smallest", dest="size", help="does it run at all")
    parser.add_argument("--json", metavar="FILE", help="write the figures there, one line of JSON each; - for stdout")
    parser.add_argument("--folder", help="where stores are made: the disk that is measured (default: temporary files)")
    parser.set_defaults(size="normal")
    arguments = parser.parse_args(given)
    unknown = set(arguments.cases) - set(CASES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(CASES)}")
    return arguments


def _chosen(arguments: argparse.Namespace) -> list[str]:
    return arguments.cases or [name for name in CASES if name != "million" or SIZES[arguments.size].million]


def _figures(name: str, size: str, folder: str | None, broken: list[str]) -> Iterator[Figure]:
    """Run one case in a process and a folder of its own; its name goes to `broken` when it does not end well."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        environment = {**os.environ, "JUPYTER_DATA_DIR": f"{own}/jupyter"}
        command = [sys.executable, "-m", "benchmarks.cases", name, size, own]
        ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        printed = ran.stdout
        if ran.returncode:
            broken.append(name)
    yield from (figure for line in printed.splitlines() if (figure := read_figure(line)) is not None)


def _row(figure: Figure) -> tuple[str, ...]:
    floor = f"{figure.floor:,.1f} {figure.unit} {figure.against}" if figure.floor is not None else ""
    ratio = f"{figure.ratio:.2f}x" if figure.ratio is not None else ""
    bar = f"{figure.ratio_bar:g}x" if figure.ratio_bar is not None else ""
    if figure.bar is not None:
        bar = f"{figure.bar:g} {figure.unit}"
    return figure.case, figure.name, f"{figure.value:,.1f} {figure.unit}", floor, ratio, bar, figure.verdict()


def table(figures: Iterable[Figure]) -> str:
    """Figures as text, in columns."""
    rows = [("case", "what", "figure", "floor", "ratio", "bar", ""), *map(_row, figures)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def main(given: list[str] | None = None) -> int:
    """Run, print; 0 unless a case broke."""
    arguments = _arguments(given)
    figures: list[Figure] = []
    broken: list[str] = []
    for name in _chosen(arguments):
        print(f"{name} …", file=sys.stderr, flush=True)
        figures += _figures(name, arguments.size, arguments.folder, broken)
    lines = "".join(figure.line() + "\n" for figure in figures)
    if arguments.json == "-":
        print(lines, end="")
        return len(broken)
    if arguments.json:
        Path(arguments.json).write_text(lines, encoding="utf-8")
    print(table(figures))
    if broken:
        print(f"\nBroke, with what they printed above: {', '.join(broken)}")
    machine = f"{os.cpu_count()} cores, {platform.system()}"
    print(f"\nPython {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {machine}")
    return len(broken)


if __name__ == "__main__":
    sys.exit(main())
