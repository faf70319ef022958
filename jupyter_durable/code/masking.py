"""Credentials in free text, such as an error or what was printed: told by their looks, or by the words before them.

Rules of this file
- The time grows with the length of a text, whatever stands in it: what is looked for has a longest form, or is
  looked for from where the last one ended. A pattern holds up all threads.
- What is cut off counts as what it would have become.
- Numbers of tokens, and prose about passwords, are no credentials.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from functools import partial
from typing import Final

MASK: Final = "***"


def pattern(text: str, flags: int = 0) -> Callable[[], re.Pattern[str]]:
    """Compiled when it is first used: most code has nothing that is searched for."""
    return functools.cache(partial(re.compile, text, flags))


_BEGIN: Final = r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_LINE: Final = r"(?:[\r\n]|\\+[nr])"
LOOKS: Final = pattern(
    r"\bsk-[A-Za-z0-9_-]{8,}|\bgh[pousr]_[A-Za-z0-9]{8,}|\bgithub_pat_\w{8,}|\b(AKIA|ASIA)[A-Z0-9]{12,}"
    r"|(?<![\w-])eyJ[\w-]{5,4000}+\.eyJ[\w-]{5,}+\.[\w-]*|\bxox[abprs]-[\w-]{8,}|\bhf_[A-Za-z0-9]{16,}|\bAIza[\w-]{20,}"
    r"|\b[sr]k_(?:live|test)_\w{8,}|\bglpat-[\w-]{16,}|\bSG\.[\w-]{16,100}\.[\w-]{12,}|\bnpm_[A-Za-z0-9]{30,}"
    rf"|\bya29\.[\w-]{{16,}}|{_BEGIN}|(?<=://)[^/\s:@]*+:[^/\s]*(?=@)"
)
_ALONE: Final = pattern(r"(?<=https://)[^/\s:@?#]{16,}(?=@)|(?<=http://)[^/\s:@?#]{16,}(?=@)", re.IGNORECASE)
"""A token in a URL, where the user would stand."""
_PRIVATE_KEY: Final = pattern(
    rf"{_BEGIN}(?:(?:(?!-----BEGIN )[\s\S])*?-----END [A-Z ]{{0,40}}PRIVATE KEY(?: BLOCK)?-----"
    rf"|(?:{_LINE}+[ \t]*(?:(?:Proc-Type|DEK-Info|Version|Comment): [^\r\n\\]*|[\w+/=]+(?=[\r\n\\\"']|\Z))"
    r"|[ \t]+[\w+/=]{16,})*+)"
)
_GAP: Final = r"(?:\s|\x1b\[[\d;]{0,20}m){0,30}+"
"""Space, and what colours a text."""
_WORDS: Final = (
    r"(?:(?:api|access|private|auth|account|secret|signing)[ _-]?key(?: provided)?|(?<![a-z])token"
    r"|(?-i:(?<=[a-z])Token|(?<=[A-Z])TOKEN|(?<=[A-Z]_)PASS)|secret|passw(?:or)?d|passphrase|pwd|credentials?)"
)
_SAID: Final = pattern(
    rf"{_WORDS}(?P<more>_value|(?-i:(?:_[A-Z0-9]{{1,20}}){{1,3}})|_?\d{{1,3}})?(?:\\{{0,7}}[\"'])?{_GAP}"
    r"(?::\s?(?:str|bytes|Secret(?:Str|Bytes))(?:\s?\|\s?None)?\s?=(?!=)|:=|={1,3}>?|->|[:：]|%3[AD]|value\s?=)"
    rf"{_GAP}",
    re.IGNORECASE,
)
"""The name of a credential, and that its value follows."""
_FACT: Final = pattern(r"_(?:COUNT|LIMIT|TYPE|FILE|PATH|URL|NAME|ID|LENGTH|SIZE|TTL|BUDGET|USAGE|MIN|MAX)\Z")
"""What ends a name of something about a credential."""
_OPEN: Final = pattern(r"""(?:Secret\w{0,10}\()?(?:[bBrRfFuU]{1,2}(?=["']))?(?P<mark>"{3}|'{3}|\\{0,7}["']|[\[{(])?""")
_CLOSE: Final = {mark: pattern(rf"(?:[^{mark}\\\n]|\\.)*+{mark}") for mark in "\"'"}
_INSIDE: Final = pattern(r"""[\[{(\]})]|"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+'""")
_BARE: Final = pattern(r"""(?:[^\s"',;)}\]&\x1b][^\s"',;)}\]&<\x1b]*)?""")
_BLOCK: Final = pattern(r"[|>][+-]?\d?[ \t]*(?:\n[ \t]+[^\n]*)+")
"""A text of several lines in YAML."""
_NUMBERS: Final = pattern(r"[\d\s,.+\[\](){}-]*|true|false|none|null", re.IGNORECASE)
_LONGEST: Final = 4_000
"""Characters that an open bracket hides at most."""
_OPTION: Final = pattern(
    r"(?<![\w-])--[a-z-]{0,30}?(?:password|passwd|passphrase|token|secret|api-?key|access-key)"
    r"(?:[\"']\s{0,5},\s{0,5}(?=[\"'])|[ \t]{1,5}(?![-\s]|(?:is|are|to|or|and|option|flag|must|was|not|in|for|with|"
    r"required|requires|argument|cannot|instead|has)\b))",
    re.IGNORECASE,
)
_ELEMENT: Final = pattern(
    rf"(<(?:[\w-]{{1,30}}:)?{_WORDS}(?:\s[^<>]{{0,200}})?>)(?:<!\[CDATA\[)?[^<\s][^<]*", re.IGNORECASE
)
_QUERY: Final = pattern(r"([?&](?:sig|signature|x-(?:amz|goog)-(?:signature|credential))=)[^&\s\"'<>]+", re.IGNORECASE)
_BEARER: Final = pattern(
    r"(\bauthorization(?:\\{0,7}[\"'])?\s{0,9}[:=]\s{0,9}(?:b?\\{0,7}[\"'])?)"
    r"(?:((?:digest|aws4-hmac-sha256)\s)[^\n']+|((?:basic|bearer|token|apikey)\s{1,9})[^\s\"',;)}\]\\]+"
    r"|(\w{1,40} )?[\w.~+/=-]{8,})|(\bbearer\s{1,9})(?=\S{0,500}\d|[\w.~+/-]{20})[\w.~+/=-]{8,}",
    re.IGNORECASE,
)
_COOKIES: Final = pattern(
    r"""(\b(?:set-)?cookie["']?\s{0,9}[:=]\s{0,9}|\bcookies["']?\s{0,9}[:=]\s{0,9}(?=\{))"""
    r"""(?:b?"[^"=\n]*+=[^"\n]*+"|b?'[^'=\n]*+=[^'\n]*+'|\{[^{}\n]*+\}|[^\n"'=:{]{0,200}+=[^\n"']*)""",
    re.IGNORECASE,
)
"""Up to the end of the line, or of the quotes."""
_PAIR: Final = pattern(
    r"""((["'])(?:(?:proxy-)?authorization|(?:set-)?cookie|x-[a-z-]{0,40}(?:key|token|secret))\2\s{0,9},\s{0,9}b?"""
    rf"""|\(b?["'](?:\w{{0,30}}_)?{_WORDS}["']\s{{0,9}},\s{{0,9}}b?(?=(?:"[^"\n]*"|'[^'\n]*')\s{{0,9}}\)))"""
    r"""(?:"[^"\n]*"|'[^'\n]*')""",
    re.IGNORECASE,
)
"""A header, or a field, as a pair of texts."""
_HINTS: Final = (
    "key", "token", "secret", "pass", "pwd", "credential", "authorization", "bearer", "cookie", "://", "sk-", "gh",
    "github_pat", "akia", "asia", "eyj", "xox", "hf_", "aiza", "k_live_", "k_test_", "glpat-", "sg.", "npm_", "ya29.",
    "sig=", "signature=",
)  # fmt: skip
"""Without one of these in it, in small letters, no pattern above finds anything."""


def may_hold_one(text: str) -> bool:
    """False for most texts, at a fiftieth of the time that it takes to look for each pattern."""
    low = text.lower()
    return any(hint in low for hint in _HINTS)


def looks_secret(text: str) -> bool:
    """Whether a text has the form of an issued key, a JWT, a private key, or a URL with a password."""
    return may_hold_one(text) and LOOKS().search(text) is not None


def masked(text: str) -> str:
    """Free text, such as an error or a line that was printed, without the credentials that can be told in it."""
    if not may_hold_one(text):
        return text
    text = _COOKIES().sub(rf"\1{MASK}", _PAIR().sub(rf"\1'{MASK}'", text))
    text = _ALONE().sub(MASK, LOOKS().sub(MASK, _PRIVATE_KEY().sub(MASK, text)))
    text = _BEARER().sub(lambda found: "".join(part or "" for part in found.groups()) + MASK, text)
    text = _QUERY().sub(rf"\1{MASK}", _ELEMENT().sub(rf"\1{MASK}", text))
    return _values_masked(_SAID(), _values_masked(_OPTION(), text))


def ends_openly(text: str) -> bool:
    """Whether what follows a text may belong to a credential that begins in it."""
    if not text.endswith(("\n", "\r")):
        return True
    key = text.rfind("-----BEGIN ")
    if key >= 0 and "PRIVATE KEY" in text[key : key + 60] and "-----END " not in text[key:]:
        return True
    last = text[text.rfind("\n", 0, len(text.rstrip())) + 1 :][-200:].rstrip("|>+- \t\r\n") + " "
    return any(found.end() == len(last) for found in _SAID().finditer(last))


def _values_masked(names: re.Pattern[str], text: str) -> str:
    """A text in which the value behind each name is masked."""
    parts, at = [], 0
    while (found := names.search(text, at)) is not None:
        start = found.end()
        end = start if _SAID().match(text, start) else _end_of_value(text, start)
        parts.append(text[at:start])
        hidden = end > start and _tells(found, text[start:end])
        parts.append(MASK if hidden else text[start:end])
        at = end
    return "".join([*parts, text[at:]])


def _tells(name: re.Match[str], value: str) -> bool:
    """Whether a value is to be masked: what is so already, numbers of tokens and what is said about them stay."""
    if value.strip("bBrRfFuU\\\"'>") == MASK:
        return False
    more = name.groupdict().get("more")
    if more and _FACT().search(more):
        return False
    counted = more or value[0] in "[{(" or "PASS" in name[0][:4]
    return not (counted and _NUMBERS().fullmatch(value))


def _end_of_value(text: str, start: int) -> int:
    """Where the value that begins at `start` ends; `start` where there is none."""
    opened = _OPEN().match(text, start)
    mark = opened["mark"] if opened is not None else None
    if opened is None or mark is None:
        found = _BLOCK().match(text, start) or _BARE().match(text, start)
        return found.end() if found is not None else start
    inside = opened.end()
    if mark in "[{(":
        return _end_of_bracket(text, inside)
    if len(mark) == 3 and mark[0] != "\\":
        end = text.find(mark, inside)
        return end + 3 if end >= 0 else len(text)
    line = text.find("\n", inside)
    line = line if line >= 0 else len(text)
    close = _CLOSE[mark]() if len(mark) == 1 else re.compile(rf"[\s\S]*?(?<!\\){re.escape(mark)}")
    closed = close.match(text, inside, line)
    return closed.end() if closed is not None else line


def _end_of_bracket(text: str, inside: int) -> int:
    """Where a bracket that was opened before `inside` is closed, or a little further where it is not."""
    depth = 1
    for found in _INSIDE().finditer(text, inside):
        depth += (found[0] in "[{(") - (found[0] in ")}]")
        if depth == 0:
            return found.end()
    return min(len(text), inside + _LONGEST)
