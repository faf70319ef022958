"""The target `tensorlake`: a directory for the package of that name, `tensorlake-deploy PACKAGE.py`.

Rules of this file
- One file holds the applications, for it is a file that is deployed. Beside it are the local modules; all of them are
  uploaded, and nothing that is not Python is: what else the code reads is copied into the image.
- No text depends on the time, the user or the machine: exported again, the same files come out.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from jupyter_durable.errors import ExportError
from jupyter_durable.export.selection import Decision, LocalModule, Piece, Root, Section, Selection
from jupyter_durable.export.targets.tensorlake_code import Names, Used, names_of, translated
from jupyter_durable.export.writing import naming, tidy
from jupyter_durable.export.writing.module_text import Names as ModuleNames
from jupyter_durable.export.writing.module_text import module_text
from jupyter_durable.export.writing.records import Distribution, Project

MODULE: Final = "tensorlake.applications"
IMAGE: Final = "image"
IMAGE_MODULE: Final = "durable_image"
"""The module of the image, where local modules need it, too."""
WORKDIR: Final = "/app"
"""Where Tensorlake's images work unless they say otherwise."""
MOST_CODE: Final = 5 * 1024 * 1024
"""Bytes of Python that one deployment takes."""
LONGEST_LINE: Final = 100
_EXTRAS: Final = re.compile(r"[\w.-]*\s*(\[[^\]]*\])?")
TRACKED: Final = '''def tracked(iterable, total=None, message=None):
    """Loop over `iterable` and report after each item how far it is."""
    if total is None:
        total = len(iterable) if hasattr(iterable, "__len__") else 0
    progress = RequestContext.get().progress
    progress.update(0, total, message)
    for done, item in enumerate(iterable, start=1):
        yield item
        progress.update(done, max(total, done), message)'''


@dataclass(frozen=True, slots=True)
class Directory:
    """What is written."""

    files: Mapping[str, str | bytes]
    """By path in the directory."""
    notes: Sequence[Decision]
    """What of the code is left out there, or changed: further lines of the table."""


def files(project: Project) -> Mapping[str, bytes]:
    """The directory. Raises `ExportError` for what cannot run there."""
    if project.recorded:
        raise ExportError(
            "recorded requests are tests of the target server: Tensorlake's package has no replay; leave --record out"
        )
    selection = project.selection
    made = dict(directory(selection, project.package, _exact(project.distributions)).files)
    python = {path: text for path, text in made.items() if path.endswith(".py") and isinstance(text, str)}
    made |= tidy.tidied(python, project.package, project.python)
    for each in selection.files:
        path = each.path.as_posix()
        if each.path.is_absolute() or ".." in each.path.parts:
            raise ExportError(
                f"cell {each.cell}: {path} lies outside of the notebook's folder, and only what is in it goes along to "
                "Tensorlake: copy it there"
            )
        made[path] = project.data[f"{naming.FILES}/{naming.data_path(PurePosixPath(path))}"]
    return {path: text.encode() if isinstance(text, str) else text for path, text in sorted(made.items())}


def notes(selection: Selection) -> Sequence[Decision]:
    """What of the code is left out on Tensorlake, or changed. Raises `ExportError`."""
    return directory(selection, "notes", []).notes


def _exact(distributions: Sequence[Distribution]) -> list[str]:
    """What is installed here; what the notebook wrote down exactly, or as an address, is kept."""
    return [
        f"{each.name}{_EXTRAS.match(each.requirement)[1] or ''}=={each.version}"  # type: ignore[index]
        if each.version is not None and "@" not in each.requirement and "==" not in each.requirement
        else each.requirement
        for each in distributions
    ]


