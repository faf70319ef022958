"""`python -m jupyter_durable_server.looking`: shows requests to the page of `jupyter durable serve`.

It reads questions from its standard input and writes answers to its standard output, a line of JSON each, and ends when
the input does. It is a process of its own because that server loads no value and no code.

Rules of this file
- The answers are those that the Jupyter server gives (`answers`), each of one store: that of the namespace of whoever
  asks. What is missing here is what a person would do with files of this machine.
- Nothing that is said names a place on this machine, or a password: `_told` sees to that.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TextIO

from jupyter_durable.client.calls import Call
from jupyter_durable.core.calltree import CallNode
from jupyter_durable.core.escaping import finite
from jupyter_durable.core.model import RequestRow, Status
from jupyter_durable.errors import DeserializationError, DurableError, StoreError
from jupyter_durable.store import listed
from jupyter_durable.store.location import shown
from jupyter_durable_kernel.view import from_store
from jupyter_durable_server import answers, plain
from jupyter_durable_server.asked import Detail, Page, Plan, Refused, Wanted, read
from jupyter_durable_server.stores import ANY, Opened, Stores, UnknownRequest

THREADS: Final = 16
HERE: Final = "of this namespace"


def listing(stores: Stores, id: str, given: Mapping[str, Any]) -> Any:
    """Requests of the namespace."""
    del id
    return answers.listing(stores, read(Wanted, given), "")


def output(stores: Stores, id: str, given: Mapping[str, Any]) -> Any:
    """The result of a request, where it is plain data that JSON can say. Raises `Refused`."""
    del given

    def look(held: Opened, row: RequestRow) -> Any:
        with stores.uncollected():
            root = from_store.state_of(held.engine, row).root
            return _text_of(held, row, root)

    return stores.holding(ANY, id, look, long=True)


def _text_of(held: Opened, row: RequestRow, root: CallNode | None) -> str:
    if root is None or root.status != Status.SUCCEEDED:
        raise Refused("it has no result: it has not succeeded")
    try:
        value = Call(plain.PlainStored(held.engine, row), root, None).output()
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (DeserializationError, TypeError, ValueError):
        raise Refused(
            f"its result is no plain data, so that only a kernel can load it: get_request('{row.id}').output()"
        ) from None


def _of(answer: Callable[..., Any], model: Any = None) -> Callable[[Stores, str, Mapping[str, Any]], Any]:
    def asked(stores: Stores, id: str, given: Mapping[str, Any]) -> Any:
        return answer(stores, ANY, id) if model is None else answer(stores, ANY, id, read(model, given))

    return asked


def info(stores: Stores, id: str, given: Mapping[str, Any]) -> Any:
    """A request as lists show it."""
    del given
    return {**answers.info(stores, ANY, id, ""), "store_url": ""}


WHAT: Final[Mapping[str, Callable[[Stores, str, Mapping[str, Any]], Any]]] = {
    "listing": listing,
    "info": info,
    "output": output,
    "snapshot": _of(answers.snapshot),
    "page": _of(answers.page, Page),
    "detail": _of(answers.detail, Detail),
    "preview": _of(answers.preview, Plan),
    "cancel": _of(answers.cancel),
}


class Looking:
    """The stores that were asked for, and the way back."""

    def __init__(self, answers_to: TextIO) -> None:
        self._back = answers_to
        self._lock = threading.Lock()
        self._stores: dict[str, Stores] = {}

    def answer(self, line: str) -> None:
        """Answer a question; any failure is an answer too."""
        asked = json.loads(line)
        said = self._said(asked["url"], asked["what"], asked["given"])
        text = json.dumps({"n": asked["n"], **said}, allow_nan=False)
        with self._lock:
            self._back.write(f"{text}\n")
            self._back.flush()

    def _said(self, url: str, what: str, given: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = finite(WHAT[what](self._of(url), given.pop("id", ""), given))
        except UnknownRequest:
            return _refusal(404, "UnknownRequest", "there is no such request in this namespace (any more)")
        except Refused as error:
            return _refusal(409 if what == "output" else 400, "Refused", str(error))
        except StoreError as error:
            return {**_refusal(503, "StoreError", "the store of this namespace cannot be read now"), "told": str(error)}
        except DurableError as error:
            return _refusal(409, type(error).__name__, _told(str(error), url))
        except Exception as error:  # noqa: BLE001 - one question must not end what answers the others
            unforeseen = _refusal(500, "InternalError", "it cannot be shown; the server's log says why")
            return {**unforeseen, "told": f"{type(error).__name__}: {_told(str(error), url)}"}
        if what == "listing":
            answer["problems"] = [_told(each, url) for each in answer["problems"]]
        return {"status": 200, "answer": answer}

    def _of(self, url: str) -> Stores:
        with self._lock:
            return self._stores.setdefault(url, Stores(lambda: [url]))


def _refusal(status: int, code: str, message: str) -> dict[str, Any]:
    return {"status": status, "code": code, "message": message}


def _told(text: str, url: str) -> str:
    """A message without the place of the store."""
    for place in (url, shown(url), url.removeprefix(listed.SCHEME)):
        text = text.replace(place, HERE)
    return text


def main() -> None:
    """Answer until nobody asks any more."""
    looking = Looking(sys.stdout)
    sys.stdout = sys.stderr  # whatever prints must not stand between the answers
    with ThreadPoolExecutor(THREADS) as threads:
        for line in sys.stdin:
            threads.submit(looking.answer, line)
        os._exit(0)  # a store that hangs is waited for by nobody


if __name__ == "__main__":
    main()
