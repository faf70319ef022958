"""What `%%durable` makes of a cell, and what it leaves alone."""

from __future__ import annotations

from tests.kernel.conftest import LOGGING, Kernel, Log

CELL = """%%durable
# a comment
import functools
def njit(fn):
    @functools.wraps(fn)
    def compiled(*args):
        return fn(*args)
    return compiled
def double(x):
    "Twice."
    return 2 * x
async def later(x):
    return x + 1
def _hidden(x):
    return x
def numbers():
    yield 1
@njit
def fast(x):
    return x
def helper(x):
    return x
class Point:
    def __init__(self, x): self.x = x
"""


def test_top_level_functions_become_durable_and_the_others_stay(kernel: Kernel) -> None:
    ran = kernel.run(CELL.replace("%%durable", "%%durable --plain helper,njit"))
    assert not ran.error
    assert ran.text == (
        "durable: double, later\n"
        "left as they are: njit (named by --plain), _hidden (its name begins with _), "
        "numbers (a generator has no single result), fast (it stands under @njit), helper (named by --plain)"
    )
    durable = kernel.value("sorted(n for n, v in globals().items() if hasattr(v, '__durable__') and n[0] != '_')")
    assert durable == ["double", "later"]
    assert kernel.value("fast(3), _hidden(4), helper(5), list(numbers()), Point(6).x, double(7)") == (
        3,
        4,
        5,
        [1],
        6,
        14,
    )


def test_the_list_of_what_became_durable_is_told_once(kernel: Kernel) -> None:
    cell = "%%durable told\ndef first(x):\n    return x"
    assert kernel.run(cell, "told").text == "durable: first"
    assert kernel.run(cell + "  # a comment", "told").text == ""
    assert kernel.run(cell + "\ndef second(x):\n    return x", "told").text == "durable: first, second"


def test_a_pydantic_class_in_a_durable_cell_is_as_before(kernel: Kernel) -> None:
    ran = kernel.run(
        "%%durable\nfrom pydantic import BaseModel\nclass Item(BaseModel):\n    n: int\nprint(Item(n='4').n)"
    )
    assert (ran.error, ran.stdout) == ("", "4\n")


def test_line_numbers_sources_and_names_are_those_of_the_cell(kernel: Kernel) -> None:
    kernel.run("%%durable\n\ndef line(x):\n    return __import__('sys')._getframe().f_lineno\n")
    assert kernel.value("line(1)") == 4
    assert kernel.value("__import__('inspect').getsource(line)").startswith("def line(x):\n")
    assert kernel.value("(line.__name__, __import__('inspect').unwrap(line).__code__.co_firstlineno)") == ("line", 3)


def test_top_level_await_works_in_a_durable_cell(kernel: Kernel) -> None:
    kernel.run("import asyncio")
    ran = kernel.run("%%durable\nasync def wait(x):\n    await asyncio.sleep(0.01)\n    return x\nprint(await wait(5))")
    assert (ran.error, ran.stdout) == ("", "5\n")
    ran = kernel.run("print(await asyncio.gather(wait(1), wait(2)))")
    assert (ran.error, ran.stdout) == ("", "[1, 2]\n")


def test_a_recorded_body_with_top_level_await_is_replayed_by_the_magic(kernel: Kernel) -> None:
    kernel.run("import asyncio\nready = False")
    ran = kernel.run(
        "%%durable awaited\nasync def ask(x):\n    await asyncio.sleep(0.01)\n    return x\n"
        "got = await asyncio.gather(ask(1), ask(2))\nassert ready"
    )
    assert "AssertionError" in ran.error
    kernel.run("ready = True")
    ran = kernel.run("%durable replay --latest")
    assert "succeeded" in ran.stdout, ran
    assert "2 from checkpoint · 0 ran" in ran.stdout


def test_a_durable_function_may_be_called_from_async_code_and_back(kernel: Kernel) -> None:
    ran = kernel.run(
        "%%durable\ndef outer(x):\n    return double(x) + 1\n"
        "async def top(x):\n    return outer(x)\nprint(await top(3))"
    )
    assert (ran.error, ran.stdout) == ("", "7\n")


def test_apply_over_a_thousand_rows_is_one_request(kernel: Kernel) -> None:
    kernel.run("from jupyter_durable import list_requests\nbefore = len(list_requests())\n")
    # The environment of ipykernel 6.31 has only what it needs.
    kernel.run("try:\n    from pandas import Series\nexcept ImportError:\n    Series = None")
    rows = "Series(range(1_000)).apply(double) if Series else [double(n) for n in range(1_000)]"
    ran = kernel.run(f"made = {rows}", timeout=100)
    assert not ran.error
    assert kernel.value("int(sum(made))") == 2 * sum(range(1_000))
    assert kernel.value("len(list_requests(limit=1000)) - before") == 1
    assert kernel.value("list_requests()[0].runs[-1].executed") == 1_000


def test_what_calls_print_is_shown_and_kept_on_worker_threads_too(kernel: Kernel) -> None:
    ran = kernel.run("%%durable\ndef say(x):\n    print('said', x)\n    return x\nsay.map([1, 2])")
    assert ran.stdout.count("said") == 2
    assert "say[0]:\nsaid 1\nsay[1]:\nsaid 2" in kernel.run("%durable logs").stdout


