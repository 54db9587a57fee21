"""A service of somebody else, with faults put in on purpose, served by a thread."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_TEXT = {"application/json": {"schema": {"type": "object"}}}
_OK = {"200": {"description": "ok", "content": _TEXT}}
_ITEM_ID = {"name": "item_id", "in": "path", "required": True, "schema": {"type": "integer"}}
_ITEM = {
    "type": "object",
    "required": ["count"],
    "properties": {"count": {"type": "integer", "minimum": 0, "maximum": 9}},
    "additionalProperties": False,
}
_PROBLEM = {"description": "refused", "content": {"application/problem+json": {"schema": {}}}}


def document() -> dict[str, Any]:
    """`/items` as many services have them, and `/broken`, which fails from 5 on."""
    body = {"required": True, "content": {"application/json": {"schema": _ITEM}}}
    refused = {"404": _PROBLEM, "422": _PROBLEM}
    number = {"name": "n", "in": "query", "required": True, "schema": {"type": "integer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "stranger", "version": "1"},
        "paths": {
            "/items": {
                "get": {"responses": _OK},
                "post": {
                    "requestBody": body,
                    "responses": {"201": {"description": "made", "content": _TEXT}, **refused},
                },
            },
            "/items/{item_id}": {
                "get": {"parameters": [_ITEM_ID], "responses": {**_OK, **refused}},
                "delete": {"parameters": [_ITEM_ID], "responses": {**_OK, **refused}},
            },
            "/broken": {"get": {"parameters": [number], "responses": {**_OK, **refused}}},
        },
    }


@dataclass(slots=True)
class Stranger:
    """`items` are what it holds; 1 to 3 were there before any test."""

    document: dict[str, Any] = field(default_factory=document)
    items: dict[int, Any] = field(default_factory=lambda: {1: {}, 2: {}, 3: {}})
    made: int = 3
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, method: str, path: str, query: str, body: bytes) -> tuple[int, Any]:
        """Status and JSON of one request."""
        self.asked.append(f"{method} {path}")
        if path == "/openapi.json":
            return 200, self.document
        if path == "/broken" and method == "GET":
            return self._broken(query)
        if path == "/items" and method in ("GET", "POST"):
            return self._items(method, body)
        if path.startswith("/items/") and method in ("GET", "DELETE"):
            return self._item(method, path.rpartition("/")[2])
        known = path in ("/items", "/broken") or path.startswith("/items/")
        return (405, {"refused": "method"}) if known else (404, {"refused": "path"})

    def allowed(self, path: str) -> str:
        """The methods of a path, as its document has them."""
        template = "/items/{item_id}" if path.startswith("/items/") else path
        return ", ".join(sorted(name.upper() for name in self.document["paths"][template]))

    def _broken(self, query: str) -> tuple[int, Any]:
        name, _, text = query.partition("=")
        try:
            number = int(text)
        except ValueError:
            return 422, {"refused": "n"}
        if name != "n":
            return 422, {"refused": "n"}
        return (500, {"failed": True}) if number >= 5 else (200, {"n": number})

    def _items(self, method: str, body: bytes) -> tuple[int, Any]:
        if method == "GET":
            return 200, {"items": [{"id": ident} for ident in self.items]}
        try:
            given = json.loads(body)
        except ValueError:
            return 422, {"refused": "body"}
        count = given["count"] if isinstance(given, dict) and set(given) == {"count"} else None
        if type(count) not in (int, float) or not 0 <= count <= 9 or count % 1:
            return 422, {"refused": "count"}
        self.made += 1
        self.items[self.made] = given
        return 201, {"id": self.made}

    def _item(self, method: str, text: str) -> tuple[int, Any]:
        if not text.lstrip("-").isdigit():
            return 422, {"refused": "item_id"}
        if int(text) not in self.items:
            return 404, {"refused": "item_id"}
        if method == "DELETE":
            del self.items[int(text)]
        return 200, {}


@contextmanager
def served(target: Any) -> Iterator[Any]:
    """Serves `target.answer` on a port of its own; sets `target.port`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _reply(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(length)
            path, _, query = self.path.partition("?")
            status, said = target.answer(self.command, path, query, body)
            text = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            problem = status >= 400 and status != 500
            kind = "text/plain" if isinstance(said, str) else "application/json"
            self.send_response(status)
            self.send_header("content-type", "application/problem+json" if problem else kind)
            self.send_header("content-length", str(len(text)))
            if status == 405:
                self.send_header("allow", target.allowed(path))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self._reply
            raise AttributeError(name)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    target.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield target
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
