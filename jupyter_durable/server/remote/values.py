"""Large values: `PUT` and `GET /v1/blobs/NAME`, streamed, in the form of their files.

Rules of this file
- A name is the BLAKE3 of the form, in hex; what arrives under another name is refused. No name becomes a path here.
- What arrives is written to a file beside the server's own, which is gone when the store has it.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterator
from typing import IO, Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from jupyter_durable.files import make_folder
from jupyter_durable.server.auth import Access, Reader, Writer
from jupyter_durable.server.refusals import Refusal
from jupyter_durable.server.state import Server, server_of
from jupyter_durable.store.base import BlobRefused
from jupyter_durable.store.blob_format import checked, pieces_of
from jupyter_durable.store.http import wire

router = APIRouter(prefix=wire.BLOBS.rstrip("/"), tags=["remote store"])
Name = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="BLAKE3 of the value, in hex.")]
_STREAM = {"requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}}
_PIECE = 1 << 20


@router.put("/{name}", openapi_extra=_STREAM)
async def put(name: Name, request: Request, access: Writer) -> dict[str, str]:
    """Keep a large value; the name it has in the store."""
    server = server_of(request)
    with await run_in_threadpool(_file, server) as file:
        async for piece in request.stream():
            await run_in_threadpool(file.write, piece)
        key = await run_in_threadpool(_keep, server, access, name, file)
    return {"name": key.hex()}


def _file(server: Server) -> IO[bytes]:
    folder = server.settings.folder / "arriving"
    make_folder(folder)
    return tempfile.TemporaryFile(dir=folder)


def _keep(server: Server, access: Access, name: str, file: IO[bytes]) -> bytes:
    file.flush()
    if not os.fstat(file.fileno()).st_size:
        raise Refusal(400, "Malformed", f"the value {name[:12]} came empty")
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped, memoryview(mapped) as view:
        found = checked(view, bytes.fromhex(name))
        if found is None:
            raise Refusal(400, "Malformed", f"the value {name[:12]} is not what its name says; send it again")
        head, buffers = found
        try:
            return server.namespaces.store(access.namespace).put_blob(head, buffers)
        except BlobRefused as refused:  # the value is still with the client
            failed = refused.reason
            failed.__cause__ = failed.__context__ = None  # their frames hold the file
        finally:
            for buffer in buffers:
                buffer.release()
    raise failed


@router.get("/{name}", response_class=StreamingResponse)
def get(name: Name, request: Request, access: Reader) -> Response:
    """A large value."""
    head, buffers = server_of(request).namespaces.store(access.namespace).get_blob(bytes.fromhex(name))
    parts = pieces_of(head, buffers)
    length = {"Content-Length": str(sum(map(len, parts)))}
    return StreamingResponse(_cut(parts), media_type="application/octet-stream", headers=length)


def _cut(parts: list[memoryview]) -> Iterator[bytes]:
    for part in parts:
        for at in range(0, len(part), _PIECE):
            yield bytes(part[at : at + _PIECE])