def directory(selection: Selection, package: str, requirements: Sequence[str]) -> Directory:
    """The files of an export. `requirements` are exact. Raises `ExportError` for what Tensorlake cannot do."""
    if not any(each.is_application for each in selection.roots):
        raise ExportError(
            "Tensorlake runs applications, and none is chosen: write @application() above the function that a request "
            "calls, or name one with --app"
        )
    code = _Code(selection, package, requirements)
    files: dict[str, str | bytes] = {f"{package}.py": code.main, **code.modules}
    size = sum(len(text.encode()) for text in files.values() if isinstance(text, str))
    if size > MOST_CODE:
        raise ExportError(
            f"the code is {size / 1e6:.1f} MB, and Tensorlake takes {MOST_CODE / 1e6:.1f} MB of it: read what is large "
            "from a file or a service"
        )
    files["requirements.txt"] = "".join(f"{each}\n" for each in requirements)
    files["README.md"] = _readme(selection, package)
    files[".gitignore"] = "__pycache__/\n.env\n.venv/\n"
    if selection.environment:
        files[".env.example"] = "".join(f"{name}=\n" for name in _variables(selection))
    notes = [Decision(cell, text.partition(":")[0], True, text.partition(": ")[2]) for cell, text in code.used.notes]
    return Directory(files, notes)


class _Code:
    """The Python files."""

    def __init__(self, selection: Selection, package: str, requirements: Sequence[str]) -> None:
        self._selection = selection
        self._package = package
        self._requirements = requirements
        self.used = Used()
        self.modules: dict[str, str] = dict(self._local_modules())
        self._image_apart = self.used.image
        self.main = self._main()
        if self._image_apart:
            text = f'"""What the functions run on."""\n\nfrom {MODULE} import Image\n\n{self._image()}\n'
            self.modules[f"{IMAGE_MODULE}.py"] = text

    def _local_modules(self) -> Iterable[tuple[str, str]]:
        for module in self._selection.modules:
            path = module.dotted.replace(".", "/") + ("/__init__.py" if module.is_package else ".py")
            if path in (f"{self._package}.py", f"{IMAGE_MODULE}.py"):
                raise ExportError(f"the local module {module.dotted} has the name of a file of the export: rename it")
            yield path, self._local_module(module)

    def _local_module(self, module: LocalModule) -> str:
        names = names_of([module.source])
        if not names.ours and not names.modules:
            return module.source
        own = Used()
        text = translated(module.source, names, 0, own)
        lines = [_import(own.imports)] if own.imports else []
        lines += [f"from {IMAGE_MODULE} import {IMAGE}"] if own.image else []
        lines += ["\n", TRACKED, "\n"] if own.track else []
        self.used.image |= own.image
        self.used.notes += own.notes
        head = _after_docstring(text)
        return f"{text[:head]}{chr(10).join(lines)}\n{text[head:].lstrip(chr(10))}\n"

    def _main(self) -> str:
        selection = self._selection
        pieces = [each for each in selection.pieces if isinstance(each, Piece)]
        names = names_of(each.text for each in pieces)
        _free(IMAGE, pieces)
        parts = [self._part(each, names) for each in selection.pieces]
        kept = [each for each in parts if not isinstance(each, Piece) or each.text.strip()]
        whole = replace(selection, pieces=[*self._head(), *kept], bundled={}, files=(), modules=())
        text = module_text(whole, ModuleNames("", frozenset(), {}))
        return "\n".join([text, *_once(selection.roots)])

    def _part(self, each: Piece | Section, names: Names) -> Piece | Section:
        if isinstance(each, Section):
            return each
        return replace(each, text=translated(each.text, names, each.cell, self.used))

    def _head(self) -> list[Piece]:
        """Imports, the image, and what stands for what is missing there."""
        used = {*self.used.imports, ("run_local_application", "run_local_application")}
        image = f"from {IMAGE_MODULE} import {IMAGE}" if self._image_apart else ""
        if not self._image_apart:
            used |= {("Image", "Image")}
        imports = ["import json", "import sys", _import(used), image]
        head = [Piece(0, "import", text) for text in imports if text]
        head += [] if self._image_apart else [Piece(0, "constant", self._image(), (IMAGE,))]
        for name, value in self._selection.bundled.items():
            head.append(Piece(0, "constant", f"{name} = json.loads({value.decode()!r})", (name,)))
        return [*head, Piece(0, "definition", TRACKED)] if self.used.track else head

    def _image(self) -> str:
        name = self._package.replace("_", "-")
        python = f"python:{sys.version_info.major}.{sys.version_info.minor}-trixie"
        paths = [each.path.as_posix() for each in self._selection.files]
        verbs = [f'copy("{path}", "{WORKDIR}/{path}")' for path in paths]
        if self._requirements:
            verbs.append(f'run("pip install {" ".join(self._requirements)}")')
        made = f'Image(name="{name}", base_image="{python}")'
        line = f"{IMAGE} = {'.'.join([made, *verbs])}"
        if len(line) <= LONGEST_LINE:
            return line
        if len(verbs) == 1:
            return f"{IMAGE} = {made}.run(\n{_install(self._requirements, 4)}\n)"
        if self._requirements:
            verbs[-1] = f"run(\n{_install(self._requirements, 8)}\n    )"
        chain = "\n    .".join([made, *verbs])
        return f"{IMAGE} = (\n    {chain}\n)"


