"""What a law expects to be refused, said without a test framework: the suite runs where none is installed.

Rules of this file
- An error of another type goes on as it is: it says more than that the expected one did not come.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator


@contextlib.contextmanager
def raises(kind: type[BaseException], match: str = "") -> Iterator[None]:
    """Expect an error of `kind` whose text holds the pattern `match`. Raises `AssertionError`."""
    try:
        yield
    except kind as error:
        if re.search(match, str(error)) is None:
            raise AssertionError(f"{type(error).__name__} does not say {match!r}: {error}") from error
    else:
        raise AssertionError(f"nothing was refused; {kind.__name__} was expected")
