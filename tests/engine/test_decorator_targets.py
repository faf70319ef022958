"""What `@function()` and `@application()` say of what is no function, and that what they advise works."""

from __future__ import annotations

import functools
import operator

import pytest

from jupyter_durable import SDKUsageError, application, function


def plain(x):
    return x


class Called:
    def __call__(self):
        return 1

    def method(self):
        return 2


TARGETS = {
    "a static method": (staticmethod(plain), "a static method plain: write @staticmethod above @function()"),
    "a class method": (classmethod(plain), "a class method plain: write @classmethod above @function()"),
    "a property": (property(plain), "a property plain: reading it is no call"),
    "a cached property": (functools.cached_property(plain), "a property plain: reading it is no call"),
    "a cached function": (functools.lru_cache(plain), "a cached function plain: write the cache above @function()"),
    "a cache": (functools.cache(plain), "a cached function plain: write the cache above @function()"),
    "a partial": (functools.partial(plain, 1), "a partial plain: write @function() above the function"),
    "a partial method": (functools.partialmethod(plain, 1), "a partial plain: write @function() above the function"),
    "a bound method": (
        Called().method,
        "a bound method Called.method: write @function() above the method in its class",
    ),
    "a builtin": (len, "a compiled function len: it has no Python code"),
    "a method of a builtin": (str.lower, "a compiled function: it has no Python code"),
    "a callable object": (Called(), "an object of Called: it is called by its __call__"),
    "an item getter": (operator.itemgetter(0), "an object of itemgetter: it is called by its __call__"),
    "a decorator's object": (functools.update_wrapper(Called(), plain), "an object of Called around plain: write its"),
    "a class": (Called, "the class Called: use @cls() for classes"),
    "a number": (5, "an object of int: write it above a function"),
    "None": (None, "an object of NoneType: write it above a function"),
}


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("decorator", [function, application])
def test_what_is_no_function_is_called_what_it_is(name, decorator):
    """The error names the kind of the object, its function, and what to write instead; it was called."""
    target, text = TARGETS[name]
    what = decorator.__name__
    with pytest.raises(SDKUsageError) as raised:
        decorator()(target)
    assert str(raised.value).startswith(f"@{what}() on {text.replace('@function', f'@{what}')}")


@pytest.mark.parametrize("target", [plain, property(plain), functools.partial(plain), Called()])
def test_a_decorator_that_was_not_called_says_so(target):
    """`@function` without parentheses, above whatever."""
    with pytest.raises(SDKUsageError, match=r"@function must be called: write @function\(\) above the function"):
        function(target)


def test_what_the_errors_advise_works(notebook):
    """Static and class methods, caches and partials over a durable function."""
    notebook.cell(
        "import functools\nclass Tool:\n    by = 3\n    @staticmethod\n    @function()\n    def plain(x):\n"
        "        ran('s')\n        return x\n    @classmethod\n    @function()\n    def made(cls, x):\n"
        "        ran('c')\n        return cls.by * x\n"
        "@functools.lru_cache\n@function()\ndef cached(x):\n    ran('l')\n    return x\n"
        "@function()\ndef times(x, y):\n    ran('p')\n    return x * y\ntwice = functools.partial(times, 2)\n",
        key=None,
    )
    cell = "got = [Tool.plain(1), Tool().plain(1), Tool.made(2), cached(4), cached(4), twice(5)]\n"
    with pytest.raises(AssertionError):
        notebook.cell(cell + "assert False")
    assert notebook.executed() == ["s", "s", "c", "l", "p"]
    notebook.namespace["cached"].cache_clear()
    notebook.cell(cell)
    assert notebook.namespace["got"] == [1, 1, 6, 4, 4, 10]
    assert notebook.executed() == []