def _install(requirements: Sequence[str], columns: int) -> str:
    """What installs them, with one on each line where one line is too short."""
    indent = " " * columns
    line = f'{indent}"pip install {" ".join(requirements)}"'
    if len(line) <= LONGEST_LINE:
        return line
    return "\n".join([f'{indent}"pip install"', *(f'{indent}" {each}"' for each in requirements)])


def _free(name: str, pieces: Sequence[Piece]) -> None:
    taken = next((each for each in pieces if name in each.binds), None)
    if taken is not None:
        raise ExportError(
            f"cell {taken.cell}: in an export for Tensorlake `{name}` is what functions run on; give it another name"
        )


def _import(names: Iterable[tuple[str, str]]) -> str:
    texts = [name if name == alias else f"{name} as {alias}" for name, alias in sorted(names)]
    line = f"from {MODULE} import {', '.join(texts)}"
    if len(line) <= LONGEST_LINE:
        return line
    return f"from {MODULE} import (\n" + "".join(f"    {each},\n" for each in texts) + ")"


def _after_docstring(text: str) -> int:
    """Where imports of ours may stand: behind the docstring and the imports from `__future__`."""
    last = 0
    for node in ast.parse(text).body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not is_docstring and not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            break
        last = node.end_lineno or 0
    return sum(len(line) for line in text.splitlines(keepends=True)[:last])


def _once(roots: Sequence[Root]) -> list[str]:
    """The end of the file: one request on this machine, from a command line."""
    first = next(each for each in roots if each.is_application)
    return [
        'if __name__ == "__main__":',
        f"    name = sys.argv[2] if len(sys.argv) > 2 else {first.function!r}".replace("'", '"'),
        "    request = run_local_application(name, **json.loads(sys.argv[1]))",
        "    print(json.dumps(request.output(), default=str))",
    ]


def _variables(selection: Selection) -> list[str]:
    return sorted({each.name for each in selection.environment})


def _readme(selection: Selection, package: str) -> str:
    applications = [each for each in selection.roots if each.is_application]
    listed = "".join(f"- `{each.function}`: {each.description}".rstrip(": ") + "\n" for each in applications)
    wanted = _variables(selection)
    secrets = (
        "It reads these environment variables, which are secrets of the project there (`secrets=[…]` of a function "
        f"names those it needs): {', '.join(f'`{each}`' for each in wanted)}.\n\n"
        if wanted
        else ""
    )
    return f"""# {package}

Exported from the notebook `{selection.notebook}` for [Tensorlake](https://tensorlake.ai).

{listed}
Once, on this machine (`pip install tensorlake -r requirements.txt`); the argument holds those of the application:

```
python {package}.py '{{}}' {applications[0].function}
```

On Tensorlake, with `TENSORLAKE_API_KEY` set:

```
tensorlake-deploy {package}.py
```

{secrets}Functions that name no timeout have 300 s there. `image` is what they run on, with the versions of packages
that the notebook ran with.
"""
