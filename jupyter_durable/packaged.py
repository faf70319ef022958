"""An application that was exported: its module stands where the notebook stood.

Rules of this file
- The module of an exported application is executed as `__main__`, as the notebook was: its functions and classes have
  the names that they had there. So a value that was pickled as `__main__.Doc` comes back as one of its `Doc`, equal
  text has equal code hashes and equal arguments equal digests: what had succeeded in the notebook is served, unmarked.
- It is found under its own name, too, so that code which imports it has the same functions.
- A reference names such a module in the place of a snapshot of code: whoever runs it imports it from where it is
  installed. It holds a digest of the package, so that another text is another version.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import sys
import traceback
from collections.abc import Iterator
from importlib.abc import InspectLoader
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from jupyter_durable.client import deploying
from jupyter_durable.client.engine import Engine
from jupyter_durable.code.modules import STANDS_IN
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.function import Spec

MAIN: Final = "__main__"
_HEAD: Final = b"jupyter-durable package 1\n"


def enter(module: str) -> ModuleType:
    """Execute the module of an application as `__main__`. Raises `SDKUsageError` where it cannot be imported."""
    before = sys.modules[MAIN], sys.modules.get(module)
    try:
        spec = importlib.util.find_spec(module)
        if spec is None or not isinstance(spec.loader, InspectLoader) or spec.origin is None:
            raise ImportError(f"there is no module {module}")
        code = spec.loader.get_code(module)
        made = importlib.util.module_from_spec(spec)
        made.__name__ = MAIN
        vars(made)[STANDS_IN] = module.partition(".")[0]
        sys.modules[MAIN] = sys.modules[module] = made
        assert code is not None
        exec(code, vars(made))
    except Exception as error:  # the module is the user's code, which may raise anything as it is imported
        _leave(module, *before)
        raise SDKUsageError(f"{module} cannot be imported: {_reason(error)}") from error
    except BaseException:
        _leave(module, *before)
        raise
    return made


def _leave(module: str, main: ModuleType, before: ModuleType | None) -> None:
    sys.modules[MAIN] = main
    if before is not None:
        sys.modules[module] = before
    else:
        sys.modules.pop(module, None)


def _reason(error: Exception) -> str:
    """What an import raised, and in which line: the traceback is that of the import machinery for the most part."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames[1:] if not frame.filename.startswith("<") and Path(frame.filename).is_file()]
    place = next((frame for frame in own if "importlib" not in frame.filename), None)
    where = f" ({Path(place.filename).name}, line {place.lineno})" if place is not None else ""
    return f"{type(error).__name__}: {error}{where}"


@contextlib.contextmanager
def entered(module: str) -> Iterator[ModuleType]:
    """As `enter`, until the end of the block; what was imported under that name before is there again then."""
    before = sys.modules[MAIN], sys.modules.get(module)
    try:
        yield enter(module)
    finally:
        _leave(module, *before)


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
