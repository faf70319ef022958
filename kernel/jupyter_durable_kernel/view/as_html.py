"""A state of a request as HTML: nested `<details>`, no script.

Rules of this file
- Pure. At most `BYTES`: which calls are shown is said in `ranked.py`.
- All text that is not ours goes through `_text` or `_block`, which mask credentials and escape markup, control and
  direction characters.
- The texts and glyphs alone say everything: colours and bars are lost where a front end drops the style sheet.
- Colours are the front end's (`--jp-*`), with fallbacks for light and dark.
"""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from jupyter_durable.client.render import FOLD, MARKS, drift
from jupyter_durable.code.credentials import masked
from jupyter_durable.core import metrics
from jupyter_durable.core.calltree import CallNode, spoken, walk
from jupyter_durable.core.counting import summary
from jupyter_durable.core.escaping import escaped
from jupyter_durable.core.model import Progressed, RequestRow, Status
from jupyter_durable.core.nodes import GROUPS, called
from jupyter_durable_kernel.view.call_values import Values
from jupyter_durable_kernel.view.ranked import chosen, laid_out
from jupyter_durable_kernel.view.saved_forms import fitted
from jupyter_durable_kernel.view.short_values import shortened, shortened_trace
from jupyter_durable_kernel.view.state import State, fault, headline
from jupyter_durable_kernel.view.tallies import Group, Tally, Together, together

ERROR_CHARACTERS: Final = 2_000
LOG_CHARACTERS: Final = 1_000
BAD: Final = frozenset({Status.FAILED, Status.CANCELLED, Status.INTERRUPTED})
OPENED: Final = 20
"""A call of the first level with at most so many children stands open."""
BESIDE_FAILURES: Final = 5
"""Calls shown of many siblings, beside those that failed."""
MUCH_MORE: Final = 1.2
"""Calls of a group that took so much longer than the group did: several ran at once, so the sum is told too."""
INDENT: Final = 18
"""Pixels a level."""
BYTES: Final = 34_000
_ROWS: Final = 80
"""Calls shown at most."""

