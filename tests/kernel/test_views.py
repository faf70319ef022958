"""The inline view: when it appears, what it says, how large it may be, and that foreign text stays text."""

from __future__ import annotations

import json
import re

import pytest

from tests.kernel.conftest import LOGGING, Kernel, Log, Start

LARGEST = 100_000


def view(kernel: Kernel, code: str, cell_id: str | None = None) -> dict[str, str]:
    """The one view of a cell."""
    found = [data for data in kernel.run(code, cell_id).outputs.values() if "jpd" in data.get("text/html", "")]
    assert len(found) == 1, found
    return found[0]


@pytest.fixture(scope="module", autouse=True)
def _functions(kernel: Kernel) -> None:
    kernel.run("%%durable\nimport time\ndef quick(x):\n    return x\ndef slow(x):\n    time.sleep(x)\n    return x")


def test_a_short_successful_request_of_a_plain_cell_is_silent(kernel: Kernel) -> None:
    assert kernel.run("quick(1)\nquick(2)\nNone").outputs == {}


def test_a_long_one_is_shown_while_it_runs(kernel: Kernel) -> None:
    for calls in (6, 24, 96):  # on a busy machine a view is drawn less often
        ran = kernel.run(f"for n in range({calls}): slow(0.25)")
        assert len(ran.outputs) == 1
        if ran.updates >= 2:
            break
    assert ran.updates >= 2
    assert "succeeded" in ran.text


def test_a_failed_one_is_shown_with_its_error(kernel: Kernel) -> None:
    kernel.run("%%durable\ndef fails(x):\n    raise ValueError(f'no {x}')")
    made = view(kernel, "quick(1); fails('<b>bold</b>')")
    assert "✕ failed" in made["text/html"]
    assert "ValueError: no &lt;b&gt;bold&lt;/b&gt;" in made["text/html"]
    assert "<b>bold" not in made["text/html"]
    assert "✕ fails[0]" in made["text/plain"]


def test_the_body_of_a_durable_cell_and_an_application_are_always_shown(kernel: Kernel) -> None:
    assert "succeeded" in view(kernel, "%%durable\nquick(3)\nNone")["text/plain"]
    kernel.run(
        "from jupyter_durable import application, function\n@application()\n@function()\n"
        "def app(n: int) -> int:\n    return quick(n)"
    )
    assert "✓ app succeeded" in view(kernel, "app(3)\nNone")["text/plain"]


def test_arguments_and_results_are_shown_in_short_and_credentials_are_masked(kernel: Kernel) -> None:
    kernel.run("%%durable\ndef ask(prompt, api_key=None):\n    return {'answer': 42}")
    html = view(kernel, "%%durable\nask('why?', api_key='sk-1234567890abcdef')\nask(list(range(100)))\nNone")[
        "text/html"
    ]
    assert "(&#x27;why?&#x27;, api_key=***) → {&#x27;answer&#x27;: 42}" in html
    assert "sk-1234567890abcdef" not in html
    assert "[100 items]" in html


def test_control_direction_and_colour_characters_are_escaped(kernel: Kernel) -> None:
    kernel.run("%%durable\ndef odd(x):\n    print('\\x1b[31mred\\u202eevil<script>')\n    raise ValueError(x)")
    html = view(kernel, "odd('\\u202e\\x1b[0m<script>alert(1)</script>')")["text/html"]
    for bad in ("\x1b", "\u202e", "<script"):
        assert bad not in html
    assert "\\x1b[31mred" in html


def test_what_a_call_printed_stands_with_it(kernel: Kernel) -> None:
    kernel.run("%%durable\ndef chatty(x):\n    print('one\\ntwo')\n    return x")
    assert "<pre>one\ntwo</pre>" in view(kernel, "%%durable\nchatty(1)\nNone")["text/html"]


def test_many_siblings_of_one_name_are_one_row_with_the_failures_below(kernel: Kernel) -> None:
    kernel.run("%%durable\ndef item(n):\n    if n in (20, 700): raise ValueError(n)\n    return n")
    made = view(kernel, "%%durable\nitem.map(range(1000))")
    html = made["text/html"]
    assert "item ×1,000" in html
    assert "998 done · 2 failed" in html
    assert "item[20]" in html
    assert "item[700]" in html
    assert len(re.findall('class="r"', html)) < 60
    assert len(html.encode()) < LARGEST


