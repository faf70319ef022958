"""Which modules are the user's own.

Rules of this file
- A module is local unless it is built in, or lies under the interpreter's library or a site-packages folder. Neither
  the working directory nor where the notebook lies decides anything.
- An editable install is local: its files lie where they are edited. So is the package of an exported application,
  wherever it was installed, while its module runs as `__main__`.
"""

from __future__ import annotations

import functools
import os
import site
import sys
from typing import Final

from jupyter_durable import static

_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})
_OURS: Final = frozenset({"jupyter_durable", "jupyter_durable_kernel", "jupyter_durable_server"})

STANDS_IN: Final = "__durable_package__"
"""In `__main__`: the package of an exported application, whose module is executed there."""


def is_local(module: str) -> bool:
    """Whether a loaded module is the user's own, not a library."""
    if _is_ours(module):
        return False
    if _stands_in(module):
        return True
    content = static.attributes(sys.modules.get(module))
    filename = content.get("__file__")
    if filename is None:
        return any(not _is_installed(os.path.join(folder, "")) for folder in _folders(content.get("__path__")))
    return type(filename) is str and not _is_installed(filename)


def is_file_local(module: str, filename: str) -> bool:
    """The same of a module that is not loaded, by the file it would be loaded from."""
    return not _is_ours(module) and (_stands_in(module) or not _is_installed(filename))


def _stands_in(module: str) -> bool:
    """Whether a module is of the package of which one runs as `__main__`."""
    return static.attributes(sys.modules.get("__main__")).get(STANDS_IN) == module.partition(".")[0]


def name_beside(module: str) -> str:
    """The name that a module had beside the notebook, before the package of an exported application stood in it."""
    package = static.attributes(sys.modules.get("__main__")).get(STANDS_IN)
    return module.removeprefix(f"{package}.") if type(package) is str else module


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in _OURS


def _folders(path: object) -> list[str]:
    """The folders of a namespace package, which has no file of its own."""
    kept = static.attributes(path).get("_path", path)
    return [folder for folder in kept if type(folder) is str] if type(kept) is list else []


@functools.lru_cache(maxsize=4096)
def _is_installed(filename: str) -> bool:
    # Links are followed for the folder only: installers link single files to their cache, users link a folder.
    folder = os.path.realpath(os.path.dirname(filename)) + os.sep
    return not _INSTALLED.isdisjoint(folder.split(os.sep)) or folder.startswith(_library_folders())


@functools.cache
def _library_folders() -> tuple[str, ...]:
    import sysconfig  # for code that uses modules

    paths = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    paths += [*site.getsitepackages(), site.getusersitepackages()]
    return tuple(os.path.realpath(path) + os.sep for path in paths if path)
