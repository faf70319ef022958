"""A process that is killed in a call, and the run that goes on: what an operator sees of the two."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.tracing.pictures import Span, drawn

SCRIPT = """
import os, signal
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from jupyter_durable import application, configure, function


class Lines(SpanExporter):
    def export(self, spans):
        with open("spans", "a") as out:
            out.writelines(span.to_json(indent=None) + "\\n" for span in spans)
        return SpanExportResult.SUCCESS


provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(Lines()))
trace.set_tracer_provider(provider)
configure(store="sqlite:///store.db", otel=True)


@function()
def part(n: int) -> int:
    with trace.get_tracer("user").start_as_current_span("GET /"):
        return n


@function()
def step(n: int) -> int:
    if n == 3 and not os.path.exists("again"):
        part(n)
        os.mkdir("again")
        os.kill(os.getpid(), signal.SIGKILL)
    return part(n)


@application()
def main(n: int) -> list[int]:
    return [step(n) for n in range(n)]


print(main(5))
"""


def start(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "script.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def spans_of(folder: Path) -> list[Span]:
    return [json.loads(line) for line in (folder / "spans").read_text().splitlines()]


def test_what_a_killed_run_had_done_is_told_once(tmp_path: Path) -> None:
    """The seventh call dies under way: its span, its callers' and the root's never ended, so nobody gets them; the
    replay tells what it ran, and of what it reused who did the work."""
    (tmp_path / "script.py").write_text(SCRIPT)
    assert start(tmp_path).returncode == -signal.SIGKILL
    done = start(tmp_path)
    assert done.stdout == "[0, 1, 2, 3, 4]\n", done.stderr
    spans = spans_of(tmp_path)
    assert drawn(spans) == KILLED
    worked = [span for span in spans if span["attributes"].get("durable.reused") is False]
    executions = [(span["name"], span["attributes"]["durable.call.identity"]) for span in worked]
    assert len(executions) == len(set(executions)), "a call that ended is told once over both runs"
    assert [name for name, _ in executions].count("part") == 5


KILLED = """\
trace 1
  step (below a span that nobody got) @0 succeeded
    part @0 succeeded
      GET /
  step (below a span that nobody got) @1 succeeded
    part @0 succeeded
      GET /
  step (below a span that nobody got) @2 succeeded
    part @0 succeeded
      GET /
  part (below a span that nobody got) @0 succeeded
    GET /
trace 2
  invoke_workflow main succeeded attempt 2 -> former run: a span that nobody got in trace 1
    step @0 succeeded reused -> work: step in trace 1
    step @1 succeeded reused -> work: step in trace 1
    step @2 succeeded reused -> work: step in trace 1
    step @3 succeeded attempt 2
      part @0 succeeded reused -> work: part in trace 1
    step @4 succeeded
      part @0 succeeded
        GET /"""
