"""A run that lacks definitions never takes the place of a code version that worked."""

from __future__ import annotations

import pytest

from jupyter_durable import ReplayError

HELPER = "import math\nFACTOR = 3\ndef _helper(x): return math.floor(x * FACTOR)"
STEPS = "%%durable\ndef step(x):\n    ran(x)\n    return _helper(x)\ndef _unused(): return never_defined"
BODY = "%%durable\nfirst = step(1)\nif not made(): die()\nsecond = step(2)\nthird = step(3)"
MADE = "import pathlib\ndef made(): return pathlib.Path(FLAG).exists()"


@pytest.fixture
def begun(notebook, tmp_path):
    """A request whose kernel died behind its first call; a fresh kernel that has run none of its cells."""
    flag = tmp_path / "flag"
    notebook.cell(f"FLAG = {str(flag)!r}", key="flag")
    for text in (MADE, HELPER, STEPS):
        notebook.cell(text, key=None)
    notebook.cell(BODY)
    assert notebook.executed() == [1]
    flag.touch()
    notebook.restart()
    return notebook


WITHOUT = {
    "a helper of a helper": ([STEPS, MADE, "FLAG = '/'"], ["_helper"]),
    "a constant": ([STEPS, MADE, HELPER.replace("FACTOR = 3\n", ""), "FLAG = '/'"], ["FACTOR"]),
    "an import": ([STEPS, MADE, HELPER.replace("import math\n", ""), "FLAG = '/'"], ["math"]),
    "several": ([STEPS, MADE], ["FLAG", "_helper"]),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_recorded_code_replays_after_a_run_that_lacked_definitions(begun, name):
    """The cell is run early, fails for want of a name, and the recorded code still goes on to the end."""
    cells, lacking = WITHOUT[name]
    for text in cells:
        begun.cell(text, key=None)
    begun.cell("pass", key="other")
    before = begun.last()._row.code_key
    with pytest.raises(NameError):
        begun.cell(BODY.replace("first = step(1)", "first = step(1)\nagain = step(7)"))
    request = begun.last()
    assert request._now().code_key == before
    begun.restart()
    assert len(begun.executed()) <= 1
    request = begun.last().replay()
    assert request.status == "succeeded"
    assert [call.output() for call in request.calls("step")][-2:] == [6, 9]
    assert lacking


@pytest.mark.parametrize("once", [False, True])
def test_a_resume_with_all_definitions_takes_the_code_of_now(begun, once):
    """Once the cells above were run the request goes on with them, and nothing was set aside by the early run."""
    begun.cell(STEPS + "\n" + MADE.replace("def made", "def made"), key=None)
    begun.cell(f"FLAG = {'/'!r}", key=None)
    with pytest.raises(NameError):
        begun.cell(BODY, once=once)
    begun.executed()
    begun.cell(HELPER, key=None)
    begun.cell(MADE, key=None)
    request = begun.cell(BODY, once=once)
    assert begun.executed() == [2, 3]
    assert request.status == "succeeded"


def test_what_is_lacking_is_listed_before_the_cell_runs(begun):
    """A line for each name, how it was made, and the recorded code as the other way."""
    begun.cell(STEPS, key=None)
    sessions = begun.engine.sessions
    from jupyter_durable.client.session import Cell

    sessions.begin(Cell("/nb.ipynb", "cell", "cell", BODY, durable_body=True))
    lines = sessions.absent()
    sessions.end(None)
    id = begun.last().id
    assert lines == [
        "`_helper`: run `def _helper(x): return math.floor(x * FACTOR)`",
        "`made`: run `def made(): return pathlib.Path(FLAG).exists()`",
        f"or replay the recorded code, which has it: %durable replay {id}",
    ]
    begun.cell(MADE + "\n" + HELPER + "\nFLAG = '/'", key=None)
    sessions.begin(Cell("/nb.ipynb", "cell", "cell", BODY, durable_body=True))
    assert sessions.absent() == []
    sessions.end(None)


def test_an_upgrade_that_lacks_a_helper_stops_before_any_call(begun):
    """`upgrade_to_latest_version` names what a function reads and nobody defined, with the way to make it."""
    begun.cell(STEPS + "\n" + MADE.replace("%%durable", ""), key=None)
    begun.cell("FLAG = '/'", key=None)
    with pytest.raises(ReplayError, match=r"`_helper`.*run `def _helper"):
        begun.last().replay(upgrade_to_latest_version=True)
    assert begun.executed() == []
    begun.cell(HELPER, key=None)
    assert begun.last().replay(upgrade_to_latest_version=True).status == "succeeded"


def test_an_application_keeps_its_version_too(notebook, tmp_path):
    """An application that is called again where a helper is missing fails, and its recorded code goes on."""
    flag = tmp_path / "flag"
    app = (
        "@application()\n@function()\ndef app(n: int) -> int:\n    first = part(n)\n    if not made(): die()\n"
        "    return first + part(n + 1)\n@function()\ndef part(n): ran(n); return _low(n)"
    )
    notebook.cell(f"FLAG = {str(flag)!r}\n{MADE}\ndef _low(n): return n * 2", key=None)
    notebook.cell(app, key=None)
    notebook.cell("app(1)", key="call")
    flag.touch()
    notebook.restart()
    notebook.cell(f"FLAG = {str(flag)!r}\n{MADE}", key=None)
    notebook.cell(app, key=None)
    with pytest.raises(NameError):
        notebook.cell("app(1)", key="call")
    notebook.restart()
    notebook.executed()
    request = notebook.last().replay()
    assert request.output() == 6
    assert notebook.executed() == [2]
