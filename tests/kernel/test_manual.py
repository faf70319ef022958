"""Help reads well in a window of 80 columns: in the kernel's pager, on `--help`, and on the command line."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from jupyter_durable.cli.app import app
from jupyter_durable_kernel.magics import VERBS
from jupyter_durable_kernel.verbs import manual
from tests.kernel.conftest import ANSI, Kernel

COLUMNS = 80
COMMANDS = sorted(name or "" for name in typer.main.get_group(app).commands)


def laid_out(text: str) -> None:
    """No line is too long, nothing dangles, and explanations stand in one column."""
    lines = text.split("\n")
    assert [line for line in lines if len(line) > COLUMNS] == []
    assert [line for line in lines if line != line.rstrip()] == []
    assert "\n\n\n" not in text
    assert "\t" not in text
    rows = [line for line in lines if re.match(r" {2,4}\S", line)]
    columns = {match.end() for row in rows if (match := re.match(r" +\S+(?: \S+)* {2,}(?=\S)", row)) is not None}
    assert len(columns) <= 2, rows  # those of arguments or commands, and those of options
    for row, after in itertools.pairwise(lines):
        if re.match(r" {10,}\S", after):  # a sentence goes on in its column
            assert len(after) - len(after.lstrip()) in {*columns, len(row) - len(row.lstrip())}, (row, after)


@pytest.mark.parametrize("text", [manual.WHOLE, manual.CELL], ids=["%durable?", "%%durable?"])
def test_the_help_of_the_magics_is_laid_out(text: str) -> None:
    """As written."""
    laid_out(text)


@pytest.mark.parametrize("verb", manual.ENTRIES)
def test_the_help_of_a_verb_is_laid_out_and_names_all_it_takes(verb: str) -> None:
    """Usage, a sentence, and a row for each word and option."""
    text = manual.of_verb(verb)
    laid_out(text)
    usage, empty, sentence, *_ = text.split("\n")
    assert usage.startswith(f"%durable {verb}")
    assert empty == ""
    assert re.fullmatch(r"[A-Z].*[^.]\.", sentence)
    for option in manual.ENTRIES[verb].options:
        assert f"    --{option}" in text


def test_every_verb_has_its_entry() -> None:
    """And every entry its verb."""
    assert set(VERBS) == set(manual.ENTRIES)
    for verb in VERBS:
        assert re.search(rf"^    {verb}\b", manual.WHOLE, re.MULTILINE)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_the_help_of_a_command_is_laid_out_in_words(command: str) -> None:
    """No marks of the parser stand in it; a bracket says that a word may be left out."""
    ran = CliRunner().invoke(app, [*command.split(), "--help"], terminal_width=COLUMNS, prog_name="jupyter durable")
    assert ran.exit_code == 0
    laid_out(ran.output.rstrip("\n"))
    said = ran.output.replace("{namespace}", "")  # which is typed so
    for mark in ("<", "{", "[[", "range", "default:", "second", "required"):
        assert mark not in said, mark


@pytest.mark.full
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_a_terminal_of_80_columns_shows_it_so(command: str) -> None:
    """The same from the outside."""
    words = [sys.executable, "-m", "jupyter_durable.cli", *command.split(), "--help"]
    environment = {**os.environ, "COLUMNS": str(COLUMNS)}
    ran = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    laid_out(ran.stdout.rstrip("\n"))


def test_the_kernel_shows_it_and_says_it_on_request(kernel: Kernel) -> None:
    """In the pager of `?`, for a verb, and for all."""
    for asked, text in (("%durable", manual.WHOLE), ("%%durable", manual.CELL)):
        (page,) = kernel.run(f"{asked}?").reply["payload"]
        assert text.strip() in ANSI.sub("", page["data"]["text/plain"])
    assert kernel.run("%durable replay --help").stdout == manual.of_verb("replay") + "\n"
    assert kernel.run("%durable help fork").stdout == manual.of_verb("fork") + "\n"
    for asked in ("%durable --help", "%durable -h", "%durable help"):
        assert kernel.run(asked).stdout.strip() == manual.WHOLE.strip()
    assert "%%durable? shows its help" in kernel.run("%%durable --help\ndef f(): pass").error


def test_a_mistake_names_the_help(kernel: Kernel) -> None:
    """One line that does not repeat it."""
    said = kernel.run("%durable replay a b c").stderr
    assert "too many words. Usage: %durable replay [ID] [OPTIONS]; %durable replay --help says more" in said
    assert "needs a value, CALL" in kernel.run("%durable replay --from").stderr
