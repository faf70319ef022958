"""What is kept of a failure: the frames that are the user's, and no credentials."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from jupyter_durable.code.credentials import masked

_STANDARD: Final = Path(os.__file__).parent
ENGINE_FOLDERS: Final = tuple(
    str(folder.resolve()) + os.sep
    for folder in (Path(__file__).parent.parent, _STANDARD / "concurrent" / "futures", _STANDARD / "asyncio")
)
"""Ours, and those through which our threads and loops pass a user's exception on."""


def is_user_frame(filename: str) -> bool:
    """Whether a frame of a traceback is the user's, not the engine's."""
    return not filename.startswith(ENGINE_FOLDERS)


def without_credentials(failure: dict[str, Any]) -> dict[str, Any]:
    """A failure whose texts say no credential. The exception itself is a value, kept as it was raised."""
    masking = dict(failure)
    masking["text"] = masked(failure["text"])
    masking["notes"] = [masked(note) for note in failure["notes"]]
    masking["frames"] = [[*frame[:3], masked(frame[3])] for frame in failure["frames"]]
    for chained in ("cause", "context"):
        if chained in failure:
            masking[chained] = without_credentials(failure[chained])
    if "dual" in failure:
        masking["dual"] = {**failure["dual"], "of": without_credentials(failure["dual"]["of"])}
    if "group" in failure:
        masking["group"] = {
            "message": masked(failure["group"]["message"]),
            "members": [without_credentials(member) for member in failure["group"]["members"]],
        }
    return masking


def as_text(failure: dict[str, Any]) -> dict[str, Any]:
    """A failure that is only shown: without the exception, and without credentials."""
    kept = without_credentials(failure)
    for part in (kept, kept.get("dual", {}).get("of"), kept.get("cause"), kept.get("context")):
        if part is not None and "value" in part:
            part["value"] = None
    return kept
