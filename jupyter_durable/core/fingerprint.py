"""The fingerprint of a call: its place in its request.

Rules of this file
- Tensorlake's documented rule: kind, function name, fingerprint of the parent, sequence number in the parent.
  Argument values are never in it.
- The parent of the root is the empty byte string, so that the same code has the same fingerprints in every request.
- `model.FINGERPRINT_RULE` is the version of this rule. Changing a byte here means raising it.
"""

from __future__ import annotations

from typing import Final

from jupyter_durable.hashes import blake2b

__all__ = ["NO_PARENT", "fingerprint"]

NO_PARENT: Final = b""
"""What stands for the parent of a root call."""


def fingerprint(kind: str, name: str, parent: bytes, seq: int) -> bytes:
    """16 bytes that say where a call stands: `seq` counts from 0 in the body of the call with fingerprint `parent`."""
    return blake2b(b"%b\0%d\0%b\0%b" % (parent, seq, kind.encode(), name.encode()), digest_size=16).digest()
