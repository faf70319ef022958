"""Tracing is there when it is asked for; else nothing of OpenTelemetry is, and a broken provider breaks no call."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from jupyter_durable import SDKUsageError, application, function
from jupyter_durable.client import Engine, run_local_application
from jupyter_durable.client.settings import load
from tests.tracing.conftest import Traced

SCRIPT = """
import sys
from jupyter_durable import application, run_local_application, configure
HIDE
configure(store="memory:")

@application()
def main() -> int:
    return 1

print(run_local_application(main).output(), [name for name in sys.modules if name.startswith("opentelemetry")])
"""
MISSING = "sys.modules['opentelemetry'] = None"
"""Stands for an environment in which it is not installed."""


def run(source: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER_DURABLE_")}
    command = [sys.executable, "-c", source]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env={**environment, **variables})


def test_without_the_setting_nothing_of_opentelemetry_is_imported() -> None:
    """Neither by the import nor by a request."""
    assert run(SCRIPT.replace("HIDE", "")).stdout == "1 []\n"


def test_with_the_setting_and_no_provider_a_request_runs_untraced() -> None:
    """The API is imported, and no SDK."""
    done = run(SCRIPT.replace("HIDE", ""), JUPYTER_DURABLE_OTEL="1")
    assert done.stdout.startswith("1 ['opentelemetry"), done.stderr
    assert "opentelemetry.sdk" not in done.stdout


def test_where_it_is_not_installed_the_error_says_what_to_install() -> None:
    """Also where the environment asks for it, then when the first request is made."""
    done = run(SCRIPT.replace("HIDE", MISSING), JUPYTER_DURABLE_OTEL="1")
    assert "JUPYTER_DURABLE_OTEL: otel is on" in done.stderr
    assert "pip install 'jupyter-durable[otel]'" in done.stderr
    done = run(SCRIPT.replace("HIDE", MISSING + "; configure(otel=True)"))
    assert "configure(): otel is on" in done.stderr


def test_it_is_a_setting_as_all_others(tmp_path: Path) -> None:
    """By `configure`, the environment and pyproject.toml; what is no flag is refused."""
    (tmp_path / "pyproject.toml").write_text("[tool.jupyter-durable]\notel = true\n")
    assert load({}, tmp_path).otel is True
    assert load({"JUPYTER_DURABLE_OTEL": "0"}, tmp_path).otel is False
    with pytest.raises(SDKUsageError, match="otel must be true or false"):
        load({"JUPYTER_DURABLE_OTEL": "perhaps"}, tmp_path)


def test_it_can_be_switched_on_and_off_between_requests(
    exporter: InMemorySpanExporter, new_engine: Callable[..., Engine]
) -> None:
    """A run is traced as it says when it begins."""

    @application()
    def main() -> int:
        return 1

    exporter.clear()
    engine = new_engine()
    told = []
    for otel in (False, True, False):
        engine.configure({"otel": otel})
        run_local_application(main)
        told.append(len(exporter.get_finished_spans()))
    assert told == [0, 1, 1]


@pytest.mark.parametrize("begins", [True, False])
def test_a_provider_that_raises_ends_the_tracing_and_no_call(
    traced: Traced, monkeypatch: pytest.MonkeyPatch, begins: bool
) -> None:
    """Samplers and processors are code of the user's: one warning says what they raised."""

    @function()
    def work(n: int) -> int:
        return n

    @application()
    def main() -> list[int]:
        return work.map([1, 2, 3])

    def raises(*given: Any) -> Any:
        if begins or given[2] == "work":
            raise RuntimeError("token=abcdefghijklmnopqrst")
        return sample(*given)

    sample = ALWAYS_ON.should_sample
    tracer = trace.get_tracer("jupyter_durable")
    monkeypatch.setattr(tracer, "sampler", type("Raises", (), {"should_sample": staticmethod(raises)})())
    assert run_local_application(main).output() == [1, 2, 3]
    (said,) = [text for text in traced.warnings if "tracing of run 1 has ended" in text]
    assert "RuntimeError: token=***" in said


def test_what_is_not_sampled_is_not_exported_and_runs(traced: Traced) -> None:
    """A caller that is not sampled decides for all that it asks for."""

    @function()
    def work(n: int) -> int:
        assert trace.get_current_span().get_span_context().trace_id == 1
        return n

    @application()
    def main() -> int:
        return work(1)

    unsampled = trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=True, trace_flags=trace.TraceFlags(0)))
    with trace.use_span(unsampled):
        assert run_local_application(main).output() == 1
    assert traced.spans() == []


class OtherTracer(trace.Tracer):
    """Another implementation of the API, without a generator of ids that anybody sees."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def start_span(self, *args: Any, **kwargs: Any) -> trace.Span:
        return self._tracer.start_span(*args, **kwargs)

    def start_as_current_span(self, *args: Any, **kwargs: Any) -> Any:
        return self._tracer.start_as_current_span(*args, **kwargs)


class OtherProvider(trace.TracerProvider):
    """Gives such tracers."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:
        return OtherTracer(self._tracer)


def test_where_ids_cannot_be_computed_nothing_is_linked_to_them(
    traced: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tree is there as ever, and the run that did the work is named; no link leads to a span that is not there."""

    @function()
    def work(n: int) -> int:
        return n

    @function()
    def broken(n: int) -> int:
        raise ValueError(n)

    @application()
    def main() -> int:
        return broken(work(1))

    others = trace.get_tracer("other")
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: OtherProvider(others))
    run_local_application(main).replay()
    assert {span["name"] for span in traced.spans()} == {"invoke_workflow main", "work", "broken"}
    assert [span["links"] for span in traced.spans()] == [[]] * 6
    assert traced.named("work")[1]["attributes"]["durable.work.run"] == 1