def test_options_of_the_first_line_hold_for_its_functions(kernel: Kernel) -> None:
    ran = kernel.run("%%durable --retries 2 --timeout 30 --executor thread\ndef opted(x):\n    return x")
    assert not ran.error
    assert kernel.value("(opted.__durable__.options.retries.max_retries, opted.__durable__.options.timeout)") == (
        2,
        30.0,
    )
    assert kernel.value("opted.__durable__.options.executor") == "thread"


def test_a_line_that_cannot_be_understood_is_one_line_and_nothing_runs(kernel: Kernel) -> None:
    cases = {
        "%%durable --bogus": "unknown option '--bogus'; known are --plain, --retries, --timeout, --executor, ",
        "%%durable --retries x": "--retries takes a whole number, not 'x'",
        "%%durable --retries 11": "max_retries must be a whole number from 0 to 10, not 11",
        "%%durable --timeout 0.1": "timeout must be a number from 1 to 172800, not 0.1",
        "%%durable --executor ray": "executor='ray' is not built yet",
        "%%durable --once --fresh": "choose one",
        "%%durable a b": "one NAME is enough, not 'a' and 'b'",
        "%%durable --plain": "--plain needs a value",
        "%%durable --plain zork": "--plain zork: this cell defines f",
        "%%durable 'a": "No closing quotation",
    }
    for line, told in cases.items():
        ran = kernel.run(f"{line}\ndef f(): pass\nleaked = 1")
        assert told in ran.error, (line, ran.error)
        assert len(ran.error.split("\n")) == 1
        assert ran.error.startswith("UsageError: "), ran.error
    assert kernel.value("'leaked' in globals()") is False


def test_a_syntax_error_is_shown_at_its_line_and_nothing_runs(kernel: Kernel) -> None:
    ran = kernel.run("%%durable\nleaked = 1\nx = = 2")
    assert "line 3" in ran.error
    assert "SyntaxError" in ran.error
    assert kernel.value("'leaked' in globals()") is False
    assert not kernel.run("%%durable\nafter = 3").error


def test_the_traceback_shows_the_users_frames_and_how_to_go_on(kernel: Kernel) -> None:
    kernel.run("%%durable\ndef inner(x):\n    return 1 / x\ndef outer(x):\n    return inner(x)")
    ran = kernel.run("outer(0)")
    id = kernel.value("__import__('jupyter_durable').get_request('last').id")
    assert ran.error.endswith(f"request {id} · resume: run the cell again, or %durable replay {id}")
    assert ran.error.count("ZeroDivisionError: division by zero") == 1
    assert ran.error.count("return 1 / x") == 1
    for foreign in ("jupyter_durable/", "direct cause", "skipping hidden"):
        assert foreign not in ran.error
    assert "in outer(x)" in ran.error
    assert "in inner(x)" in ran.error


def test_a_plain_cell_and_its_errors_are_untouched(kernel: Kernel) -> None:
    ran = kernel.run("1 / 0")
    assert "request" not in ran.error
    assert not ran.outputs


def test_an_error_caught_by_the_cell_does_not_fail_its_request(kernel: Kernel, log: Log) -> None:
    kernel.run(LOGGING)
    ran = kernel.run("try:\n    inner(0)\nexcept ZeroDivisionError as error:\n    print(type(error).__name__)")
    assert (ran.stdout, ran.error) == ("ZeroDivisionError\n", "")
    assert kernel.value("__import__('jupyter_durable').get_request('last').status") == "succeeded"


def test_a_class_that_is_defined_again_is_still_that_class_for_recorded_values(kernel: Kernel) -> None:
    cell = "class Vector:\n    def __init__(self, x): self.x = x"
    kernel.run(cell, "class")
    kernel.run("%%durable\ndef vector(x):\n    return Vector(x)", "vector")
    kernel.run("%%durable\nmade = vector(1)\nif not globals().get('fixed'): raise ValueError", "use")
    kernel.run(cell + "\n# again", "class")
    ran = kernel.run("fixed = True", "x")
    ran = kernel.run("%%durable\nmade = vector(1)\nif not globals().get('fixed'): raise ValueError", "use")
    assert "1 from checkpoint" in ran.text
    assert kernel.value("isinstance(made, Vector), made.x") == (True, 1)


def test_unloading_leaves_the_shell_as_it_was(start) -> None:
    kernel = start("unload.ipynb", bare=True)
    seen = "(len(ip.events.callbacks['pre_run_cell']), len(ip.ast_transformers), len(ip.input_transformers_cleanup))"
    kernel.run("ip = get_ipython()")
    before = kernel.value(seen)
    kernel.run("%load_ext jupyter_durable")
    assert kernel.value(seen) != before
    kernel.run("%unload_ext jupyter_durable")
    assert kernel.value(seen) == before
    assert "not found" in kernel.run("%durable").stderr
    kernel.run("%load_ext jupyter_durable")
    assert "store:" in kernel.run("%durable").stdout


def test_the_cell_that_loads_the_extension_may_call_durable_functions(start) -> None:
    kernel = start("loading.ipynb", bare=True)
    ran = kernel.run(
        "%load_ext jupyter_durable\nfrom jupyter_durable import function\n"
        "@function()\ndef f(x): return x\nprint(f(1), f(2))"
    )
    assert (ran.error, ran.stdout) == ("", "1 2\n")
    assert kernel.value("__import__('jupyter_durable').get_request('last').status") == "succeeded"
