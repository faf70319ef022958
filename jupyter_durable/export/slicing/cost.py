"""Which statements must not run whenever an application is imported: they read, train, ask somebody, or take long.

Rules of this file
- Text decides. A call counts as cheap when it is known to be: builtins, most of the standard library, classes (a
  client, a lock), methods of texts and containers, and functions of the notebook that call nothing else.
- Everything else counts as costly: to be asked once too often is better than a training at every start.
- A small file beside the notebook may be read: it goes in with the code.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from jupyter_durable.export.slicing.cells import Statement
from jupyter_durable.export.slicing.effects import Function, function_of
from jupyter_durable.export.slicing.flow import Flow
from jupyter_durable.export.slicing.imports import OURS, Imports
from jupyter_durable.export.slicing.reading import at_once

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_BUILTINS: Final = frozenset({"open", "input", "exec", "eval", "compile", "breakpoint", "help"})
"""Builtins that are not cheap; `print` is, and it is dropped with what prints."""
_STANDARD: Final = (
    "os.listdir", "os.walk", "os.scandir", "os.system", "os.popen", "os.mkdir", "os.makedirs", "os.remove", "os.rename",
    "subprocess", "shutil", "urllib.request", "socket", "glob", "time.sleep", "sqlite3", "pickle.load", "json.load",
    "csv", "multiprocessing", "http", "ftplib", "smtplib", "imaplib", "asyncio.run", "io.open", "zipfile", "tarfile",
    "tempfile", "shelve", "dbm", "ctypes", "webbrowser", "xmlrpc", "concurrent.futures.wait", "tomllib.load",
    "xml.etree.ElementTree.parse", "gzip", "bz2", "lzma", "runpy", "timeit", "cProfile", "doctest", "unittest",
)  # fmt: skip
"""What of the standard library is not cheap: with everything below."""
_CHEAP_AFTER_ALL: Final = frozenset({"json.loads", "pickle.loads", "csv.QUOTE_ALL", "tomllib.loads", "sqlite3.Row"})
_LIBRARIES: Final = frozenset(
    {
        *(f"numpy.{name}" for name in (
            "array", "asarray", "zeros", "ones", "full", "eye", "arange", "linspace", "dtype", "float32", "float64",
            "int32", "int64", "log", "sqrt", "deg2rad", "random.default_rng", "datetime64", "timedelta64",
        )),
        "pandas.to_datetime", "pandas.to_timedelta", "pandas.date_range", "torch.device", "torch.tensor",
        "torch.cuda.is_available", "torch.backends.mps.is_available", "sklearn.pipeline.make_pipeline",
        "sklearn.compose.make_column_transformer", "pydantic.create_model", "structlog.get_logger", "boto3.client",
        "boto3.resource", "redis.from_url", "sqlalchemy.create_engine", "sqlalchemy.orm.sessionmaker",
        "sqlalchemy.orm.declarative_base", "langchain.chat_models.init_chat_model", "dotenv.load_dotenv",
        "dotenv.find_dotenv", "attr.ib", "attrs.field", "click.option",
    }
)  # fmt: skip
"""Functions of libraries that are cheap."""
_EXPENSIVE_CLASSES: Final = frozenset(
    {"SentenceTransformer", "CrossEncoder", "WhisperModel", "Llama", "LLM", "Word2Vec", "KeyedVectors", "FastText",
     "BERTopic", "EasyOCR", "Reader", "Doc2Vec", "HuggingFaceEmbeddings", "HuggingFaceBgeEmbeddings", "AutoML",
     "InferenceSession", "YOLO"}
)  # fmt: skip
"""Classes whose instances load a model."""
_METHODS: Final = frozenset(
    {
        *(name for kind in (str, bytes, dict, list, set, tuple, int, float) for name in dir(kind)),
        "resolve", "absolute", "expanduser", "joinpath", "with_suffix", "with_name", "relative_to", "as_posix",
        "exists", "is_file", "is_dir", "cwd", "home", "from_template", "from_messages",
        "from_string", "from_env", "getLogger",
        "isoformat", "strftime", "strptime", "date", "now", "today", "utcnow", "total_seconds", "group", "match",
        "fullmatch", "search", "reshape", "astype", "with_options", "bind", "partial", "quantize", "elements",
        "most_common", "model_validate", "model_copy", "model_dump", "getvalue", "cache_info", "cache_clear",
    }
)  # fmt: skip
_FILE_METHODS: Final = frozenset({"read", "readline", "readlines", "read_text", "read_bytes", "splitlines"})
_FILE_CALLS: Final = frozenset(
    {"open", "json.load", "tomllib.load", "csv.reader", "csv.DictReader", "yaml.safe_load", "yaml.load", "pathlib.Path"}
)


class Cost:
    """What the statements of one notebook do when they run."""

    def __init__(self, imports: Imports, flow: Flow, reads_small_files: Callable[[ast.AST], bool]) -> None:
        """`reads_small_files`: whether all files that a statement opens go in with it, and are small."""
        self._imports = imports
        self._flow = flow
        self._reads_small_files = reads_small_files

    def of(self, statement: Statement) -> str | None:
        """The first call in a statement that is not cheap, as it is written; None for what may run at import."""
        node = statement.node
        if isinstance(node, (*_DEFINITIONS, ast.Import, ast.ImportFrom)):
            return None
        return self._first(_run(node), statement.place, frozenset(), self._reads_small_files(node))

    def _first(self, nodes: Iterator[ast.AST], place: int, inside: frozenset[int], files: bool) -> str | None:
        for part in nodes:
            if isinstance(part, ast.While):
                return "a `while` loop"
            if isinstance(part, ast.Call):
                found = self._call(part, place, inside, files)
                if found is not None:
                    return found
        return None

    def _call(self, call: ast.Call, place: int, inside: frozenset[int], files: bool) -> str | None:
        written = f"{_short(ast.unparse(call.func))}()"
        dotted = self._imports.dotted(call.func)
        if isinstance(call.func, ast.Name):
            own = self._flow.before(call.func.id, place) or self._flow.after(call.func.id, place)
            own = [each for each in own if not isinstance(each.node, ast.Import | ast.ImportFrom)]
            if own:
                return written if any(self._own(each, inside) for each in own) else None
            if dotted is None:
                name = call.func.id
                cheap = hasattr(builtins, name) and name not in _BUILTINS
                return None if cheap or (files and name in _FILE_CALLS) else written
        if dotted is not None:
            return None if _is_cheap(dotted) or (files and dotted in _FILE_CALLS) else written
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        return None if method in _METHODS or (files and method in _FILE_METHODS) else written

    def _own(self, called: Statement, inside: frozenset[int]) -> bool:
        """Whether calling what the notebook defines is costly."""
        node = called.node
        function = function_of(node)
        if called.place in inside or not (function or isinstance(node, ast.ClassDef)):
            return True
        if self._imports.decorated(node, "function", "application", "cls"):
            return True
        body = _constructor(node) if isinstance(node, ast.ClassDef) else _body(function)
        parts = (part for each in body for part in _run(each))
        files = self._reads_small_files(node)
        return self._first(parts, called.place, inside | {called.place}, files) is not None


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """What runs with a statement, as it is written; functions that are defined in it do not."""
    parts = [part for part in at_once(node) if isinstance(part, ast.Call | ast.While)]
    yield from sorted(parts, key=lambda part: (part.lineno, part.col_offset))


def _body(node: Function | None) -> Sequence[ast.AST]:
    body = node.body if node is not None else []
    return body if isinstance(body, list) else [body]


def _constructor(node: ast.ClassDef) -> Sequence[ast.AST]:
    names = ("__init__", "__post_init__", "__new__", "model_post_init")
    return [
        each
        for member in node.body
        if isinstance(member, ast.FunctionDef) and member.name in names
        for each in member.body
    ]


def _is_cheap(dotted: str) -> bool:
    top, _, _ = dotted.partition(".")
    last = dotted.rpartition(".")[2]
    if top == OURS:
        return last not in ("run_local_application", "run_remote_application", "deploy", "copy_store", "list_requests")
    if top in sys.stdlib_module_names:
        costly = any(dotted == each or dotted.startswith(f"{each}.") for each in _STANDARD)
        return dotted in _CHEAP_AFTER_ALL or not costly
    if last[:1].isupper():
        return last not in _EXPENSIVE_CLASSES
    return dotted in _LIBRARIES or last in ("from_template", "from_messages", "from_string", "from_env")


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
