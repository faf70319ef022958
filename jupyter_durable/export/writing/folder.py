"""Files into a directory: all of them, or none.

Rules of this file
- Everything is written and on the disk beside the directory before the first file is put into its place.
- A directory that is not there appears whole, by one rename. In one that is there files are exchanged one by one, what
  stood there being kept until the last: an error puts it back at once, and what a kill left, the next export puts back
  before it does anything else.
- Exports into one directory take turns, and a file that is not as it was looked at is not exchanged: somebody has
  edited it since.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from jupyter_durable.errors import ExportError
from jupyter_durable.export.writing.manifest import digest
from jupyter_durable.files import locked_folder, sync_directory

_JOURNAL: Final = "journal.json"
_NEW, _OLD = "new", "old"
_NOTHING: Final[Mapping[str, str | None]] = MappingProxyType({})


def _prefix(directory: Path) -> str:
    return f".{directory.name}.durable-export-"


@contextlib.contextmanager
def turn(directory: Path) -> Iterator[None]:
    """No other export changes the directory meanwhile, or takes what this one prepares for left behind."""
    with contextlib.ExitStack() as held:
        try:
            directory.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked_folder(directory.parent))
        except OSError as error:
            raise _failed(error, directory) from error
        yield


def put(
    files: Mapping[str, bytes], removed: Iterable[str], directory: Path, seen: Mapping[str, str | None] = _NOTHING
) -> None:
    """Write files and remove others, in a `turn`. Raises `ExportError`; then the directory is as it was.

    `seen`: the SHA-256 of what was looked at, by path, None where nothing stood. What is otherwise now is not touched.
    """
    try:
        prepared = Path(tempfile.mkdtemp(prefix=_prefix(directory), dir=directory.parent))
    except OSError as error:
        raise _failed(error, directory) from error
    try:
        for path, data in files.items():
            _write(prepared / _NEW / path, data)
        if not directory.exists():
            (prepared / _NEW).mkdir(exist_ok=True)
            os.rename(prepared / _NEW, directory)
            sync_directory(directory.parent)
        else:
            _keep(prepared, [*files, *removed], directory, seen)
            _exchange(prepared, list(files), list(removed), directory)
    except OSError as error:
        raise _failed(error, directory) from error
    finally:
        shutil.rmtree(prepared, ignore_errors=True)


def _failed(error: OSError, directory: Path) -> ExportError:
    return ExportError(
        f"nothing was exported: {directory} cannot be written ({error.strerror or error}); it is as it was"
    )


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _keep(prepared: Path, paths: list[str], directory: Path, seen: Mapping[str, str | None]) -> None:
    """Copy what stands there. Raises `ExportError` for what is not as it was looked at."""
    for path in paths:
        there = directory / path
        if there.is_dir() and not there.is_symlink():
            raise IsADirectoryError(21, f"a directory stands where {path} is to be")
        if os.path.lexists(there):
            (prepared / _OLD / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(there, prepared / _OLD / path, follow_symlinks=False)
        kept = prepared / _OLD / path
        if path in seen and seen[path] != (digest(kept.read_bytes()) if kept.exists() else None):
            raise ExportError(
                f"{path} was changed in {directory} while the export was being written; nothing was written: look at "
                "it, and export again"
            )


def _exchange(prepared: Path, written: list[str], removed: list[str], directory: Path) -> None:
    """Put what is prepared into its place; what stands there was kept."""
    _write(prepared / "journal", json.dumps([*written, *removed]).encode())
    os.rename(prepared / "journal", prepared / _JOURNAL)
    sync_directory(prepared)
    try:
        for path in written:
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(prepared / _NEW / path, directory / path)
        for path in removed:
            (directory / path).unlink(missing_ok=True)
            _prune(directory, path)
    except BaseException:  # an interrupt too: half an export is none
        _undo(prepared, directory)
        raise
    (prepared / _JOURNAL).unlink()  # from here on it is done


def restore(directory: Path) -> bool:
    """Put back what an export that was killed has left; whether there was one. Raises `ExportError`."""
    undone = False
    try:
        for left in directory.parent.glob(f"{_prefix(directory)}*"):
            if (left / _JOURNAL).exists():
                _undo(left, directory)
                undone = True
            shutil.rmtree(left, ignore_errors=True)
    except (OSError, ValueError) as error:
        raise ExportError(
            f"an export into {directory} was killed, and what it replaced cannot be put back ({error}): it lies in "
            f"{directory.parent} under {_prefix(directory)}…/{_OLD}"
        ) from error
    return undone


def _undo(prepared: Path, directory: Path) -> None:
    """What stood there before the journal was written stands there again. May be done twice."""
    paths: list[str] = json.loads((prepared / _JOURNAL).read_bytes())
    for path in paths:
        kept = prepared / _OLD / path
        if os.path.lexists(kept):
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            beside = prepared / "restored"
            shutil.copy2(kept, beside, follow_symlinks=False)
            os.replace(beside, directory / path)
        else:
            (directory / path).unlink(missing_ok=True)
            _prune(directory, path)
    (prepared / _JOURNAL).unlink()


def _prune(directory: Path, path: str) -> None:
    """Remove the folders above a path that are empty now."""
    above = (directory / path).parent
    while above != directory:
        with contextlib.suppress(FileNotFoundError):
            try:
                above.rmdir()
            except OSError:  # something is in it
                return
        above = above.parent
