"""An application that was exported: its module stands where the notebook stood.

Rules of this file
- The module of an exported application takes the place of `__main__` while it runs. So the functions of a request that
  began in the notebook are those of the module, a value that was pickled as `__main__.Doc` comes back as one of its
  `Doc`, and equal text has equal code hashes: what had succeeded in the notebook is served, and nothing runs twice.
- A reference names such a module in the place of a snapshot of code: whoever runs it imports it from where it is
  installed. It holds a digest of the package, so that another text is another version.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from jupyter_durable.client import deploying
from jupyter_durable.client.engine import Engine
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.function import Spec

MAIN: Final = "__main__"
_HEAD: Final = b"jupyter-durable package 1\n"


def enter(module: str) -> ModuleType:
    """Import the module of an application; it stands for `__main__` from now on. Raises `SDKUsageError`."""
    try:
        found = importlib.import_module(module)
    except Exception as error:  # the module is the user's code, which may raise anything as it is imported
        raise SDKUsageError(f"{module} cannot be imported: {_reason(error)}") from error
    sys.modules[MAIN] = found
    return found


def _reason(error: Exception) -> str:
    """What an import raised, and in which line: the traceback is that of the import machinery for the most part."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    place = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if len(own) > 1 else ""
    return f"{type(error).__name__}: {error}{place}"


@contextlib.contextmanager
def entered(module: str) -> Iterator[ModuleType]:
    """As `enter`, until the end of the block."""
    before = sys.modules[MAIN]
    try:
        yield enter(module)
    finally:
        sys.modules[MAIN] = before


def application_of(name: str | None = None) -> Spec:
    """The application of a name in the module that was entered, or the only one. Raises `SDKUsageError`."""
    found = deploying.applications_here([name] if name else [])
    if len(found) > 1:
        raise SDKUsageError(f"which application? Say --app {' or --app '.join(spec.name for spec in found)}")
    return found[0]


def manifests(engine: Engine) -> list[dict[str, Any]]:
    """Every application of the module that was entered, as a server and its clients know it."""
    return [deploying.manifest_of(engine, spec) for spec in deploying.applications_here()]


# a module in the place of a snapshot


def reference(module: str) -> bytes:
    """What names a module that was imported, and the text of its package."""
    package = module.partition(".")[0]
    digest = hashlib.blake2b(digest_size=16)
    for folder in sys.modules[package].__path__:
        for path in sorted(Path(folder).rglob("*.py")):
            digest.update(f"{path.relative_to(folder).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return _HEAD + json.dumps({"module": module, "digest": digest.hexdigest()}).encode()


def referred(code: bytes) -> str | None:
    """The module that is named; None where this is a snapshot of code."""
    if not code.startswith(_HEAD):
        return None
    module: str = json.loads(code.removeprefix(_HEAD))["module"]
    return module
