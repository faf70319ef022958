"""`python -m jupyter_durable.testing.conformance STORE`: hold a store to the laws, and say which it breaks."""

from __future__ import annotations

import argparse
import importlib
import sys
import traceback
from collections.abc import Callable
from typing import cast

from jupyter_durable.errors import DurableError, SDKUsageError
from jupyter_durable.store import open_store
from jupyter_durable.store.base import Store
from jupyter_durable.testing.conformance import SharedStoreConformance, StoreConformance, broken_laws


def main() -> int:
    """Exit code 0: it keeps all laws; 1: it breaks some; 2: they could not be tried."""
    parser = argparse.ArgumentParser(prog="python -m jupyter_durable.testing.conformance", description=__doc__)
    parser.add_argument("store", help="URL of an empty store, or MODULE:FUNCTION that opens one, the same each time")
    parser.add_argument("--alone", action="store_true", help="leave out the laws of a store that is opened twice")
    asked = parser.parse_args()
    suite = StoreConformance if asked.alone or asked.store.startswith("memory:") else SharedStoreConformance
    try:
        broken = broken_laws(suite, opener(asked.store), _say)
    except DurableError as error:
        print(error, file=sys.stderr)
        return 2
    for law, why in broken:
        print(f"\n--- {law}")
        traceback.print_exception(why, file=sys.stdout)
    print(f"\n{len(broken)} laws are broken" if broken else "all laws are kept")
    return 1 if broken else 0


def opener(named: str) -> Callable[[], Store]:
    """What opens the store that a URL, or MODULE:FUNCTION, names."""
    module, _, function = named.partition(":")
    if not function.isidentifier():
        return lambda: open_store(named)
    try:
        return cast(Callable[[], Store], getattr(importlib.import_module(module), function))
    except (ImportError, AttributeError) as error:
        raise SDKUsageError(f"{named} opens no store: {error}; give a URL, or MODULE:FUNCTION") from error


def _say(law: str, error: Exception | None) -> None:
    print(f"{'kept  ' if error is None else 'BROKEN'}  {law}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