STYLE: Final = """<style>
.jpd{--f:var(--jp-ui-font-color1,#212121);--g:var(--jp-ui-font-color2,#6f6f6f);--b:var(--jp-layout-color1,#fff);--l:var(--jp-layout-color2,#f5f5f5);--o:var(--jp-border-color2,#e0e0e0);--run:var(--jp-brand-color1,#1976d2);--ok:var(--jp-success-color1,#2e7d32);--err:var(--jp-error-color1,#c62828);--warn:var(--jp-warn-color1,#b26a00);font:13px/1.45 var(--jp-ui-font-family,system-ui,sans-serif);color:var(--f);background:var(--b);border:1px solid var(--o);border-radius:6px;overflow:hidden;max-width:940px;margin:4px 0}
@media(prefers-color-scheme:dark){.jpd{--f:var(--jp-ui-font-color1,#e8e8e8);--g:var(--jp-ui-font-color2,#9a9a9a);--b:var(--jp-layout-color1,#111);--l:var(--jp-layout-color2,#1e1e1e);--o:var(--jp-border-color2,#383838);--run:var(--jp-brand-color1,#64b5f6);--ok:var(--jp-success-color1,#81c784);--err:var(--jp-error-color1,#ef9a9a);--warn:var(--jp-warn-color1,#ffb74d)}}
.jpd summary{list-style:none;cursor:pointer}.jpd summary::-webkit-details-marker{display:none}
.jpd .h{display:flex;gap:10px;align-items:center;flex-wrap:wrap;padding:7px 12px;background:var(--l)}
.jpd .h b{font-size:14px}.jpd .i,.jpd .a,.jpd code{font-family:var(--jp-code-font-family,ui-monospace,monospace);font-size:12px}.jpd .n code{color:var(--f);background:none;padding:0}.jpd .i,.jpd .a,.jpd .s,.jpd .d{color:var(--g)}
.jpd .st{font-weight:600}.jpd .ok{color:var(--ok)}.jpd .err{color:var(--err)}.jpd .run{color:var(--run)}.jpd .warn{color:var(--warn)}
.jpd .u{padding:5px 12px;color:var(--g);border-top:1px solid var(--o)}.jpd .u .warn{font-weight:600}
.jpd .r{display:grid;grid-template-columns:minmax(180px,1.6fr) 128px 76px minmax(120px,1fr);gap:8px;align-items:center;padding:2px 12px;min-height:22px}.jpd .r:hover{background:var(--l)}
.jpd .n{display:flex;gap:6px;align-items:baseline;white-space:nowrap;overflow:hidden}.jpd .a{overflow:hidden;text-overflow:ellipsis}.jpd .s{font-size:11.5px}.jpd .d{text-align:right;font-variant-numeric:tabular-nums}
.jpd .n::before{content:"";width:10px;flex:none}.jpd details>summary .n::before{content:"▸";color:var(--g)}.jpd details[open]>summary .n::before{content:"▾"}.jpd details>.h::before{content:"▸";color:var(--g)}.jpd details[open]>.h::before{content:"▾"}
.jpd .t{position:relative;height:10px}.jpd .t i{position:absolute;top:0;height:10px;min-width:2px;border-radius:2px;background:var(--ok);opacity:.85}.jpd .t i.c{background:repeating-linear-gradient(45deg,var(--g) 0 2px,transparent 2px 5px);opacity:.6}.jpd .t i.err{background:var(--err)}.jpd .t i.run{background:var(--run)}
.jpd .p{display:inline-block;width:110px;height:6px;border-radius:3px;background:var(--o);overflow:hidden;vertical-align:middle}.jpd .p u{display:block;height:100%;background:var(--run)}
.jpd .m{font-size:11px;border:1px solid;border-radius:8px;padding:0 6px}
.jpd pre{margin:2px 12px 6px 40px;padding:6px 10px;border:0;border-left:3px solid var(--o);background:var(--l);color:var(--f);font:12px/1.4 var(--jp-code-font-family,ui-monospace,monospace);white-space:pre-wrap;overflow-wrap:anywhere}.jpd pre.err{border-left-color:var(--err);color:var(--f)}
.jpd-note{font:12px/1.5 var(--jp-ui-font-family,system-ui,sans-serif);color:var(--jp-ui-font-color2,#757575)}.jpd-note.warn{color:var(--jp-warn-color1,#b26a00)}
</style>"""  # noqa: E501 - a style sheet, sent with every view

_CLASS: Final = {Status.SUCCEEDED: "ok", Status.FAILED: "err", Status.RUNNING: "run"}


_Part = tuple[CallNode, int] | str
"""A call with its level, or what is written already."""


class Shown(NamedTuple):
    """What a view shows."""

    row: RequestRow
    status: str
    root: CallNode | None
    tallies: Mapping[Group, Tally]
    headline: str
    """How the calls went, and what to do about what drifted."""
    summary: str
    """How the calls went."""
    chosen: frozenset[int]
    """Identities of the calls that get a row of their own."""
    limit: int
    """Rows at most for many of one name."""
    now: float
    seconds: float | None
    """How long the last run took."""
    fault: str
    """Why it did not succeed, and in which call."""


class _Axis(NamedTuple):
    """The common time axis: every call stands where it was in its own run."""

    starts: Mapping[int, float]
    """Begin of each run, by its number."""
    length: float

    def bar(self, node: CallNode, now: float) -> str:
        """The bar of a call, as percent of the axis."""
        began = node.started_at - self.starts.get(node.row.pass_no >> 16, node.started_at)
        lasted = _lasted(node, now)
        left = min(max(0.0, began / self.length * 100), 99.5)
        width = min(lasted / self.length * 100, 100 - left)
        kind = _CLASS.get(node.status, "err")
        kind = "c" if node.source == "checkpoint" and kind == "ok" else kind
        return f'<div class="t"><i class="{kind}" style="left:{left:.1f}%;width:{width:.1f}%"></i></div>'


