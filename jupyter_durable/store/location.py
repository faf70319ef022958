"""Where stores lie. The default one: the Jupyter data directory, found as jupyter_core finds it, without importing it.

Rules of this file
- What is shown of a store's URL goes through `shown`, whatever kind of store it is.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jupyter_durable.files import make_folder


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


def _own_path() -> Path:
    return data_directory(os.environ, sys.platform, Path.home()).absolute() / "durable"


def own_folder() -> Path:
    """The folder that is ours in the Jupyter data directory, made where it is missing. Raises `OSError`.

    Earlier versions left its rights to the umask; it holds the key, so that others lose what they have there.
    """
    path = _own_path()
    make_folder(path)
    found = os.lstat(path)
    if hasattr(os, "geteuid") and found.st_uid == os.geteuid() and stat.S_ISDIR(found.st_mode) and found.st_mode & 0o77:
        with contextlib.suppress(OSError):  # not possible on every file system; who reads the key looks again
            os.chmod(path, 0o700)
    return path


def default_url() -> str:
    """URL of the store that is used when none is configured."""
    return f"sqlite:///{_own_path() / 'store.db'}"


_SECRET: Final = ("password", "sslpassword", "passfile", "sslkey", "options")


def shown(url: str) -> str:
    """The URL of a store without the password in it."""
    scheme, _, rest = url.partition(":")
    if scheme in ("sqlite", "memory") or not rest.startswith("//"):
        return url
    from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

    try:
        parts = urlsplit(url)
    except ValueError:  # no URL at all
        return f"{scheme}://***"
    user, at, hosts = parts.netloc.rpartition("@")
    given = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in _SECRET]
    netloc = user.partition(":")[0] + at + hosts
    return urlunsplit(parts._replace(netloc=netloc, query=urlencode(given, safe="/"), fragment=""))
