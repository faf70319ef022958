"""BLAKE2b and the comparison of MACs, as `hashlib` and `hmac` hand them on.

Rules of this file
- Those two load OpenSSL, which takes as long as twenty of our files and is needed for neither.
"""

from __future__ import annotations

try:
    from _blake2 import blake2b
    from _operator import _compare_digest as compare_digest
except ImportError:  # a Python built without its own
    from hashlib import blake2b
    from hmac import compare_digest  # type: ignore[no-redef]

__all__ = ["blake2b", "compare_digest"]
