"""Nothing leaves that must not: credentials, and paths of somebody's home."""

from __future__ import annotations

import getpass
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_durable.errors import ExportError
from jupyter_durable.export.project import plan
from jupyter_durable.export.selection import (
    DataFile,
    EnvironmentKey,
    LocalModule,
    Piece,
    PieceKind,
    Section,
    Selection,
)
from tests.export.selections import brief_selection

KEY = "sk-abcdefghijklmnopqrstuvwxyz123456"


def with_piece(text: str, kind: PieceKind = "constant") -> Selection:
    usual = brief_selection()
    return replace(usual, pieces=[*usual.pieces, Piece(8, kind, text, ("X",))])


@pytest.mark.parametrize(
    "text",
    [
        f'X = "{KEY}"',
        'API_KEY = "correct-horse-battery"',
        'X = dict(password="correct-horse-battery")',
        'X = "postgresql://user:correct-horse@host/db"',
        f'def f():\n    return "{KEY}"',
        f'X = b"{KEY}"',
    ],
)
def test_a_credential_in_the_code_is_refused_with_its_cell_and_never_shown(text: str) -> None:
    with pytest.raises(ExportError, match=r"cell 8.*os\.environ") as caught:
        plan(with_piece(text), "server")
    assert "correct-horse" not in caught.value.message
    assert KEY not in caught.value.message


@pytest.mark.parametrize("home", ["/home/somebody", "/Users/Some.One", "C:\\\\Users\\\\Somebody", str(Path.home())])
def test_a_path_of_a_home_in_the_code_is_refused_with_its_cell(home: str) -> None:
    with pytest.raises(ExportError, match=r"cell 8.*relative to the notebook"):
        plan(with_piece(f'X = "{home}/data.csv"'), "server")


@pytest.mark.parametrize(
    "text", ['X = "/homepage/x"', 'X = "https://a.b/home/x"', 'X = "/usr/share/home/x"', 'X = "token"']
)
def test_what_only_looks_like_one_is_written(text: str) -> None:
    assert plan(with_piece(text), "server")


def test_comments_and_markdown_are_cleared() -> None:
    usual = brief_selection()
    piece = Piece(8, "constant", f"X = 1  # was {KEY}, from /home/somebody/x", ("X",))
    section = Section(7, f"Use `{KEY}` on /Users/someone/Desktop")
    planned = plan(replace(usual, pieces=[*usual.pieces, section, piece]), "server")
    text = planned["src/brief_of_documents/application.py"].decode()
    assert "X = 1  # was ***, from ~/x" in text
    assert "# Use `***` on ~/Desktop" in text
    assert all(KEY.encode() not in data and b"someone" not in data for data in planned.values())


def test_modules_files_and_bundled_values_are_looked_at_too(tmp_path: Path) -> None:
    usual = brief_selection()
    with pytest.raises(ExportError, match="module helpers"):
        plan(replace(usual, modules=(LocalModule("helpers", False, f'KEY = "{KEY}"\n'),)), "server")
    with pytest.raises(ExportError, match="bundled value of `SETTINGS`"):
        plan(replace(usual, bundled={"SETTINGS": b'{"password": "correct-horse"}'}), "server")
    (tmp_path / "rows.csv").write_text(f"a,{KEY}\n")
    with pytest.raises(ExportError, match=r"rows\.csv"):
        plan(replace(usual, files=(DataFile(Path("rows.csv"), 3),)), "server", directory=tmp_path)


def test_the_value_of_a_variable_that_the_code_reads_stands_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may look like anything: what is secret is what the environment holds."""
    monkeypatch.setenv("MODEL_ACCESS", "plainlookingword")
    keys = (EnvironmentKey("MODEL_ACCESS", 2),)
    with pytest.raises(ExportError, match="credential"):
        plan(replace(with_piece('X = "plainlookingword"'), environment=keys), "server")


def test_an_export_names_neither_the_user_nor_a_place_of_this_machine(tmp_path: Path) -> None:
    for path, data in plan(brief_selection(), "server", directory=tmp_path).items():
        assert str(tmp_path).encode() not in data, path
        assert str(Path.home()).encode() + b"/" not in data, path
        if len(getpass.getuser()) > 4:
            assert getpass.getuser().encode() not in data, path
