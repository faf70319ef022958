"""What an exported application does: `run`, `serve`, and the end of what the notebook began."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_durable.export.project import plan, write
from jupyter_durable.export.selection import Section
from tests.export.conftest import Notebook
from tests.export.exported import Exported, Serving, until
from tests.export.selections import as_script, brief_selection

LEFT = ["load 3", "size t3", "load 4", "size t4"]
"""Calls 7 to 10 of ten; the notebook is killed in the first of them."""


def test_a_request_that_the_notebook_began_is_finished_with_four_executions(
    notebook: Notebook, exported: Exported
) -> None:
    """Killed with -9 in call 7 of 10. Values that it pickled as `__main__.Doc` are the package's; nothing is marked."""
    notebook.run(5, die_at="load 3")
    assert len(exported.executions) == 7
    exported.log.unlink()
    done = exported.json("replay", "last", "--store", notebook.store)
    assert exported.executions == LEFT
    assert done["output"]["value"] == sum(range(5)) * 3
    counts = done["counts"]
    assert (counts["reused"], counts["executed"], counts["code_changed"], counts["args_changed"]) == (6, 4, 0, 0)


@pytest.mark.full
def test_a_success_of_the_notebook_is_the_same_strictly_and_executes_nothing(
    notebook: Notebook, exported: Exported
) -> None:
    notebook.run(3)
    exported.log.unlink()
    done = exported.json("replay", "--strict", "--store", notebook.store)
    assert exported.executions == []
    assert (done["counts"]["executed"], done["counts"]["code_changed"]) == (0, 0)


@pytest.mark.full
def test_changed_code_is_marked_and_executes_nothing_again(
    notebook: Notebook, exported: Exported, tmp_path: Path
) -> None:
    """As in a notebook: an edit throws nothing away."""
    notebook.run(3)
    exported.log.unlink()
    module = exported.folder / "src" / "briefs" / "application.py"
    module.write_text(module.read_text().replace("len(doc.text)", "len(doc.text) + 0"))
    done = exported.json("replay", "--store", notebook.store)
    assert exported.executions == []
    assert done["counts"]["code_changed"] == 3


