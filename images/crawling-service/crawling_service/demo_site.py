"""Serves the bundled demo site on a second listener, so that the workflows run with no internet.

No framework's static files: they would add `charset=utf-8` to a page that is EUC-KR on purpose.
The process's signals stay with the service; this listener is a task that ends when it is cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import typing
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import uvicorn

PORT = 8080
_TYPES = {".html": b"text/html", ".xml": b"application/xml", ".txt": b"text/plain"}

Message = dict[str, typing.Any]
Receive = typing.Callable[[], typing.Awaitable[Message]]
Send = typing.Callable[[Message], typing.Awaitable[None]]


def default_root() -> Path:
    """The folder `demo_site` beside this package, in the checkout and in the image alike."""
    return Path(__file__).resolve().parent.parent / "demo_site"


def read(root: Path, path: str) -> tuple[int, bytes, bytes]:
    """Status, content type and body for a URL path; a folder means its index.html."""
    file = (root / path.lstrip("/")).resolve()
    if file.is_dir():
        file = file / "index.html"
    if not file.is_relative_to(root.resolve()) or file.suffix not in _TYPES or not file.is_file():
        return 404, b"text/html", "<!doctype html><title>404</title><p>없는 쪽입니다.</p>".encode()
    return 200, _TYPES[file.suffix], file.read_bytes()


class Site:
    """The ASGI application: GET and HEAD of the files under `root`, nothing else."""

    def __init__(self, root: Path):
        self._root = root

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["method"] in {"GET", "HEAD"}:
            status, kind, body = await asyncio.to_thread(read, self._root, scope["path"])
        else:
            status, kind, body = 405, b"text/plain", b"Only GET and HEAD.\n"
        headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
        if status == 200:
            etag = b'"%s"' % hashlib.sha256(body).hexdigest()[:32].encode()
            headers.append((b"etag", etag))
            if dict(scope["headers"]).get(b"if-none-match") == etag:
                status, body, headers = 304, b"", [(b"etag", etag)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send(
            {"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body}
        )


class _QuietServer(uvicorn.Server):
    """uvicorn without its signal handlers: the service's own server has them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(
    root: Path,
    *,
    host: str = "0.0.0.0",  # noqa: S104 - a container's own network
    port: int = PORT,
) -> AsyncIterator[int]:
    """Serves while the block runs; gives the port (0 picks a free one).

    Raises OSError when the port is taken, before anything is served.
    """
    listener = socket.create_server((host, port), reuse_port=False)
    config = uvicorn.Config(
        Site(root),
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
    )
    server = _QuietServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="demo-site")
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await task
        listener.close()
