"""Exported spans as text: a tree for each trace, without ids and times. Siblings stand by their places."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan

Span = dict[str, Any]


def as_data(span: ReadableSpan) -> Span:
    """A span as JSON."""
    data: Span = json.loads(span.to_json(indent=None))
    return data


def drawn(spans: Iterable[Span]) -> str:
    """All traces, in the order of their runs."""
    spans = list(spans)
    known = {span["context"]["span_id"]: span for span in spans}
    assert len(known) == len(spans), "a span was told twice"
    labels: dict[str, str] = {}
    for span in sorted(spans, key=lambda span: (span["attributes"].get("durable.run", 99), span["start_time"])):
        labels.setdefault(span["context"]["trace_id"], f"trace {len(labels) + 1}")
    lines: list[str] = []
    for trace, label in labels.items():
        own = [span for span in spans if span["context"]["trace_id"] == trace]
        lines.append(label)
        tops = [span for span in own if span["parent_id"] not in known]
        for top in sorted(tops, key=lambda span: str(span["start_time"])):
            _draw(top, own, lines, "  ", (known, labels))
    return "\n".join(lines)


def _ordered(spans: list[Span]) -> list[Span]:
    return sorted(spans, key=lambda span: (span["attributes"].get("durable.call.place", -1), span["start_time"]))


def _draw(span: Span, own: list[Span], lines: list[str], indent: str, places: Any) -> None:
    lines.append(indent + _line(span, *places))
    for child in _ordered([each for each in own if each["parent_id"] == span["context"]["span_id"]]):
        _draw(child, own, lines, indent + "  ", places)


def _line(span: Span, known: dict[str, Span], labels: dict[str, str]) -> str:
    told = span["attributes"]
    words = [span["name"]]
    if span["parent_id"] is not None and span["parent_id"] not in known:
        words.append("(below a span that nobody got)")
    if "durable.call.place" in told:
        words.append(f"@{told['durable.call.place']}")
    if "durable.status" in told:
        words.append(told["durable.status"])
    if told.get("durable.attempt", 1) > 1:
        words.append(f"attempt {told['durable.attempt']}")
    if told.get("durable.reused"):
        words.append("reused" if span["start_time"] == span["end_time"] else "served")
    if "durable.drift" in told:
        words.append(f"drift {', '.join(told['durable.drift'])}")
    if span["status"]["status_code"] == "ERROR":
        words.append(f"ERROR {span['status']['description']}")
    for event in span["events"]:
        said = event["attributes"]
        words.append(
            f"[{event['name']} {said.get('durable.attempt', '')} {said.get('exception.type', '')}]".replace("  ", " ")
        )
    for link in span["links"]:
        to = link["context"]
        target = known[to["span_id"]]["name"] if to["span_id"] in known else "a span that nobody got"
        words.append(f"-> {link['attributes']['durable.link']}: {target} in {labels.get(to['trace_id'], 'no trace')}")
    return " ".join(words)
