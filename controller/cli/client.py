"""The one door from the command line to the hub's HTTP API.

It turns everything that can go wrong on the way into CommandErrors, so that commands read as if
nothing could. Bodies are returned as the hub sent them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, urlsplit

import requests
import urllib3

from controller import __version__
from controller.cli import sse
from controller.cli.errors import HubUnreachable, ProblemAnswer, UsageFault

CONNECT_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 30.0
STREAM_SILENCE_S = 60.0
TRANSFER_TIMEOUT_S = 600.0
_CHUNK = 65_536
# A product and its version: without one the hub could not tell the kind of client.
AGENT = f"heal7/{__version__}"
LOOPBACK = ("127.0.0.1", "localhost", "::1")

Json = dict[str, Any]
Query = dict[str, str | list[str]]
T = TypeVar("T", dict[str, Any], list[Any])
_CHUNK = 65_536


class Upload(Protocol):
    """A body that is read while it is sent; its length goes out before it."""

    def __len__(self) -> int: ...

    def read(self, size: int = -1) -> bytes: ...


class HubClient:
    """Talks to one hub. `language` goes out as Accept-Language, so reasons come back readable."""

    def __init__(self, base_url: str, language: str = "en") -> None:
        host = _host(base_url)
        self.base_url = base_url.rstrip("/")
        self._session = requests.Session()
        # A proxy from the environment can reach the internet, never this machine's loopback.
        self._session.trust_env = host not in LOOPBACK
        self._session.headers.update({"Accept-Language": language, "User-Agent": AGENT})

    def get(self, path: str, *, timeout_s: float = READ_TIMEOUT_S) -> Json:
        """The JSON object at `path`. Raises HubUnreachable or ProblemAnswer."""
        return self._parsed(self._send("GET", path, timeout_s=timeout_s), dict)

    def find(self, path: str, params: Query) -> Json:
        """The JSON object at `path` with `params`. Raises HubUnreachable or ProblemAnswer."""
        return self._parsed(self._send("GET", path, params=params), dict)

    def list(self, path: str, **params: str) -> Sequence[Json]:
        """The JSON objects at `path`. Raises HubUnreachable or ProblemAnswer."""
        found = self._parsed(self._send("GET", path, params={**params}), list)
        return [one for one in found if isinstance(one, dict)]

    def post(self, path: str, **params: str) -> Json:
        """POST without a body, `params` as the query. Raises HubUnreachable or ProblemAnswer."""
        return self._parsed(self._send("POST", path, params={**params}), dict)

    def post_json(self, path: str, body: Json, *, key: str | None = None) -> Json:
        """POST `body`; `key` is its Idempotency-Key. Raises HubUnreachable or ProblemAnswer."""
        headers = {"Idempotency-Key": key} if key is not None else None
        return self._parsed(self._send("POST", path, body=body, headers=headers), dict)

    def delete(self, path: str) -> None:
        """DELETE it; nothing is answered. Raises HubUnreachable or ProblemAnswer."""
        self._send("DELETE", path)

    def upload(self, path: str, content: Upload, content_type: str) -> Json:
        """POST `content` as it is. Raises HubUnreachable or ProblemAnswer."""
        headers = {"Content-Type": content_type}
        answer = self._send(
            "POST", path, content=content, headers=headers, timeout_s=TRANSFER_TIMEOUT_S
        )
        return self._parsed(answer, dict)

    def download(self, path: str, params: Query) -> Iterator[bytes]:
        """The body at `path`, piece by piece.

        Raises HubUnreachable or ProblemAnswer here; HubUnreachable while reading when it breaks.
        """
        answer = self._send("GET", path, params=params, stream=True, timeout_s=TRANSFER_TIMEOUT_S)
        return self._pieces(answer)

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        with closing(response):
            try:
                yield from response.iter_content(chunk_size=_CHUNK)
            except requests.RequestException as broken:
                raise self._unreachable(broken) from broken

    def stream(self, path: str, last_event_id: str | None) -> Iterator[str]:
        """Connect to an event stream, resumed after `last_event_id`, and return its lines.

        Raises HubUnreachable or ProblemAnswer here; HubUnreachable while reading when the stream
        breaks or stays silent for a minute.
        """
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        return self._lines(
            self._send("GET", path, headers=headers, stream=True, timeout_s=STREAM_SILENCE_S)
        )

    def _lines(self, response: requests.Response) -> Iterator[str]:
        with closing(response):
            try:
                yield from sse.split(_as_it_comes(response))
            except (urllib3.exceptions.HTTPError, OSError) as broken:
                raise self._unreachable(requests.ConnectionError(broken)) from broken

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Query | None = None,
        body: Json | None = None,
        content: Upload | None = None,
        headers: dict[str, str] | None = None,
        stream: bool = False,
        timeout_s: float = READ_TIMEOUT_S,
    ) -> requests.Response:
        try:
            response = self._session.request(
                method,
                self.base_url + path,
                params=params,
                json=body,
                data=content,
                headers=headers,
                stream=stream,
                timeout=(CONNECT_TIMEOUT_S, timeout_s),
                allow_redirects=False,
            )
        except requests.RequestException as failure:
            raise self._unreachable(failure) from failure
        if response.ok and not response.is_redirect:
            return response
        raise ProblemAnswer(response.status_code, self._problem(response))

    def _problem(self, response: requests.Response) -> Json:
        try:
            body = response.json()
        except requests.RequestException:
            body = None
        if isinstance(body, dict) and (body.get("title") or body.get("detail")):
            return body
        status = response.status_code
        return {
            "type": "about:blank",
            "title": f"{self.base_url} answered {status} {response.reason} without saying why",
            "status": status,
            "remedy": "Check that --hub names the hub itself; `heal7 doctor` tells more.",
        }

    def _parsed(self, response: requests.Response, kind: type[T]) -> T:
        try:
            body = response.json()
        except requests.RequestException:
            body = None
        if not isinstance(body, kind):
            raise HubUnreachable(
                f"Something answers at {self.base_url}, but it is not a HEAL7 hub.",
                remedy="Name the hub with --hub or HEAL7_HUB; `heal7 doctor` shows who is there.",
            )
        return body

    def _unreachable(self, failure: requests.RequestException) -> HubUnreachable:
        return HubUnreachable(
            f"The hub at {self.base_url} {_why(failure)}.",
            remedy="Start it with `heal7 up`, or name another with --hub; "
            "`heal7 doctor` says what is wrong.",
        )


def _as_it_comes(response: requests.Response) -> Iterator[bytes]:
    """What is there at once: `iter_content` would hold an event back until its chunk is full."""
    while chunk := response.raw.read1(_CHUNK):
        yield chunk


def service_path(service: str, action: str) -> str:
    """Path of one service's action; the name is quoted, so it can never reach another endpoint."""
    return f"/orchestration/services/{quote(service, safe='')}/{action}"


def _host(url: str) -> str:
    """The host an address names. Raises UsageFault where it names none, or no possible port."""
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts.hostname
    except ValueError:
        pass
    raise UsageFault(
        f"{url!r} is not an address of a hub.", remedy="Write it like http://127.0.0.1:8015."
    )


def _why(failure: requests.RequestException) -> str:
    if isinstance(failure, requests.ConnectTimeout):
        return "cannot be reached (no answer to the connection)"
    if isinstance(failure, requests.Timeout):
        return "does not answer in time"
    text = str(failure)
    if "refused" in text:
        return "is not running (connection refused)"
    if "resolve" in text or "Name or service" in text:
        return "cannot be found (the name does not resolve)"
    return "broke the connection"
