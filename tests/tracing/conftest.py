"""A process with a tracer provider, whose spans are kept in memory, and an engine that traces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from jupyter_durable import context
from jupyter_durable.client import Engine, this_engine
from jupyter_durable.client.settings import Settings
from jupyter_durable.function import registry
from tests.tracing.pictures import Span, as_data, drawn


class Traced:
    """What was exported, and the engine whose runs are traced."""

    def __init__(self, exporter: InMemorySpanExporter, engine: Engine, warnings: list[str]) -> None:
        self._exporter = exporter
        self.engine = engine
        self.warnings = warnings
        self.tracer = trace.get_tracer("user")

    def spans(self) -> list[Span]:
        """All spans that have ended since the test began."""
        return [as_data(span) for span in self._exporter.get_finished_spans()]

    def named(self, name: str) -> list[Span]:
        """Those of one name."""
        return [span for span in self.spans() if span["name"] == name]

    def picture(self) -> str:
        """All of them as text."""
        return drawn(self.spans())


@pytest.fixture(scope="session")
def exporter() -> InMemorySpanExporter:
    """What the provider of this process exports to; a process can have one provider only."""
    made = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(made))
    trace.set_tracer_provider(provider)
    return made


@pytest.fixture
def new_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Engine]]:
    """Makes an engine that is the one of this process until the test ends."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setattr(registry, "_specs", {})  # names of other tests' functions
    before, made = this_engine(), []

    def make(**settings: Any) -> Engine:
        engine = Engine(Settings(store=f"sqlite:///{tmp_path / 'store.db'}", **settings))
        context.engine.set(engine)
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.sessions.end(None)
        engine.store.close()
    context.engine.set(before)


@pytest.fixture
def traced(exporter: InMemorySpanExporter, new_engine: Callable[..., Engine]) -> Traced:
    """An engine that traces."""
    exporter.clear()
    warnings: list[str] = []
    engine = new_engine(otel=True)
    engine.warn = warnings.append
    return Traced(exporter, engine, warnings)
