"""What stores hold by its address: `module.name` in the pickles of values."""

from __future__ import annotations

import io
import pickle
from importlib import import_module
from typing import Any

import cloudpickle
import pytest

from jupyter_durable import Retries, application, cls, function
from jupyter_durable.function import Results, registry

DEFINITIONS = """
@application()
@function()
def plain(x): return x

@function()
async def waits(x): return x

@cls()
class Kept:
    @function()
    def method(self, x): return x
"""

WRITTEN = """
context.Deferred context.MapOptions context.begin_late context.drive context.drive_async context.reused_value
context.scope_here coroutine.DurableCoroutine errors.SDKUsageError function.Results function.Spec function._empty_init
function._from_thread future.FutureMaker options.ApplicationOptions options.FunctionOptions options.Retries
options.Unwritten owner.Owner
"""
"""What version 0.1.0 wrote, without `jupyter_durable.`."""


class Looking(pickle.Unpickler):
    """Remembers what it looked up."""

    def __init__(self, written: bytes) -> None:
        super().__init__(io.BytesIO(written))
        self.found: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.found.add(f"{module}.{name}")
        return super().find_class(module, name)


def addresses(value: object) -> set[str]:
    looking = Looking(cloudpickle.dumps(value))
    looking.load()
    return {name.removeprefix("jupyter_durable.") for name in looking.found if name.startswith("jupyter_durable.")}


@pytest.fixture
def values():
    """Values that a user may return of which a part is ours."""
    namespace: dict[str, Any] = {"__name__": "__main__", "application": application, "cls": cls, "function": function}
    with registry.as_it_was():
        exec(DEFINITIONS, namespace)
        yield [namespace["plain"], namespace["waits"], namespace["Kept"], Results([1]), Retries(2)]


@pytest.mark.parametrize("address", WRITTEN.split())
def test_what_stores_name_is_found_where_they_name_it(address):
    """A module may be taken apart; what old pickles name in it stays there."""
    module, _, name = address.rpartition(".")
    assert hasattr(import_module(f"jupyter_durable.{module}"), name)


def test_values_are_written_under_the_same_addresses(values):
    """The version before reads what this one writes."""
    assert set().union(*map(addresses, values)) == set(WRITTEN.split())