@pytest.mark.full
def test_run_prints_its_output_alone_and_goes_on_after_a_kill(exported: Exported) -> None:
    store = f"sqlite:///{exported.folder.parent / 'own.db'}"
    exported("run", "5", "--store", store, code=-9, DIE_AT="load 3")
    exported.log.unlink()
    done = exported("run", "5", "--store", store)
    assert done.stdout == "30\n"
    assert "going on with req_" in done.stderr
    assert exported.executions == LEFT


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "word"], "not JSON"),
        (["run", '"word"'], "does not fit its type hint"),
        (["run", "1", "--app", "other"], "no application 'other'"),
        (["replay", "req_0000"], "req_0000"),
    ],
)
@pytest.mark.full
def test_what_is_wrong_is_said_in_a_sentence(exported: Exported, words: list[str], said: str) -> None:
    store = f"sqlite:///{exported.folder.parent / 'own.db'}"
    done = exported(*words, *(["--store", store] if words[0] == "run" else []), code=2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.full
def test_a_module_that_cannot_be_imported_says_why(exported: Exported) -> None:
    module = exported.folder / "src" / "briefs" / "application.py"
    module.write_text(module.read_text() + '\nKEY = os.environ["NO_SUCH_KEY"]\n')
    done = exported("run", "1", code=2)
    assert "KeyError: 'NO_SUCH_KEY' (application.py, line" in done.stderr
    assert exported("--help").stdout.startswith("Usage: python -m briefs")


@pytest.mark.full
def test_several_arguments_are_given_by_name_or_by_place(tmp_path: Path) -> None:
    from dataclasses import replace

    from jupyter_durable.export.selection import Piece, Root

    usual = brief_selection()
    two = '@application()\n@function()\ndef joined(a: int, b: str = "x") -> str:\n    return f"{a}{b}"\n'
    root = Root("joined", "joined", True)
    selection = replace(usual, pieces=[*usual.pieces, Piece(9, "definition", two)], roots=[*usual.roots, root])
    write(plan(selection, "server", "briefs"), tmp_path / "project")
    exported = Exported(tmp_path / "project", "briefs")
    store = f"sqlite:///{tmp_path / 'own.db'}"
    assert exported("run", '{"a": 1, "b": "é"}', "--app", "joined", "--store", store).stdout == '"1é"\n'
    assert exported("run", "[2]", "--app", "joined", "--store", store).stdout == '"2x"\n'
    assert "--app brief or --app joined" in exported("run", "1", "--store", store, code=2).stderr


@pytest.mark.full
def test_serve_answers_and_goes_on_after_a_kill(exported: Exported, tmp_path: Path) -> None:
    """Killed with -9 as its worker runs: the same request ends when it is started again, nothing executed twice."""
    token = exported("token", "create", "--scope", "write", "--data", str(tmp_path / "data")).stdout.strip()
    serving = Serving(exported, tmp_path / "data").start()
    try:
        with serving.client(token) as client:
            schema = client.get("/openapi.json").json()["paths"]["/applications/brief"]["post"]
            assert schema["requestBody"]["content"]["application/json"]["schema"]["type"] == "integer"
            assert client.post("/applications/brief", json="word").status_code == 422
            assert client.post("/applications/brief", json=1, headers={"Authorization": ""}).status_code == 401
            id = client.post("/applications/brief", json=200).json()["request_id"]
            until(lambda: len(exported.executions) > 20, "it runs")
            serving.kill()
        serving.start()
        with serving.client(token) as client:
            found = until(lambda: ended(client, id), "it has ended")
            assert found["status"] == "succeeded"
            assert client.get(f"/applications/brief/requests/{id}/output").json() == sum(range(200)) * 3
            events = client.get(f"/applications/brief/requests/{id}/progress").text
            assert "RequestFinished" in events
    finally:
        serving.kill()
    executed = exported.executions
    assert len(executed) - len(set(executed)) <= 1  # the call in which it was killed may have begun twice
    assert len(set(executed)) == 400


def ended(client: object, id: str) -> dict[str, object] | None:
    """A request that has ended."""
    import httpx

    assert isinstance(client, httpx.Client)
    found: dict[str, object] = client.get(f"/applications/brief/requests/{id}").json()
    return found if found["finished_at"] else None


@pytest.mark.full
def test_a_server_finishes_what_the_notebook_began(notebook: Notebook, exported: Exported, tmp_path: Path) -> None:
    """Its replay route goes on with a request of the store that a notebook, killed in call 7 of 10, left."""
    notebook.run(5, die_at="load 3")
    id = exported.json("list", "--store", notebook.store)[0]["id"]
    exported.log.unlink()
    token = exported("token", "create", "--scope", "write", "--data", str(tmp_path / "data")).stdout.strip()
    serving = Serving(exported, tmp_path / "data", "--store", notebook.store).start()
    try:
        with serving.client(token) as client:
            assert client.get(f"/applications/brief/requests/{id}").status_code == 404
            assert client.post(f"/applications/brief/requests/{id}/replay").status_code == 202
            assert until(lambda: ended(client, id), "it has ended")["status"] == "succeeded"
            assert client.get(f"/applications/brief/requests/{id}/output").json() == 30
            tree = client.get(f"/applications/brief/requests/{id}/tree").json()
            assert tree["counts"]["reused"] == 6
            other = client.post("/applications/brief/requests/req_0000000000000000/replay")
            assert other.status_code == 404
    finally:
        serving.kill()
    assert exported.executions == LEFT


@pytest.mark.full
def test_an_edited_package_is_another_version_on_its_server(exported: Exported, tmp_path: Path) -> None:
    from jupyter_durable.server.applications.ledger import Ledger

    def versions() -> list[str]:
        Serving(exported, tmp_path / "data").start().kill()
        ledger = Ledger(tmp_path / "data" / "applications.db")
        try:
            return [each.version for each in ledger.versions("default", "brief")]
        finally:
            ledger.close()

    assert len(versions()) == 1
    (first,) = versions()
    module = exported.folder / "src" / "briefs" / "application.py"
    module.write_text(module.read_text() + "\nMORE = 1\n")
    assert versions()[1:] == [first]


@pytest.mark.full
def test_the_document_of_a_run_holds_request_and_output(exported: Exported) -> None:
    done = exported("run", "2", "--store", f"sqlite:///{exported.folder.parent / 'own.db'}", "--json")
    said = json.loads(done.stdout)
    assert said["output"]["value"] == 3
    assert said["request"]["status"] == "succeeded"


@pytest.mark.full
def test_what_comes_from_modules_beside_the_notebook_is_not_marked_either(tmp_path: Path) -> None:
    """In the package they have another name, and in the code hash the one that they had."""
    from dataclasses import replace

    from jupyter_durable.export.selection import LocalModule, Piece

    helpers = "RATE = 2\n\n\ndef longer(n):\n    return n * RATE\n"
    (tmp_path / "helpers.py").write_text(helpers)
    usual = brief_selection()
    uses = '@function()\ndef size(doc: Doc) -> int:\n    note("size", doc.title)\n    return longer(len(doc.text))\n'
    pieces: list[Piece | Section] = [
        replace(each, text=uses) if isinstance(each, Piece) and each.binds == ("size",) else each
        for each in usual.pieces
    ]
    pieces.insert(2, Piece(2, "import", "from helpers import longer", ("longer",)))
    selection = replace(usual, pieces=pieces, modules=(LocalModule("helpers", False, helpers),))
    script = tmp_path / "notebook.py"
    script.write_text(as_script(selection))
    notebook = Notebook(script, f"sqlite:///{tmp_path / 'store.db'}", tmp_path / "executions")
    notebook.run(5, die_at="load 3")
    write(plan(selection, "server", "briefs"), tmp_path / "project")
    exported = Exported(tmp_path / "project", "briefs")
    exported.log.unlink()
    done = exported.json("replay", "--store", notebook.store)
    assert exported.executions == LEFT
    assert done["output"]["value"] == 60
    assert (done["counts"]["reused"], done["counts"]["code_changed"]) == (6, 0)
