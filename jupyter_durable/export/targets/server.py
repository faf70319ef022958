"""Target `server`: a project that serves its applications over HTTP, and runs them from a terminal.

Rules of this file
- What is written reads as if a person had written it; what runs it is in `jupyter_durable`, so that it stays small.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from importlib.resources import files as resources
from string import Template
from typing import Final

from jupyter_durable.export.selection import EnvironmentKey
from jupyter_durable.export.writing import locking
from jupyter_durable.export.writing.distributions import OURS
from jupyter_durable.export.writing.records import Project

TEMPLATES: Final = "templates/server"
_PLACES: Final = {
    "main.py.txt": "src/$package/__main__.py",
    "test_smoke.py.txt": "tests/test_smoke.py",
    "README.md": "README.md",
    "Dockerfile": "Dockerfile",
    "dockerignore": ".dockerignore",
    "gitignore": ".gitignore",
}
"""Where each template goes; one without the dot of its name would not be taken for what it is here."""


def files(project: Project) -> Mapping[str, bytes]:
    """The project. Raises `ExportError`."""
    inside = f"src/{project.package}"
    words = _words(project)
    made = {Template(place).substitute(words): _filled(name, words) for name, place in _PLACES.items()}
    if project.recorded:
        made["tests/test_recorded.py"] = _filled("test_recorded.py.txt", words)
    made["pyproject.toml"] = _pyproject(project)
    made["requirements.lock"] = _lock(project, made["pyproject.toml"])
    made[".env.example"] = _environment(project)
    made |= {f"{inside}/{path}": text for path, text in project.modules.items()}
    done = {path: text.encode() for path, text in made.items()}
    done |= {f"{inside}/{path}": data for path, data in project.data.items()}
    done |= {f"tests/recorded/{each.id}.request": each.data for each in project.recorded}
    return dict(sorted(done.items()))


def _filled(name: str, words: Mapping[str, str]) -> str:
    text = resources("jupyter_durable.export").joinpath(TEMPLATES, name).read_text("utf-8")
    return Template(text).substitute(words)


def _words(project: Project) -> dict[str, str]:
    """What templates name."""
    applications = project.applications or [root.function for root in project.selection.roots]
    described = [
        f"- `{root.function}`" + (f": {root.description.splitlines()[0]}" if root.description.strip() else "")
        for root in project.selection.roots
        if root.is_application
    ]
    keys = [f"`{key.name}`" for key in _keys(project)]
    first = applications[0] if applications else "APPLICATION"
    return {
        "package": project.package,
        "module": f"{project.package}.{project.main}",
        "main": project.main,
        "distribution": project.distribution,
        "notebook": project.selection.notebook,
        "python": project.python,
        "applications": "\n".join(described) or "- (durable functions only)",
        "names": "{" + json.dumps(sorted(root.name for root in project.selection.roots))[1:-1] + "}",
        "first": first,
        "app": f" --app {first}" if len(project.applications) > 1 else "",
        "environment": (
            f"It reads {', '.join(keys)} from the environment: copy `.env.example` to `.env` and fill it in.\n\n"
            if keys
            else ""
        ),
        "recorded": (
            "`tests/recorded/` holds requests that were run in the notebook. They are replayed strictly: each call\n"
            "must be the recorded one, none is executed, and the output must be the same.\n\n"
            if project.recorded
            else ""
        ),
    }


def _pyproject(project: Project) -> str:
    needed = [f"{OURS}[server]>={version(OURS)}", *(each.requirement for each in project.distributions)]
    lines = "".join(f"  {json.dumps(each)},\n" for each in sorted(needed, key=str.lower))
    described = f"{', '.join(project.applications) or project.package}, exported from {project.selection.notebook}"
    return f"""[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = {json.dumps(project.distribution)}
version = "0.1.0"
description = {json.dumps(described, ensure_ascii=False)}
readme = "README.md"
requires-python = ">={project.python}"
dependencies = [
{lines}]

[project.optional-dependencies]
agents = ["{OURS}[mcp]"]
test = ["pytest>=8"]

[project.scripts]
{project.distribution} = "{project.package}.__main__:run"

[tool.hatch.build.targets.wheel]
packages = ["src/{project.package}"]

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["src"]

[tool.ruff]
src = ["src"]
"""


def _lock(project: Project, pyproject: str) -> str:
    head = (
        f"# Exact versions of all that is installed, as the notebook had them (Python {project.python}).\n"
        "# Written by the export; `pip install -r requirements.lock` installs them.\n"
    )
    compiled = locking.compiled(pyproject.encode(), project.lock)
    return head + (compiled if compiled is not None else "\n".join(project.lock) + "\n")


def _keys(project: Project) -> list[EnvironmentKey]:
    """Each variable once; one that is needed somewhere has no default."""
    found: dict[str, EnvironmentKey] = {}
    for key in project.selection.environment:
        known = found.get(key.name)
        if known is None or (known.has_default and not key.has_default):
            found[key.name] = key
    return [found[name] for name in sorted(found)]


def _environment(project: Project) -> str:
    lines = ["# The environment variables that the application reads. Copy this to .env, which is not committed."]
    for key in _keys(project):
        lines += ["", "# Has a default in the code." if key.has_default else "# Needed.", f"{key.name}="]
    if len(lines) == 1:
        lines.append("# None.")
    return "\n".join(lines) + "\n"
