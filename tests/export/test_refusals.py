"""What would make an export wrong, slow or leaky is refused, with the cell and the ways out; the rest goes in."""

from __future__ import annotations

import pytest

from jupyter_durable.errors import ExportError
from jupyter_durable.export.selection import Section
from jupyter_durable.export.table import table
from tests.export.writing import HEAD, app, imported, selected, text_of


def refusal(*cells, **asked) -> str:
    with pytest.raises(ExportError) as error:
        selected(*cells, **asked)
    return error.value.message


# computed at import


@pytest.mark.parametrize(
    ("statement", "by"),
    [
        ("N = pd.read_csv('x.csv')", "pd.read_csv()"),
        ("N = train()", "train()"),
        ("N = slow()", "slow()"),
        ("N = durable(3)", "durable()"),
        ("N = requests.get('https://x').json()", "requests.get('https://x').json()"),
        ("N = open('x').read()", "open('x').read()"),
        ("N = AutoModel.from_pretrained('x')", "AutoModel.from_pretrained()"),
        ("N = SentenceTransformer('x')", "SentenceTransformer()"),
        ("N = 0\nwhile N < 10:\n    N += 1", "a `while` loop"),
        ("N = [fetch(i) for i in range(3)]", "fetch()"),
        ("with open('x') as f:\n    N = f.read()", "open()"),
        ("N = input()", "input()"),
        ("N = subprocess.run(['ls'])", "subprocess.run()"),
        ("N = graph.compile()", "graph.compile()"),
    ],
)
def test_a_global_that_is_computed_at_import_is_refused_with_three_ways_out(statement: str, by: str) -> None:
    before = (
        "import pandas as pd, requests, subprocess\nfrom transformers import AutoModel\nfrom lib import fetch\n"
        "from sentence_transformers import SentenceTransformer\ngraph = object()\n"
        "def train():\n    return pd.read_csv('x')\ndef slow():\n    return train()\n@function()\ndef durable(x): ..."
    )
    said = refusal(HEAD, before, statement, app("return N"))
    assert "app needs N, and `" in said
    assert f"would run {by} at every start of the application" in said
    for way in ("Include it", "bundle its value as a file", "make it a durable function that app calls"):
        assert way in said
    for asked in ({"include": ["N"]}, {"bundled": {"N": b"1"}}):
        selected(HEAD, before, statement, app("return N"), **asked)


@pytest.mark.parametrize(
    "statement",
    [
        "N = sorted({'b', 'a'})[0].upper().strip()",
        "import re\nN = re.compile('x')",
        "import logging\nN = logging.getLogger(__name__)",
        "from pathlib import Path\nN = Path('x') / 'y'",
        "import os\nN = os.environ.get('HOME_OF_N', 'x') + os.path.join('a', 'b')",
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\nN = P(3)",
        "import threading\nN = threading.Lock()",
        "from collections import Counter, defaultdict\nN = Counter('aab'), defaultdict(list)",
        "from enum import Enum\nN = Enum('N', 'a b')",
        "from typing import TypeVar, NamedTuple\nN = TypeVar('N')",
        "import json\nN = json.loads('[1]')",
        "import httpx\nN = httpx.Client(timeout=3)",
        "def twice(x):\n    return [x, x]\nN = {key: twice(key) for key in 'ab'}",
        "from jupyter_durable import Retries\nN = Retries(3)",
        "N = (lambda: 3)",
        "from functools import partial\nN = partial(print, 1)",
        "import numpy as np\nN = np.array([1, 2])",
    ],
)
def test_what_is_cheap_goes_in_and_runs(statement: str) -> None:
    with imported(selected(HEAD, statement, app("return N"))) as module:
        assert module.N is module.app.local(0)


def test_a_class_whose_constructor_is_costly_is_refused() -> None:
    said = refusal(
        HEAD, "import lib\nclass M:\n    def __init__(self):\n        self.w = lib.load()", "m = M()", app("return m")
    )
    assert "cell 3: app needs m, and `m = M()` would run M()" in said


def test_a_value_that_is_awaited_cannot_be_computed_by_a_module() -> None:
    said = refusal(HEAD, "async def g(): return 1", "v = await g()", app("return v"))
    assert "`v = await g()` awaits, which a module cannot when it is imported. Make it an async function" in said


# names