def view(state: State, values: Values) -> str:
    """A state with its calls, as many of them as fit."""
    laid = laid_out(state)

    def made(limit: int) -> str:
        what = (state.row, state.status, state.root, state.tallies, headline(state), summary(state.counts))
        shown = Shown(*what, chosen(laid, limit), limit, state.now, state.seconds, fault(state, values))
        return _page(shown, values)

    page: str = fitted(made, _ROWS, BYTES)
    return page


def _page(shown: Shown, values: Values) -> str:
    body = _Tree(shown, values).render() if shown.root is not None else ""
    opened = "" if shown.status == Status.SUCCEEDED and "changed" not in shown.summary else " open"
    return (
        f'{STYLE}<div class="jpd"><details{opened}><summary class="h">{_head(shown)}</summary>'
        f"{_summary(shown)}{body}</details></div>"
    )


def notice(lines: Sequence[str], *, warning: bool = False) -> str:
    """A quiet remark, with its own colours: it has no style sheet."""
    colour = "var(--jp-warn-color1,#b26a00)" if warning else "var(--jp-ui-font-color2,#757575)"
    font = "12px/1.5 var(--jp-ui-font-family,system-ui,sans-serif)"
    mark = "⚠ " if warning else ""
    return f'<div style="font:{font};color:{colour}">{mark}{"<br>".join(_text(line) for line in lines)}</div>'


def _text(text: str, length: int = 400) -> str:
    return html.escape(escaped(shortened(masked(text), length)))


def _block(text: str, length: int) -> str:
    """Text of several lines, its middle left out where it is long."""
    lines = shortened_trace(masked(text), length).expandtabs(4).split("\n")
    return "\n".join(html.escape(escaped(line)) for line in lines)


def _head(shown: Shown) -> str:
    row, root = shown.row, shown.root
    kind = _CLASS.get(shown.status, "warn")
    run = f" · run {row.run}" if row.run > 1 else ""
    origin = f" · fork of {row.forked_from}" if row.forked_from else ""
    parts = [
        f'<span class="st {kind}">{MARKS.get(shown.status, "?")} {shown.status}</span>',
        f"<b>{_text(row.application, 80)}</b>",
        f'<span class="i">{row.id}{run}{_text(origin)}</span>',
    ]
    if root is not None and root.progress is not None and shown.status == Status.RUNNING:
        parts.append(_progress(root.progress))
    if shown.status == Status.SUCCEEDED:
        parts.append(f'<span class="s">{_text(shown.summary)}</span>')
    if shown.seconds is not None:
        parts.append(f'<span class="s">{_text(lasting(shown.seconds))}</span>')
    return " ".join(parts)


def _summary(shown: Shown) -> str:
    told = _text(shown.headline)
    if "changed" in shown.headline:
        told = f'<span class="warn">△</span> {told}'
    if shown.fault:
        told += f'<br><span class="err">{_text(shown.fault)}</span>'
    return f'<div class="u">{told}</div>'


def _progress(progress: Progressed) -> str:
    total = progress.total
    share = f"{min(100.0, progress.current / total * 100):.0f}%" if total else "0%"
    told = f"{progress.current:,g} of {total:,g}" if total else f"{progress.current:,g}"
    message = f" · {_text(progress.message, 60)}" if progress.message else ""
    return f'<span class="p"><u style="width:{share}"></u></span> <span class="s">{told}{message}</span>'


