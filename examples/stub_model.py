"""A stub language model with the face of Anthropic's client, for notebooks that run with no network and no key.

It behaves as the real thing does where it matters to a durable notebook: its answers are random, each takes 0.1 to
0.3 s, it answers 429 when it is asked too often, and it can be down. `import anthropic` in its place is all it takes.

Rules of this file
- `messages.create(...)` takes and gives what Anthropic's Messages API does, as far as the example uses it.
- What it says is made of the tool results it is given; it knows nothing itself.
- Every request and every answer is a line in the log of `execution_log`: the bill, as it were.
"""

from __future__ import annotations

import collections
import hashlib
import json
import random
import re
import threading
import time
from dataclasses import dataclass
from typing import Any

from execution_log import executed

ANSWERS_A_SECOND = 6
READ_AT_LEAST, READ_AT_MOST = 2, 4
COMMON = frozenset({"and", "are", "can", "does", "for", "how", "the", "what", "when", "which", "with"})
SHORT = 2
"""Words up to this length are no words to search for."""


class APIStatusError(Exception):
    """The service answered with an error status."""


class RateLimitError(APIStatusError):
    """429: asked too often."""


class InternalServerError(APIStatusError):
    """5xx: the service is down."""


class _Service:
    """What all clients of this process talk to."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.begun: collections.deque[float] = collections.deque(maxlen=ANSWERS_A_SECOND)
        self.left: int | None = None

    def admit(self) -> None:
        """Let a request in, or say why not."""
        with self.lock:
            if self.left == 0:
                raise InternalServerError("503: the service is down, try again later")
            now = time.monotonic()
            if len(self.begun) == ANSWERS_A_SECOND and now - self.begun[0] < 1:
                raise RateLimitError(f"429: more than {ANSWERS_A_SECOND} requests a second")
            self.begun.append(now)
            if self.left is not None:
                self.left -= 1


_service = _Service()


def go_down_after(answers: int) -> None:
    """Let the service be down after so many further answers, until `come_back`."""
    with _service.lock:
        _service.left = answers


def come_back() -> None:
    """The service answers again."""
    with _service.lock:
        _service.left = None


@dataclass(frozen=True)
class Message:
    """An answer."""

    content: list[dict[str, Any]]
    stop_reason: str

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {"role": "assistant", "content": self.content, "stop_reason": self.stop_reason}


def conversation(messages: list[dict[str, Any]]) -> str:
    """What stands for a conversation in the log: no two agents hold the same."""
    return hashlib.blake2b(json.dumps(messages).encode(), digest_size=8).hexdigest()


class Messages:
    """`client.messages`."""

    def create(self, *, messages: list[dict[str, Any]], **_: Any) -> Message:
        """The next message. Raises `RateLimitError` and `InternalServerError`."""
        _service.admit()
        asked = conversation(messages)
        executed("model asked", asked)
        time.sleep(random.uniform(0.1, 0.3))
        answer = _next(messages)
        executed("model answered", asked)
        return answer


class Anthropic:
    """A client. The stub needs no key."""

    def __init__(self) -> None:
        self.messages = Messages()


def _next(messages: list[dict[str, Any]]) -> Message:
    """Search first, then read a few of what was found, then answer."""
    question = str(messages[0]["content"])
    found, texts = _results(messages)
    if not messages[1:]:
        words = sorted(_words(question))
        return _call("search_topics", {"query": " ".join(random.sample(words, min(4, len(words))))})
    unread = [name for name in found if name not in texts]
    enough = len(texts) >= READ_AT_MOST or (len(texts) >= READ_AT_LEAST and random.random() < 0.4)
    if enough or not unread:
        return Message([{"type": "text", "text": _answer(question, texts)}], "end_turn")
    return _call("read_topic", {"name": random.choice(unread)})


def _call(name: str, arguments: dict[str, Any]) -> Message:
    id = f"toolu_{random.getrandbits(48):012x}"
    return Message([{"type": "tool_use", "id": id, "name": name, "input": arguments}], "tool_use")


def _results(messages: list[dict[str, Any]]) -> tuple[list[str], dict[str, str]]:
    """Topics that were found, and the texts of those that were read."""
    found: list[str] = []
    texts: dict[str, str] = {}
    calls: dict[str, dict[str, Any]] = {}
    for message in messages[1:]:
        for block in message["content"]:
            if block["type"] == "tool_use":
                calls[block["id"]] = block
            elif block["type"] == "tool_result":
                call = calls[block["tool_use_id"]]
                if call["name"] == "search_topics":
                    found = json.loads(block["content"])
                else:
                    texts[call["input"]["name"]] = block["content"]
    return found, texts


def _words(text: str) -> set[str]:
    """The words that say what a text is about."""
    return {word for word in re.findall(r"[a-z]+", text.lower()) if len(word) > SHORT} - COMMON


def _answer(question: str, texts: dict[str, str]) -> str:
    """The sentences that have most words of the question in common, each with its source."""
    wanted = _words(question)
    sentences = [
        (len(wanted & _words(sentence)), sentence, name)
        for name, text in texts.items()
        for sentence in re.split(r"(?<=\.)\s+", " ".join(text.split()))
        if 40 < len(sentence) < 240
    ]
    best = sorted(sentences, key=lambda each: -each[0])[:2]
    return " ".join(f"{sentence} [{name}]" for _, sentence, name in best) or "Nothing was found."
