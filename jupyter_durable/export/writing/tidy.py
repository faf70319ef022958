"""Formatting with ruff, where it is installed.

Rules of this file
- Nothing of what the code does is changed: imports are sorted, lines are laid out, and what ruff's default rules would
  still say of the notebook's own code is marked where it stands.
- Without ruff the text stays as it was written, which is tidy, too.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SECONDS: Final = 120
_REAL: Final = "F821,F822,F823"
"""Names that nothing defines: these are faults, and never marked as if they were meant."""


def ruff() -> str | None:
    """The program, of this environment or of the path."""
    beside = Path(sys.executable).with_name("ruff")
    return str(beside) if beside.is_file() else shutil.which("ruff")


def tidied(texts: Mapping[str, str], package: str, python: str) -> dict[str, str]:
    """Python files by their path, formatted; as they are where ruff is not there or cannot read one of them."""
    program = ruff()
    if program is None or not texts:
        return dict(texts)
    with tempfile.TemporaryDirectory(prefix="durable-export-") as name:
        folder = Path(name)
        for path, text in texts.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, "utf-8")
        version = f"py{python.replace('.', '')}"
        how = ["--isolated", "--quiet", "--no-cache", "--target-version", version]
        first = ["--config", f'lint.isort.known-first-party = ["{package}"]']
        rules = ["--extend-ignore", _REAL]
        for words in (
            ["check", *how, *first, "--select", "I", "--fix-only"],
            ["format", *how],
            ["check", *how, *rules, "--add-noqa"],
        ):
            command = [program, *words, "."]
            done = subprocess.run(command, cwd=folder, capture_output=True, timeout=SECONDS, check=False)
            if done.returncode > 1:
                return dict(texts)
        return {path: (folder / path).read_text("utf-8") for path in texts}