class _Tree:
    """Draws the calls."""

    def __init__(self, shown: Shown, values: Values) -> None:
        assert shown.root is not None
        self._shown = shown
        self._values = values
        self._root = shown.root
        self._axis = _axis(shown.root, shown.now)
        self._folds = shown.limit
        self._tallied: dict[int, list[tuple[str, str]]] = defaultdict(list)
        for parent, kind, name in shown.tallies:
            self._tallied[parent].append((kind, name))

    def render(self) -> str:
        """All rows, without recursion into deep trees: a stack of what is still to be written."""
        out: list[str] = []
        stack = list(self._below(self._root, 0))[::-1]
        while stack:
            part = stack.pop()
            if isinstance(part, str):
                out.append(part)
                continue
            node, level = part
            row, details = self._row(node, level), self._details(node)
            inner = list(self._below(node, level + 1))
            if not inner and not details:
                out.append(f'<div class="r">{row}</div>')
                continue
            opened = " open" if _opened(node) else ""
            out.append(f'<details{opened}><summary class="r">{row}</summary>{details}')
            stack.append("</details>")
            stack.extend(reversed(inner))
        return "".join(out)

    def _below(self, node: CallNode, level: int) -> Iterator[_Part]:
        """The children as rows, many of one name as one row with the chosen ones below it."""
        groups: dict[tuple[str, str], list[CallNode]] = defaultdict(list)
        for child in node.children:
            groups[child.kind, child.name].append(child)
        for key in self._tallied.get(node.identity, ()):
            groups.setdefault(key, [])
        done: set[tuple[str, str]] = set()
        hidden = 0
        for child in node.children if node.depth else _troubled_first(node.children):
            group = (child.kind, child.name)
            tally = self._shown.tallies.get((node.identity, *group), Tally())
            if len(groups[group]) + tally.size > FOLD:
                if group not in done and self._folds > 0:
                    done.add(group)
                    self._folds -= 1
                    yield from self._fold(group, groups[group], tally, level)
                elif group not in done:
                    hidden += 1
            elif child.identity in self._shown.chosen:
                yield child, level
            else:
                hidden += 1
        if hidden:
            yield _more(hidden, level)

    def _fold(self, group: tuple[str, str], calls: list[CallNode], tally: Tally, level: int) -> Iterator[_Part]:
        """One row for all, opening to those that are shown."""
        all_of_them = together(calls, tally, self._shown.now)
        yield f"<details{' open' if all_of_them.failed else ''}>"
        yield f'<summary class="r">{_folded(all_of_them, called(*group), level)}</summary>'
        chosen = [call for call in calls if call.identity in self._shown.chosen]
        bad = [call for call in chosen if call.status == Status.FAILED]
        good = [call for call in chosen if call.status != Status.FAILED]
        shown = bad[: FOLD // 2] + good[: BESIDE_FAILURES if bad else FOLD // 2]
        yield from ((call, level + 1) for call in shown)
        if all_of_them.total > len(shown):
            yield _more(all_of_them.total - len(shown), level + 1)
        yield "</details>"

    def _row(self, node: CallNode, level: int) -> str:
        told = self._values.of(node)
        text = told.arguments + (f" → {told.output}" if told.output else "")
        if node.kind in GROUPS and node.children:
            lost = sum(child.status == Status.FAILED for child in node.children)
            text = f"{len(node.children):,} items" + (f" · {lost:,} failed" if lost else "")
        extra = f'<span class="a">{_text(text, 160)}</span>' if text else ""
        if node.progress is not None and node.status == Status.RUNNING:
            extra += _progress(node.progress)
        if node.row.metrics:
            sums = metrics.told(metrics.measured(metrics.unpacked(node.row.metrics)))
            extra += f' <span class="a">{_text(sums, 160)}</span>'
        for what in drift(node):
            extra += f'<span class="warn m">△ {what}</span>'
        extra += "" if node.stored else '<span class="warn m">not checkpointed</span>'
        source = "from checkpoint" if node.source == "checkpoint" else "ran"
        if node.status == Status.RUNNING:
            source = "running"
        source += f" · attempt {node.attempts}" if node.attempts > 1 else ""
        duration = _text(lasting(node.duration)) if node.duration is not None else ""
        head = (level, _CLASS.get(node.status, "warn"), MARKS.get(node.status, "?"))
        return _cells(head, _text(node.label, 80), extra, (source, duration, self._axis.bar(node, self._shown.now)))

    def _details(self, node: CallNode) -> str:
        told = self._values.of(node)
        parts = []
        if told.error and not _passed_on(node):
            parts.append(f'<pre class="err">{_block(told.error, ERROR_CHARACTERS)}</pre>')
        printed = "".join(log.text for log in node.logs)
        if printed.strip():
            parts.append(f"<pre>{_block(printed.rstrip(), LOG_CHARACTERS)}</pre>")
        return "".join(parts)


def _cells(head: tuple[int, str, str], name: str, extra: str, last: tuple[str, str, str]) -> str:
    """One row; `head` is level, class and glyph, `last` is source, duration and bar."""
    level, kind, mark = head
    source, duration, bar = last
    return (
        f'<span class="n" style="padding-left:{min(level, 20) * INDENT}px"><span class="{kind}">{mark}</span> '
        f"<code>{name}</code> {extra}</span> "
        f'<span class="s">{source}</span> <span class="d">{duration}</span>{bar or "<span></span>"}'
    )


def _folded(group: Together, name: str, level: int) -> str:
    """The row of many calls of one name."""
    counts = [f"{group.succeeded:,} done"]
    counts += [f"{group.failed:,} failed"] if group.failed else []
    counts += [f"{group.cut_off:,} cancelled"] if group.cut_off else []
    counts += [f"{group.running:,} running"] if group.running else []
    counts += [f"{group.queued:,} queued"] if group.queued else []
    counts += [f"added up {lasting(group.added_up)}"] if group.added_up > MUCH_MORE * group.seconds else []
    sources = [f"{group.reused:,} from checkpoint"] if group.reused else []
    sources += [f"{group.ran:,} ran"] if group.ran else []
    worst = (Status.RUNNING, group.running), (Status.FAILED, group.failed), (Status.CANCELLED, group.cut_off)
    status = next((status for status, number in worst if number), Status.SUCCEEDED)
    told = f'<span class="a">{" · ".join(counts)}</span>'
    last = (_text(" · ".join(sources)), _text(lasting(group.seconds)), "")
    return _cells((level, _CLASS.get(status, "warn"), MARKS[status]), _text(f"{name} ×{group.total:,}", 80), told, last)


def _troubled_first(calls: Sequence[CallNode]) -> list[CallNode]:
    """Calls in or below which something went wrong first, else in program order."""
    return sorted(calls, key=lambda call: not any(node.status in BAD for node in walk(call)))


def _more(count: int, level: int) -> str:
    return (
        f'<div class="r"><span class="n s" style="padding-left:{min(level, 20) * INDENT}px">'
        f"… and {count:,} more</span></div>"
    )


def _passed_on(node: CallNode) -> bool:
    """Whether a failure is that of a call below, where it is shown."""
    return any(child.status == Status.FAILED for child in node.children)


def lasting(seconds: float) -> str:
    """A duration; short ones in milliseconds."""
    if seconds >= 0.95:
        return spoken(seconds)
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else "< 1 ms"


def _opened(node: CallNode) -> bool:
    """Whether a call stands open: something failed or runs in it, or it was run and is not many."""
    if node.status in (Status.FAILED, Status.RUNNING, Status.CANCELLED, Status.INTERRUPTED):
        return True
    if node.kind in GROUPS and any(child.status == Status.FAILED for child in node.children):
        return True
    return node.source == "ran" and node.depth <= 1 and len(node.children) <= OPENED


def _axis(root: CallNode, now: float) -> _Axis:
    starts: dict[int, float] = {}
    nodes = [root]
    for node in nodes:  # grows while it is read
        nodes.extend(node.children)
        run = node.row.pass_no >> 16
        starts[run] = min(starts.get(run, node.started_at), node.started_at)
    ends = [node.started_at - starts[node.row.pass_no >> 16] + _lasted(node, now) for node in nodes]
    return _Axis(starts, max(0.001, *ends))


def _lasted(node: CallNode, now: float) -> float:
    """Seconds, up to now for a call that runs."""
    if node.duration is not None:
        return node.duration
    return max(0.0, now - node.started_at) if node.status == Status.RUNNING else 0.0
