"""The URL of a database: what libpq is given of it, what is ours, and what may be shown.

Rules of this file
- No password leaves it but in `conninfo`: not in what is shown, and not in what an error of libpq quotes.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg import conninfo

from jupyter_durable.errors import SDKUsageError
from jupyter_durable.records import NamedTuple
from jupyter_durable.store.location import shown

SCHEMA: Final = "jupyter_durable"
"""The schema that is used where the URL names none with `?schema=`."""
_LONGEST: Final = 63
"""Bytes of a name in PostgreSQL."""
_SECRET: Final = ("password", "sslpassword")
_PATIENT: Final = {
    "application_name": "jupyter-durable",
    "connect_timeout": "10",
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""So that a database that is gone is noticed. What the URL says counts."""


class Address(NamedTuple):
    """Where a store is."""

    conninfo: str
    schema: str
    shown: str
    """The URL without what is secret in it."""
    secrets: tuple[str, ...]

    def said(self, error: BaseException) -> str:
        """An error's text as one line, without secrets."""
        text = " ".join(str(error).split()) or type(error).__name__
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def parsed(url: str) -> Address:
    """Raises `SDKUsageError`, which does not quote the URL: it may hold a password."""
    wrong = "this is not the URL of a database; use postgresql://USER@HOST/DATABASE, with ?schema=NAME for a schema"
    try:
        parts = urlsplit(url)
        given = parse_qsl(parts.query, keep_blank_values=True)
        schema = dict(given).get("schema", SCHEMA)
        rest = [(name, value) for name, value in given if name != "schema"]
        plain = urlunsplit(parts._replace(query=urlencode(rest), fragment=""))
        settings = conninfo.conninfo_to_dict(plain)
    except (psycopg.Error, ValueError):
        raise SDKUsageError(wrong) from None
    if not schema or len(schema.encode()) > _LONGEST or "\0" in schema or schema.startswith("pg_"):
        raise SDKUsageError(f"?schema= must name a schema in at most {_LONGEST} bytes, and not one of PostgreSQL's own")
    secrets = tuple(str(settings[name]) for name in _SECRET if settings.get(name))
    whole = conninfo.make_conninfo(plain, **{k: v for k, v in _PATIENT.items() if k not in settings})
    return Address(whole, schema, shown(url), secrets)
