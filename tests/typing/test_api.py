"""The public API as a type checker sees it: `api.py`, read by mypy as in the project and without its ignores."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
API = Path(__file__).with_name("api.py")


def mypy(file: Path) -> subprocess.CompletedProcess[str]:
    """mypy with the settings of the project."""
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), str(file)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_what_is_right_passes_and_what_is_wrong_is_an_error() -> None:
    """An ignored line that is no error fails here: mypy is strict about unused ignores."""
    checked = mypy(API)
    assert checked.returncode == 0, checked.stdout


def test_every_ignored_line_is_reported_by_its_own_code(tmp_path: Path) -> None:
    text = API.read_text()
    bare = tmp_path / "api.py"
    bare.write_text(re.sub(r"  # type: ignore.*", "", text))
    reported = {int(line): code for line, code in re.findall(r":(\d+): error: .*\[(\S+)\]", mypy(bare).stdout)}
    expected = {n for n, line in enumerate(text.splitlines(), start=1) if "# type: ignore" in line}
    assert set(reported) == expected
    assert len(expected) >= 15
