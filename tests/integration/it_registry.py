"""A registry of the tests' own: a few small images to read, and ways to misbehave.

The engine takes 127.0.0.0/8 for insecure registries without being told, so plain HTTP will do.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
# A program for x86-64 that waits for a signal: pause() over and over.
_WAITS = bytes.fromhex(
    "7f454c4602010100000000000000000002003e0001000000780040000000000040000000000000000000000000000000"
    "000000004000380001000000000000000100000005000000000000000000000000004000000000000000400000000000"
    "7f000000000000007f0000000000000000100000000000006a22580f05ebf9"
)


_DRIP = 2048


class Registry:
    """`put` an image, then pull `address/name:tag`. Names that begin with `denied` are refused,
    those with `silent` never answered, and of `slow` ones layers come in drips."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.waiting = threading.Event()
        """Set once somebody waits for an answer that does not come."""
        self.left = threading.Event()
        """Set once whoever waited, or was being sent a layer, is gone."""
        self.over = threading.Event()
        self.address = ""

    def put(self, name: str, tag: str, word: str, padding: int = 0) -> str:
        """An image of one program that waits, and a file that says `word`; how it is pulled."""
        # Its name makes it another image than one that an earlier run may have left here.
        files = {"wait": _WAITS, "word": word.encode(), "name": name.encode()}
        layer = gzip.compress(_tar(files, padding), 1)
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/wait"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(gzip.decompress(layer))]},
        }
        body = json.dumps(config).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._blob(_CONFIG, body),
            "layers": [self._blob(_LAYER, layer)],
        }
        self.manifests[f"{name}:{tag}"] = json.dumps(manifest).encode()
        return f"{self.address}/{name}:{tag}"

    def put_dockerfile(self, text: str) -> str:
        """A file that is a build context by itself; its address."""
        self.blobs["Dockerfile"] = text.encode()
        return f"http://{self.address}/v2/context/blobs/Dockerfile"

    def _blob(self, kind: str, body: bytes) -> dict[str, Any]:
        self.blobs[_digest(body)] = body
        return {"mediaType": kind, "size": len(body), "digest": _digest(body)}


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _tar(files: dict[str, bytes], padding: int) -> bytes:
    packed = io.BytesIO()
    noise = b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(padding // 32))
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, body in (files | {"noise": noise}).items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(body), 0o755
            tar.addfile(entry, io.BytesIO(body))
    return packed.getvalue()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry: Registry

    def do_GET(self) -> None:
        self.registry.asked.append(self.path)
        parts = self.path.removeprefix("/v2/").split("/")
        if len(parts) < 3:
            self._send(200, b"{}", "application/json")
            return
        name, kind, what = "/".join(parts[:-2]), parts[-2], parts[-1]
        if name.startswith("denied"):
            self._refuse(403, "DENIED", "requested access to the resource is denied")
        elif name.startswith("silent"):
            self._hang()
        elif kind == "blobs" and what in self.registry.blobs:
            self._blob(name, self.registry.blobs[what])
        else:
            self._manifest(name, what)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _manifest(self, name: str, what: str) -> None:
        known = self.registry.manifests
        by_digest = {_digest(body): body for body in known.values()}
        body = known.get(f"{name}:{what}") or by_digest.get(what)
        if body is None:
            self._refuse(404, "MANIFEST_UNKNOWN", f"manifest unknown to {name}:{what}")
        else:
            self._send(200, body, _MANIFEST)

    def _blob(self, name: str, body: bytes) -> None:
        slow = name.startswith("slow") and len(body) > 100_000
        if not slow:
            self._send(200, body, "application/octet-stream")
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            for at in range(0, len(body), _DRIP):
                self.wfile.write(body[at : at + _DRIP])
                if self.registry.over.wait(0.05):
                    break
        except OSError:
            self.registry.left.set()
        self.close_connection = True

    def _hang(self) -> None:
        """Keep the connection until the other side, or the test, is done with it."""
        self.registry.waiting.set()
        self.connection.settimeout(0.1)
        while not self.registry.over.is_set():
            try:
                if not self.connection.recv(1):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        self.registry.left.set()
        self.close_connection = True

    def _refuse(self, status: int, code: str, told: str) -> None:
        body = json.dumps({"errors": [{"code": code, "message": told}]}).encode()
        self._send(status, body, "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Docker-Content-Digest", _digest(body))
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """The tests say what matters."""


@contextmanager
def running_registry() -> Iterator[Registry]:
    """A registry on a free port of the loopback."""
    registry = Registry()
    handler = type("Handler", (_Handler,), {"registry": registry})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    registry.address = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        registry.over.set()
        server.shutdown()
        server.server_close()
