"""`request.widget()` in a kernel: its traits follow the request; without Jupyter it says what to install."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_durable_kernel.view.saved_forms import HTML, MIME, TEXT
from tests.kernel.conftest import Kernel

VIEW = "application/vnd.jupyter.widget-view+json"
CELL = """from jupyter_durable import application, function, get_request, configure
import time
@function()
def part(n):
    time.sleep(0.05)
    return n
@application()
@function()
def whole(n: int) -> int:
    return sum(part(i) for i in range(n))
whole(3)
w = get_request('last').widget()
seen, counted = [], []
w.observe(lambda change: seen.append(change.new), 'status')
w.observe(lambda change: counted.append(change.new['executed']), 'counts')"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    home = tmp_path_factory.mktemp("widget")
    made = Kernel(Path(sys.executable), {"JUPYTER_DATA_DIR": str(home)}, "jupyter_durable_kernel")
    ran = made.run(CELL)
    assert not ran.error, ran.error
    yield made
    made.close()


def test_its_traits_are_the_state_of_the_request(kernel: Kernel) -> None:
    assert kernel.value("(w.status, w.counts['executed'], w.selected_call)") == ("succeeded", 3, "")
    assert kernel.value("[call['label'] for call in w.snapshot['calls']]") == [
        "whole[0]",
        "part[0]",
        "part[1]",
        "part[2]",
    ]


def test_it_follows_a_replay_while_it_runs_and_to_its_end(kernel: Kernel) -> None:
    ran = kernel.run("seen.clear(); counted.clear(); w.request.replay(rerun='part'); time.sleep(0.4)")
    assert not ran.error, ran.error
    assert kernel.value("seen") == ["running", "succeeded"]
    assert kernel.value("counted[-1]") == 3
    assert kernel.value("w.snapshot['request']['run']") == 2


def test_a_request_that_made_no_view_has_a_widget_too(kernel: Kernel) -> None:
    assert not kernel.run("part(7)\nlast = get_request('last').widget()").outputs
    assert kernel.value("(last.status, last.counts['executed'])") == ("succeeded", 1)


def test_where_widgets_are_not_shown_the_view_stands_as_html_and_text(kernel: Kernel) -> None:
    (bundle,) = kernel.run("w").outputs.values()
    assert set(bundle) == {VIEW, HTML, TEXT}
    assert "whole succeeded" in bundle[TEXT]
    assert "<details" in bundle[HTML]


def test_the_display_setting_makes_every_view_a_widget_with_its_last_state_beside_it(kernel: Kernel) -> None:
    try:
        kernel.run("%durable display widget")
        under = kernel.run("whole(30)")
        bundle = next(iter(under.outputs.values()))
        assert set(bundle) == {VIEW, HTML, TEXT}
        assert "30 ran" in bundle[TEXT]
        assert under.updates == 1
        (value,) = kernel.run("get_request('last')").outputs.values()
        assert VIEW in value
    finally:
        kernel.run("%durable display auto")
    assert MIME in next(iter(kernel.run("whole(2)").outputs.values()))


@pytest.mark.parametrize("hidden", ["anywidget", "jupyter_durable_kernel"])
def test_without_what_it_needs_it_says_what_to_install(hidden: str, tmp_path: Path) -> None:
    program = f"""
import sys
sys.modules[{hidden!r}] = None
import jupyter_durable
from jupyter_durable import application, function, run_local_application
jupyter_durable.configure(store="memory:")
@application()
@function()
def one() -> int:
    return 1
request = run_local_application(one)
try:
    request.widget()
except jupyter_durable.SDKUsageError as error:
    print(error)
"""
    path = tmp_path / "program.py"
    path.write_text(program)
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True)
    assert "pip install 'jupyter-durable[notebook]'" in done.stdout