def test_names_that_nothing_binds_are_told_with_the_nearest() -> None:
    said = refusal(HEAD, "limits = 3", app("return limit"))
    assert "cell 3: app reads limit, which no cell binds; did you mean limits?" in said
    assert "which no cell binds; bind it in a cell, or import it." in refusal(HEAD, app("return qqq"))


@pytest.mark.parametrize("name", ["display", "get_ipython", "In", "Out", "_", "__"])
def test_names_that_only_a_notebook_has_are_told_apart(name: str) -> None:
    assert f"reads {name}, which only a notebook has:" in refusal(HEAD, app(f"return {name}"))


def test_a_name_that_was_deleted_is_told() -> None:
    assert "cell 4: app reads limit, which cell 3 deletes" in refusal(
        HEAD, "limit = 3", "del limit", app("return limit")
    )
    assert "limit = 3" in text_of(selected(HEAD, "limit = 3", "del limit  # durable: exclude", app("return limit")))
    assert "limit = 4" in text_of(selected(HEAD, "limit = 3", "del limit", "limit = 4", app("return limit")))


def test_a_cell_that_is_no_python_is_told_to_who_needs_it_and_else_left_out() -> None:
    broken = "def g(:\n    return 1"
    said = refusal(HEAD, broken, app("return g()"))
    assert "which only cell 2 binds, and that cannot go in: it is no Python (line 1: " in said
    assert "g" not in text_of(selected(HEAD, broken, app("return x"))).replace("function", "")


def test_two_statements_that_need_each_other_first_are_told() -> None:
    assert "need each other to be there first" in refusal(HEAD, app("return a"), "a = b", "b = c", "c = a")


# roots


def test_roots_are_the_applications_or_what_is_named() -> None:
    cells = [HEAD, app("return 1", "one"), app("return 2", "two"), "@function()\ndef step(): ..."]
    assert [root.name for root in selected(*cells).roots] == ["one", "two"]
    assert [(root.name, root.is_application) for root in selected(*cells, apps=["step"]).roots] == [("step", False)]
    assert "one" not in text_of(selected(*cells, apps=["two"]))
    assert refusal(*cells, apps=["tow"]) == "the notebook defines no tow. Did you mean two? There are: one, two, step."


def test_a_notebook_without_an_application_is_told_what_to_do() -> None:
    assert "name durable functions to export (--app NAME): step." in refusal(HEAD, "@function()\ndef step(): ...")
    assert refusal("def f(): ...").startswith(
        "the notebook has no application and no durable function. Put @application()"
    )
    assert "f (cell 2) is not durable" in refusal(HEAD, "def f(): ...", apps=["f"])


def test_methods_of_classes_are_roots() -> None:
    agent = (
        "import jupyter_durable as jd\nKEY = 3\n@jd.cls()\nclass Agent:\n    @jd.function()\n    async def step(self):"
        "\n        '''One step.'''\n        return KEY\n    @jd.application()\n    @jd.function('Runs.')\n"
        "    def run(self): ..."
    )
    (root,) = selected(agent).roots
    assert (root.name, root.function, root.is_application, root.description) == ("Agent", "Agent.run", True, "Runs.")
    step, _ = selected(agent, apps=["Agent"]).roots
    assert (step.function, step.is_async, step.description) == ("Agent.step", True, "One step.")


# tags and comments


def test_a_comment_above_the_first_statement_or_a_tag_is_for_the_cell() -> None:
    kept = selected(HEAD, "# durable: include\nimport seaborn\nseaborn.set()\n", app("return 1"))
    assert "import seaborn\n\nseaborn.set()" in text_of(kept)
    assert "durable: include" not in text_of(kept)


def test_a_comment_behind_or_directly_above_a_statement_is_for_it_alone() -> None:
    text = text_of(
        selected(HEAD, "A = 1\nB = 2  # durable: include\n# durable: include\nC = 3\nD = 4", app("return 1"))
    )
    assert "B = 2\n" in text
    assert "C = 3\n" in text
    assert "A = 1" not in text
    assert "D = 4" not in text


def test_what_is_excluded_is_missed_by_who_needs_it() -> None:
    assert "that is marked to be excluded" in refusal(HEAD, "# durable: exclude\nA = 1", app("return A"))
    assert "A = 0" in text_of(selected(HEAD, "A = 0", "A = 1  # durable: exclude", app("return A")))


