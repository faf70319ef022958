"""Where the default store lies: the Jupyter data directory, found as jupyter_core finds it, without importing it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def data_directory(environment: Mapping[str, str], platform: str, home: Path) -> Path:
    """The Jupyter data directory for an environment, `sys.platform` and a home directory."""
    named = environment.get("JUPYTER_DATA_DIR")
    if named:
        return Path(named)
    by_platform = environment.get("JUPYTER_PLATFORM_DIRS", "no").lower() not in (
        "",
        "no",
        "n",
        "false",
        "off",
        "0",
        "0.0",
    )
    if platform == "darwin":
        return home / "Library" / ("Application Support/Jupyter" if by_platform else "Jupyter")
    if platform == "win32":
        if by_platform:
            return Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local", "Jupyter")
        roaming = environment.get("APPDATA")
        config = Path(environment.get("JUPYTER_CONFIG_DIR") or home / ".jupyter")
        return Path(roaming, "jupyter") if roaming else config / "data"
    return Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share", "jupyter")


def default_url() -> str:
    """URL of the store that is used when none is configured."""
    directory = data_directory(os.environ, sys.platform, Path.home())
    return f"sqlite:///{directory.absolute() / 'durable' / 'store.db'}"
