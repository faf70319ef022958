"""What a cell looks like in OpenTelemetry, in a real kernel that is killed between two executions of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.kernel.conftest import Start

PROVIDER = """
import os, sys
sys.path.insert(0, {root!r})
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.tracing.pictures import as_data, drawn
exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
import jupyter_durable
jupyter_durable.configure(otel=True)
"""
FUNCTIONS = """%%durable
def part(n):
    with trace.get_tracer('user').start_as_current_span('GET /'):
        return n
def checked(n):
    if not os.path.exists('mended'):
        raise ValueError(n)
    return part(n)
"""
CELL = """%%durable sums
with trace.get_tracer('user').start_as_current_span('load'):
    first = part(1)
with trace.get_tracer('user').start_as_current_span('check'):
    second = checked(2)
"""
PICTURE = "drawn(as_data(span) for span in exporter.get_finished_spans())"


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter of the kernels; OpenTelemetry is not where ipykernel 6 is."""
    return Path(sys.executable)


def test_a_cell_and_the_kernel_that_goes_on_with_it(start: Start, directory) -> None:
    """A request goes on with the trace of the span in which it was asked for; calls in spans that the cell opens later
    are linked to those. The cell's own context is as it was."""
    prelude = PROVIDER.format(root=str(ROOT)) + f"os.chdir({str(directory)!r})"
    kernel = start()
    kernel.run(prelude)
    kernel.run(FUNCTIONS)
    assert "ValueError" in kernel.run(CELL).error
    assert kernel.value(PICTURE) == FAILED
    kernel.kill()
    kernel = start()
    (directory / "mended").mkdir()
    kernel.run(prelude)
    kernel.run(FUNCTIONS)
    assert kernel.run(CELL).error == ""
    assert kernel.value(PICTURE) == RESUMED
    assert kernel.value("trace.get_current_span().get_span_context().is_valid") is False


FAILED = """\
trace 1
  load
    invoke_workflow sums failed ERROR ValueError: 2
      part @0 succeeded
        GET /
      checked @1 failed ERROR ValueError: 2 [exception ValueError] -> caller: check in trace 2
trace 2
  check ERROR ValueError: 2 [exception ValueError]"""
RESUMED = """\
trace 1
  invoke_workflow sums succeeded -> caller: load in trace 2 -> former run: a span that nobody got in no trace
    part @0 succeeded reused -> work: a span that nobody got in no trace
    checked @1 succeeded -> caller: check in trace 3
      part @0 succeeded
        GET /
trace 2
  load -> run: invoke_workflow sums in trace 1
trace 3
  check"""
