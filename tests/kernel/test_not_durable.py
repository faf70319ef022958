"""What is not durable is told where it costs, with the remedy, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.conftest import Kernel, Start

MODULE = '''
"""A module beside the notebook."""
import json

def llm_call(prompt):
    return json.dumps(prompt)

class Client:
    def __init__(self): self.n = 0
    def ask(self, prompt): return llm_call(prompt)
    def close(self): pass
    def _send(self): pass
'''
SETUP = """
import dataclasses, functools, json, math, sys
sys.path.insert(0, {directory!r})
import llm_helpers
import llm_helpers as util
from llm_helpers import Client, llm_call
from jupyter_durable import cls, function
"""
AGENT = """
class Agent:
    def __init__(self): self.seen = []
    def plan(self, text): return text
    def act(self, text): return llm_call(text)
    @staticmethod
    def check(text): return text
    @property
    def last(self): return 1
    def _hidden(self): pass
class Empty: pass
class Failed(Exception): pass
@dataclasses.dataclass
class Config:
    size: int = 1
@cls()
class Service:
    @function()
    def call(self, x): return x
"""


@pytest.fixture
def fresh(start: Start, directory: Path) -> Kernel:
    """A kernel in which nothing was told yet, with classes and helpers of the user's."""
    (directory / "llm_helpers.py").write_text(MODULE)
    kernel = start("told.ipynb")
    assert not kernel.run(SETUP.format(directory=str(directory))).error
    assert not kernel.run(AGENT).error
    return kernel


def told(kernel: Kernel, code: str) -> str:
    """The remarks under a cell."""
    ran = kernel.run(code)
    assert not ran.error, ran.error
    return "\n".join(each.text for each in ran.saved if each.kind == "display_data")


def test_methods_and_imported_helpers_are_named_with_the_remedy(fresh: Kernel) -> None:
    """In the body, through an instance, behind a module, below a plain function and in a durable one."""
    text = told(
        fresh,
        "%%durable\ndef parse_tasks(text):\n    return text\n"
        "def clean_too(text):\n    return util.llm_call(text)\n"
        "agent = Agent()\nfor text in ['a', 'b']:\n    agent.act(parse_tasks(text))\nConfig(), Empty(), json.dumps(1)",
    )
    assert text == (
        "durable: parse_tasks, clean_too\n"
        "not durable here: class Agent (3 methods), llm_helpers.llm_call (imported)\n"
        "to keep their results: @cls() above a class, @function() above its methods · @function() in llm_helpers"
    )


def test_it_is_told_once_and_what_is_new_is_told_again(fresh: Kernel) -> None:
    """The same names are not repeated in the next cell, nor when the cell runs again."""
    cell = "%%durable\ndef one(x):\n    return x\nAgent().plan(one(1))\nNone"
    assert "class Agent (3 methods)" in told(fresh, cell)
    assert told(fresh, cell) == ""
    assert told(fresh, "one(1)\nAgent().plan(2)\nNone") == ""
    assert told(fresh, "%%durable\nClient().ask(one(2))\nAgent()\nNone").startswith(
        "not durable here: class llm_helpers.Client (2 methods, imported)\n"
    )


def test_a_plain_cell_that_calls_durable_functions_tells_it_too(fresh: Kernel) -> None:
    """A helper of another cell is named with the magic that would make it durable."""
    fresh.run("def helper(x):\n    return x")
    fresh.run("%%durable\ndef one(x):\n    return x")
    assert told(fresh, "one(helper(1))\nNone") == (
        "not durable here: helper\nto keep their results: %%durable in the cell that defines the function"
    )
    assert told(fresh, "helper(2)\nNone") == ""


def test_libraries_private_names_and_what_was_named_plain_are_not_told(fresh: Kernel) -> None:
    """Nor data classes, exceptions, `@cls()` classes, generators, and what the cell said already."""
    fresh.run("def _private(x): return x\ndef numbers():\n    yield 1")
    text = told(
        fresh,
        "%%durable --plain small\ndef small(x):\n    return x\n@functools.cache\ndef cached(x):\n    return x\n"
        "def one(x):\n    return _private(small(x))\n"
        "one(1); cached(1); math.sin(1); Config(); list(numbers()); Service().call(1)\n"
        "try:\n    raise Failed\nexcept Failed:\n    pass",
    )
    assert text == ("durable: one\nleft as they are: small (named by --plain), cached (it stands under @cache)")


def test_many_names_are_counted(fresh: Kernel) -> None:
    """A remark stays short."""
    fresh.run("\n".join(f"def helper_{n}(x): return x" for n in range(9)))
    fresh.run("%%durable\ndef one(x):\n    return x")
    text = told(fresh, "one(1)\n" + "; ".join(f"helper_{n}(1)" for n in range(9)) + "\nNone")
    assert text.splitlines()[0] == ("not durable here: helper_0, helper_1, helper_2, helper_3, helper_4, and 4 more")


def test_looking_for_it_asks_no_object_anything(fresh: Kernel) -> None:
    """Objects that answer as they like, or raise, are passed over."""
    fresh.run(
        "class Meta(type):\n    def __getattribute__(cls, name): raise RuntimeError(name)\n"
        "    def __hash__(cls): raise RuntimeError\n    def __eq__(cls, other): raise RuntimeError\n"
        "class Odd(metaclass=Meta): pass\n"
        "class Loud:\n    def __getattr__(self, name): print('asked', name); raise RuntimeError(name)\n"
        "    __class__ = property(lambda self: print('asked') or 1 / 0)\n"
        "from unittest import mock\nloud, call, magic = Loud(), mock.call, mock.MagicMock()"
    )
    ran = fresh.run(
        "%%durable\ndef one(x):\n    return x\none(1)\nNone if True else (Odd.x, loud.y.z, call.a.b, magic.c)"
    )
    assert not ran.error
    assert "asked" not in ran.stdout
