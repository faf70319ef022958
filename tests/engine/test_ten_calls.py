"""Ten chained calls, the seventh of which does not come back: what runs again, and what is marked."""

from __future__ import annotations

import pytest

DEFINE = """
%%durable
def f1(x): ran(1); return x + 1
def f2(x): ran(2); return x + 1
def f3(x): ran(3); return x + 1
def f4(x): ran(4); return x + 1
def f5(x): ran(5); return x + 1
def f6(x): ran(6); return x + 1
def f8(x): ran(8); return x + 1
def f9(x): ran(9); return x + 1
def f10(x): ran(10); return x + 1
""".strip()
GOOD = "def f7(x): ran(7); return x + 1"
RAISES = "def f7(x): ran(7); raise ValueError('seven')"
DIES = "def f7(x): ran(7); die(); return x + 1"
WRONG = "def f7(x): ran(7); return _helper(x)"
CHAIN = "out = f10(f9(f8(f7(f6(f5(f4(f3(f2(f1(0))))))))))"
FIRST_SEVEN = [1, 2, 3, 4, 5, 6, 7]
LAST_FOUR = [7, 8, 9, 10]


def seventh(body: str) -> str:
    return "%%durable\n" + body


def test_killed_in_the_seventh_then_the_cells_run_again_executes_four(notebook):
    """A new kernel runs the same cells: calls 7 to 10 execute."""
    notebook.cell(DEFINE, key="define")
    notebook.cell(seventh(DIES), key="seven")
    notebook.cell(CHAIN)
    assert notebook.executed() == FIRST_SEVEN
    notebook.restart()
    notebook.cell(DEFINE, key="define")
    notebook.cell(seventh(GOOD), key="seven")
    notebook.cell(CHAIN)
    assert notebook.executed() == LAST_FOUR
    assert notebook.namespace["out"] == 10


def test_killed_in_the_seventh_then_replay_in_a_fresh_kernel_executes_four(notebook):
    """The new kernel receives nothing but the replay: code and variables come from the store."""
    notebook.cell(DEFINE, key="define")
    notebook.cell(seventh(DIES), key="seven")
    request = notebook.cell(CHAIN)
    assert notebook.executed() == FIRST_SEVEN
    notebook.restart()
    notebook.namespace["die"] = lambda: None
    again = notebook.last()
    assert again.id == request.id
    assert again.status == "interrupted"
    again.replay()
    assert again.status == "succeeded"
    assert notebook.executed() == LAST_FOUR


def test_the_seventh_raised_and_was_fixed_executes_four(notebook):
    """A failed cell resumes with the code now in the notebook."""
    notebook.cell(DEFINE, key="define")
    notebook.cell(seventh(RAISES), key="seven")
    with pytest.raises(ValueError, match="seven"):
        notebook.cell(CHAIN)
    assert notebook.executed() == FIRST_SEVEN
    notebook.cell(seventh(GOOD), key="seven")
    request = notebook.cell(CHAIN)
    assert notebook.executed() == LAST_FOUR
    assert not any(call.code_changed for call in request.calls())


def test_a_silently_wrong_helper_is_marked_and_rerun_changed_executes_four(notebook):
    """The replay says which reused call has changed code; `rerun="changed"` gives the right answer."""
    notebook.cell(DEFINE, key="define")
    notebook.cell("def _helper(x): return x + 100", key="helper")
    notebook.cell(seventh(WRONG), key="seven")
    request = notebook.cell(CHAIN)
    notebook.executed()
    notebook.cell("def _helper(x): return x + 1", key="helper")
    assert "code changed" in str(request.preview(rerun="changed"))
    request.replay(rerun="changed")
    assert notebook.executed() == LAST_FOUR
    assert notebook.namespace["out"] == 10


def test_a_reused_call_with_changed_code_is_marked(notebook):
    """A resume that serves a call whose helper changed is not silent about it."""
    notebook.cell(DEFINE, key="define")
    notebook.cell("def _helper(x): return x + 100", key="helper")
    notebook.cell(seventh(WRONG), key="seven")
    with pytest.raises(ZeroDivisionError):
        notebook.cell(CHAIN + "\n1/0")
    notebook.cell("def _helper(x): return x + 1", key="helper")
    notebook.executed()
    request = notebook.cell(CHAIN)
    assert notebook.executed() == []
    assert [call.name for call in request.calls() if call.code_changed] == ["f7"]


def test_a_comment_or_a_line_shift_executes_nothing_and_marks_nothing(notebook):
    """What does not change the code does not count."""
    notebook.cell(DEFINE, key="define")
    notebook.cell(seventh(GOOD), key="seven")
    with pytest.raises(ZeroDivisionError):
        notebook.cell(CHAIN + "\n1/0")
    notebook.executed()
    notebook.cell(seventh("\n\n# a comment\n" + GOOD + "  # another"), key="seven")
    request = notebook.cell("# shifted\n\n" + CHAIN)
    assert notebook.executed() == []
    assert not any(call.code_changed or call.args_changed for call in request.calls())


def test_time_as_an_argument_executes_four(notebook):
    """An argument that is never the same does not throw the checkpoint away; it is marked."""
    notebook.cell(DEFINE, key="define")
    notebook.cell(seventh(RAISES), key="seven")
    chain = CHAIN.replace("f1(0)", "f1(time.time())")
    with pytest.raises(ValueError, match="seven"):
        notebook.cell(chain)
    notebook.executed()
    notebook.cell(seventh(GOOD), key="seven")
    request = notebook.cell(chain)
    assert notebook.executed() == LAST_FOUR
    assert [call.name for call in request.calls() if call.args_changed] == ["f1"]


def test_the_same_call_three_times_keeps_three_values(notebook):
    """Equal calls are told apart by their order."""
    notebook.cell("%%durable\ndef draw(): ran(0); return random.random()", key="define")
    with pytest.raises(ZeroDivisionError):
        notebook.cell("values = [draw(), draw(), draw()]\n1/0")
    first = notebook.namespace["values"]
    notebook.executed()
    notebook.cell("values = [draw(), draw(), draw()]")
    assert notebook.executed() == []
    assert notebook.namespace["values"] == first
    assert len(set(first)) == 3


def test_a_lock_in_a_result_completes_and_only_that_call_runs_again(notebook):
    """A result that cannot be stored is no failure."""
    notebook.cell("import threading", key="imports")
    notebook.cell(
        "%%durable\ndef made(x): ran('made'); return {'lock': threading.Lock()}\ndef after(x): ran('after'); return 1",
        key="define",
    )
    with pytest.raises(ZeroDivisionError):
        notebook.cell("a = made(1)\nb = after(2)\n1/0")
    assert notebook.executed() == ["made", "after"]
    assert any("result['lock']" in text and "not checkpointed" in text for text in notebook.warnings)
    notebook.cell("a = made(1)\nb = after(2)")
    assert notebook.executed() == ["made"]
