"""Magics, `!` lines and cell magics: unwrapped, translated, dropped, or refused where somebody needs what they give."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_durable.errors import ExportError
from jupyter_durable.export.slicing.installs import requirements_of
from jupyter_durable.export.slicing.lines import Note, translated
from tests.export.writing import HEAD, app, imported, selected, text_of


@pytest.mark.parametrize(
    "cell",
    [
        "%%time\nN = 3",
        "%%capture\nN = 3",
        "%%capture out\nN = 3",
        "%%time\n%%capture\nN = 3",
        "\n\n%%time\n\nN = 3",
        "%time N = 3",
        "%prun N = 3",
        "N = %time 3",
        "%matplotlib inline\nN = 3\nN?",
        "N = 3  # kept\n!ls *.py \\\n   -la\n%timeit N",
        "N = 3\n%config InlineBackend.rc = {'a': \\\n   3}",
        "if True:\n    !pip install x\n    N = 3",
        "N = 3\nN??\n?N\n??N.real\nN.real?\n%time?",
        "try:\n    import nothing_of_that_name\nexcept ImportError:\n    %pip install nothing\nN = 3",
        "pip install nothing\nN = 3",
        'N = 3\n!echo "it\'s"',
        "T = '''\n!a\n%b\nc?\n'''\nN = T.count('\\n') - 1\n!ls",
        "N = (7\n% 4)\n%matplotlib inline",
    ],
)
def test_what_stands_beside_a_line_of_the_notebook_goes_in(cell: str) -> None:
    selection = selected(HEAD, cell, app("return N"))
    with imported(selection) as module:
        assert module.app.local(0) == 3


@pytest.mark.parametrize(
    "cell",
    [
        "%%bash\nN=3",
        "%%writefile n.txt\nN = 3",
        "%%timeit\nN = 3",
        "%%html\n<b>N</b>\nN = 3",
        "%%unknown\nN = 3",
        "%%sql x <<\nN = 3",
    ],
)
def test_a_cell_whose_body_is_no_python_of_the_notebook_binds_nothing(cell: str) -> None:
    magic = cell.split()[0]
    with pytest.raises(ExportError, match=f"which only cell 2 binds, and that cannot go in: it begins with {magic}"):
        selected(HEAD, cell, app("return N"))
    assert "N" not in text_of(selected(HEAD, cell, app("return x")))


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (
            "N = !ls",
            "`N = !ls` takes what a shell command prints, which only a notebook can. Write it with `subprocess.run`",
        ),
        ("N = %pwd", "`N = %pwd` takes what a magic gives, which only a notebook can. Write it in Python"),
        ("%%capture N\nprint(3)", "`%%capture N` takes what a cell printed"),
        ("for i in [1]:\n    N = !ls", "takes what a shell command prints"),
        ("%store -r N", "`%store -r` reads what this notebook's Jupyter keeps"),
    ],
)
def test_what_only_a_notebook_can_give_is_refused_to_who_needs_it(cell: str, said: str) -> None:
    with pytest.raises(ExportError) as error:
        selected(HEAD, cell, app("return N"))
    assert said in error.value.message
    assert "cell 2" in error.value.message
    selected(HEAD, cell, app("return x"))


def test_a_script_that_is_run_is_to_be_imported(tmp_path) -> None:
    (tmp_path / "prepare.py").write_text("N = 3\n")
    for line in ("%run prepare.py", "%run -i prepare", "%run 'prepare.py' --fast"):
        with pytest.raises(ExportError, match=r"which only cell 2 binds, .*Write `from prepare import …`"):
            selected(HEAD, line, app("return N"), directory=tmp_path)


def test_a_module_that_a_cell_writes_goes_in(tmp_path) -> None:
    cell = "%%writefile helper.py\ndef help():\n    return 3"
    selection = selected(HEAD, cell, "import helper", app("return helper.help()"), directory=tmp_path)
    assert [(each.dotted, each.source) for each in selection.modules] == [("helper", "def help():\n    return 3\n")]
    (tmp_path / "helper.py").write_text("def help():\n    return 4\n")
    with pytest.raises(ExportError, match=r"cell 2 writes helper\.py, and the file has another text"):
        selected(HEAD, cell, "import helper", app("return helper.help()"), directory=tmp_path)


@pytest.mark.parametrize(
    ("first", "decorator"),
    [
        ("%%durable", "@function()"),
        ("%%durable name --once", "@function()"),
        ("%%durable --retries 3 --timeout 2.5  # slow", "@function(retries=3, timeout=2.5)"),
        ("%%durable --timeout none --executor thread", '@function(timeout=None, executor="thread")'),
    ],
)
def test_a_durable_cell_becomes_the_decorator_that_it_means(first: str, decorator: str) -> None:
    cell = (
        f"{first}\n# what it does\ndef f(x):\n    return x\n\ndef _g(x):\n    return x\n\n"
        "class K: ...\n\ndef h():\n    yield 1"
    )
    selection = selected(HEAD, cell, app("return f(_g(x)), K, h"))
    text = text_of(selection)
    assert f"# what it does\n{decorator}\ndef f(x):" in text
    assert text.count(decorator) == 1 + (decorator == "@function()")
    with imported(selection) as module:
        assert hasattr(module.f, "local")
        assert not hasattr(module._g, "local")


def test_plain_functions_of_a_durable_cell_stay_plain() -> None:
    text = text_of(selected(HEAD, "%%durable --plain f\ndef f(x): return x\ndef g(x): return x", app("return f(g(x))")))
    assert "\ndef f(x): return x" in text.replace("@function()\ndef f", "")
    assert "@function()\ndef g(x)" in text


@pytest.mark.parametrize(
    "head",
    [
        "from jupyter_durable import application",
        "import jupyter_durable\nfrom jupyter_durable import application",
        "from jupyter_durable import application\nfunction = 3",
        "from jupyter_durable import application, function",
        "from jupyter_durable import application, function as durable",
        "from jupyter_durable import *",
        "import jupyter_durable as jd\napplication = jd.application",
    ],
)
def test_the_decorator_of_a_durable_cell_is_imported_whatever_the_notebook_imports(head: str) -> None:
    cell = "%%durable\ndef f(x):\n    return x"
    selection = selected(cell, head, "@application()\ndef app(x: int):\n    return f(x)", apps=["f"])
    with imported(selection) as module:
        assert module.f.local(3) == 3


def test_a_durable_line_that_cannot_be_understood_names_its_cell() -> None:
    with pytest.raises(ExportError, match="cell 2: %%durable: unknown option '--retires'; did you mean --retries"):
        selected(HEAD, "%%durable --retires 3\ndef f(): ...", app("return f()"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("!pip install a", ["a"]),
        ("!pip install -q --upgrade a b==1.2 'c>=2,<3' d[x,y]~=1.0", ["a", "b==1.2", "c>=2,<3", "d[x,y]~=1.0"]),
        ("!pip3 install a > /dev/null 2>&1", ["a"]),
        ("!pip install a && echo done", ["a"]),
        ("!cd /tmp; pip install a | tail -1", ["a"]),
        ("!python -m pip install a  # why", ["a"]),
        ("!{sys.executable} -m pip install a", ["a"]),
        ("!uv pip install a", ["a"]),
        ("!uv add a", ["a"]),
        ("%pip install a", ["a"]),
        ("%conda install -y -c conda-forge a=1.2 b", ["a==1.2", "b"]),
        ("!mamba install -n env a", ["a"]),
        ("!pip install -i https://mirror/simple a --extra-index-url https://x b", ["a", "b"]),
        ("!pip install git+https://host/x.git@v1", ["git+https://host/x.git@v1"]),
        ("!pip install 'a @ https://host/a.whl'", ["a @ https://host/a.whl"]),
        ("!pip install -e . ./b dist/c.whl $NAME {name}", []),
        ("!pip install -r needs.txt d", ["a", "b==2", "d"]),
        ("!pip install -rneeds.txt", ["a", "b==2"]),
        ("!pip install -r gone.txt", []),
        ("!pip uninstall a", []),
        ("!pip list", []),
        ("!echo pip is install", []),
        ("!apt-get install ffmpeg", []),
        ("%env PIP=pip install a", []),
    ],
)
def test_what_is_installed_is_read(tmp_path, line: str, expected: list[str]) -> None:
    (tmp_path / "needs.txt").write_text("# what is needed\na\nb==2  # pinned\n-e .\n\n")
    magic, said = ("!", line[1:]) if line.startswith("!") else (line.split()[0], line.partition(" ")[2])
    assert list(requirements_of(Note(1, magic, said), tmp_path)) == expected


LINES = [
    "x = 1", "def f():", "    return 1", "'''", '"', "!ls", "%time", "a?", "%%time", "(", ")", "\\", "#", "x = !ls",
    "x = %pwd", "", "  ", "%", "!", "?",
]  # fmt: skip


@given(st.lists(st.sampled_from(LINES), max_size=8))
def test_a_cell_becomes_python_on_the_same_lines_or_is_said_to_be_none(lines: list[str]) -> None:
    source = "\n".join(lines)
    found = translated(source)
    if found.broken or found.foreign:
        assert not found.source
    else:
        ast.parse(found.source)
        assert found.source.count("\n") == source.count("\n")


@given(st.text(max_size=60))
def test_any_text_is_read_without_an_error_of_ours(source: str) -> None:
    translated(source)
    translated("x = '''\n" + source)


def test_python_is_left_as_it_is() -> None:
    source = "x = 5 \\\n % 3\ntext = '''\n!ls\n%time\n?x\n'''\ny = x\n"
    assert translated(source).source == source
    assert translated(source).notes == ()