# what must not stand in an export


@pytest.mark.parametrize(
    "line",
    [
        "KEY = 'sk-abcdefghijklmnop1234'",
        "CLIENT = dict(api_key='0123456789abcdef')",
        "URL = 'postgres://me:hunter22@host/db'",
        "KEY = 3  # ghp_abcdefghijklmnop",
        "KEY, WHERE = 1, '/home/somebody/data'",
        "WHERE = 'C:\\\\Users\\\\somebody'",
        "def where():\n    '''Reads /Users/somebody/x.'''\nKEY = where",
    ],
)
def test_credentials_and_home_folders_are_refused_and_not_shown(line: str) -> None:
    name = next(name for name in ("KEY", "CLIENT", "URL", "WHERE") if name in line)
    said = refusal(HEAD, line, app(f"return {name}"))
    assert 'os.environ["NAME"]' in said
    for secret in ("abcdefghijklmnop", "0123456789abcdef", "hunter22", "somebody"):
        assert secret not in said


def test_they_are_refused_in_local_modules_files_and_addresses_and_masked_in_markdown(tmp_path) -> None:
    (tmp_path / "conf.py").write_text("TOKEN = 'ghp_abcdefghijklmnop'\n")
    (tmp_path / "a.txt").write_text("sk-abcdefghijklmnop1234")
    cells = [HEAD, "import conf", app("return conf, open('a.txt').read()")]
    said = refusal(*cells, "!pip install git+https://x:ghp_abcdefghijklmnop@host/y.git", directory=tmp_path)
    assert "3 reasons" in said
    assert "the local module conf: a text in it looks like a key" in said
    assert "abcdefghijklmnop" not in said
    selection = selected("#md Token ghp_abcdefghijklmnop in /home/somebody/x", HEAD, app("return 1"))
    (section,) = [part for part in selection.pieces if isinstance(part, Section)]
    assert section.text == "Token *** in ~/x"


def test_secrets_in_what_is_left_out_are_nowhere() -> None:
    selection = selected(HEAD, "import os\nos.environ['A_TOKEN'] = 'abc-def-ghi'\nKEY = 'sk-abcdefghijklmnop1234'\nKEY",
                         "%env B_TOKEN=xyz-uvw", app("return os.environ['A_TOKEN']"))  # fmt: skip
    assert [(key.name, key.cell) for key in selection.environment] == [("A_TOKEN", 4), ("B_TOKEN", 3)]
    for secret in ("abc-def", "xyz-uvw", "abcdefghijklmnop"):
        assert secret not in repr(selection)
        assert secret not in table(selection.decisions)


# files


def test_small_files_go_in_and_those_outside_are_refused(tmp_path) -> None:
    (tmp_path / "nb").mkdir()
    (tmp_path / "nb/data").mkdir()
    for name in ("p.txt", "nb/p.txt", "nb/data/a.csv", "nb/.env", "nb/out.txt"):
        (tmp_path / name).write_text("x")
    body = "open(DATA / 'a.csv'); open('.env'); open('out.txt', 'w'); open('gone.txt'); return P"
    head = "from pathlib import Path\nP = Path('p.txt').read_text()\nDATA = Path('data')"
    files = selected(HEAD, head, app(body), directory=tmp_path / "nb").files
    assert [(str(file.path), file.cell) for file in files] == [("p.txt", 2), ("data/a.csv", 2)]
    said = refusal(HEAD, app("return open('../p.txt').read()"), directory=tmp_path / "nb")
    assert "cell 2: ../p.txt lies outside of the notebook's folder" in said


# the table


def test_the_table_has_a_line_for_each_statement_and_escapes_what_is_foreign() -> None:
    selection = selected(HEAD, "x = '\x1b[31m'; '\x1b[31mred'\nimport os", app("return os"))
    lines = table(selection.decisions).splitlines()
    assert lines[0].split() == ["cell", "what", "why"]
    assert len(lines) == 1 + 5 + 1
    assert lines[-1] == "3 of 5 statements go in."
    assert "\x1b" not in "".join(lines)
    assert all(line == line.rstrip() for line in lines)
    assert [(each.cell, each.kept) for each in selection.decisions] == [
        (1, True), (2, False), (2, False), (2, True), (3, True),
    ]  # fmt: skip