def test_a_page_is_never_above_its_limit_and_failures_come_first(kernel: Kernel) -> None:
    kernel.run(
        "%%durable\ndef big(n):\n    print('x' * 2000)\n"
        "    if n > 880: raise ValueError('y' * 5000)\n    return 'z' * 500"
    )
    kernel.run("%%durable\ndef group(n):\n    for k in range(30): big.future(n * 30 + k).run().done()\n    return n")
    made = view(kernel, "%%durable\ntry:\n    for n in range(30): group(n)\nexcept ValueError: pass\nraise KeyError")
    assert len(made["text/html"].encode()) <= LARGEST
    assert "ValueError" in made["text/html"]


def test_a_thousand_tiny_calls_are_told_what_they_cost_once(kernel: Kernel) -> None:
    kernel.run("%%durable\ndef tiny(x):\n    return x")
    ran = kernel.run("for n in range(1_100): tiny(n)")
    assert re.search(r"tiny was called 1,000 times for less than 1 ms; .* about \d+\.\d\d ms a call", ran.text)
    assert "%%durable --plain tiny" in ran.text
    assert "less than 1 ms" not in kernel.run("for n in range(1_100): tiny(n)").text


def test_ten_thousand_calls_leave_one_small_page(kernel: Kernel) -> None:
    made = view(kernel, "%%durable\nfor n in range(10_000): quick(n)")
    assert "quick ×10,000" in made["text/html"]
    assert "10000 ran" in made["text/plain"].replace(",", "")
    assert len(made["text/html"].encode()) < LARGEST


def test_progress_is_shown_while_a_call_runs(kernel: Kernel) -> None:
    kernel.run(
        "%%durable\nfrom jupyter_durable import RequestContext\ndef long(n):\n"
        "    for i in RequestContext.get().progress.track(range(n), message='reading'):\n        time.sleep(0.1)"
    )
    seen = []
    id = kernel.send("%%durable\nlong(8)")
    while True:
        message = kernel.client.get_iopub_msg(timeout=100)
        if message["parent_header"].get("msg_id") != id:
            continue
        seen.append(message["content"].get("data", {}).get("text/html", ""))
        if message["content"].get("execution_state") == "idle":
            break
    assert any("of 8 · reading" in html and 'class="p"' in html for html in seen)


def test_a_resumed_cell_says_so_in_one_line_with_how_to_re_run_what_drifted(start: Start, log: Log) -> None:
    kernel = start("resumed.ipynb")
    kernel.run(LOGGING + "\nimport time\nfailing = True")
    kernel.run("%%durable\ndef one(x):\n    _log(1)\n    return 1\ndef two(x):\n    assert not failing\n    return x")
    body = "%%durable\none(time.time())\ntwo(1)\nNone"
    kernel.run(body, "drift")
    kernel.run("failing = False")
    text = view(kernel, body, "drift")["text/plain"]
    assert log.take() == ["1"]
    line = next(line for line in text.split("\n") if line.startswith("resumed req_"))
    assert re.fullmatch(
        r"resumed (req_\w+) · 1 from checkpoint · 1 ran · 1 reused with changed arguments: "
        r"re-run them with %durable replay \1 --rerun changed",
        line,
    )


def test_a_request_that_runs_again_does_not_tell_how_it_ended_before(start: Start) -> None:
    kernel = start("again.ipynb")
    kernel.run("import time\nfailing = True")
    kernel.run("%%durable\ndef two(x):\n    time.sleep(0.5)\n    assert not failing, 'it failed'\n    return x")
    body = "%%durable\ntwo(1)\nNone"
    assert "it failed" in view(kernel, body, "again")["text/plain"]
    kernel.run("failing = False")
    told = []
    id = kernel.send(body, "again")
    while True:
        message = kernel.client.get_iopub_msg(timeout=100)
        if message["parent_header"].get("msg_id") == id:
            told.append(json.dumps(message["content"].get("data", {})))
            if message["content"].get("execution_state") == "idle":
                break
    assert any("running" in data for data in told)
    assert not any("it failed" in data for data in told)


def test_a_notebook_may_ask_for_plain_text(start: Start) -> None:
    kernel = start("plain.ipynb")
    kernel.run("import jupyter_durable; jupyter_durable.configure(display='text')\nNone")
    made, told = kernel.run("%%durable\ndef f(x): return x\nf(1)\nNone").outputs.values()
    assert told["text/plain"] == "durable: f"
    assert set(made) == {"text/plain"}
    assert "1 ran" in made["text/plain"]


def test_a_cell_of_many_applications_shows_some_and_counts_the_others(kernel: Kernel) -> None:
    kernel.run(
        "from jupyter_durable import application, function\n@application()\n@function()\n"
        "def app(n: int) -> int:\n    return quick(n)"
    )
    ran = kernel.run("for n in range(20): app(n)")
    assert len(ran.outputs) == 13
    assert "and 8 more requests of this cell: %durable list" in ran.text
