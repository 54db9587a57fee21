"""The contract of the five services, asked of a running one: what no OpenAPI document can say.

A promise that could not be asked is neither kept nor broken; it is `null`, with the reason.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import requests

from examiner.contract.cleanup import REASON

_METRIC = re.compile(
    r"[a-zA-Z_:][a-zA-Z0-9_:]*(?:\{.*\})? (?:[-+]?[0-9.][0-9.eE+-]*|NaN|[-+]?Inf)(?: -?[0-9]+)?"
)
_TIMEOUT = 30
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Promise:
    """`kept` is None when it could not be asked; `detail` says what was seen instead."""

    promise: str
    of: str
    kept: bool | None
    detail: str = ""


def is_ours(document: Mapping[str, Any]) -> bool:
    """Whether a service says that it follows the contract."""
    paths = document["paths"]
    return {"/health", "/ready", "/metrics"} <= set(paths) and bool(actions_of(document))


def actions_of(document: Mapping[str, Any]) -> list[str]:
    """The paths of actions that can be undone."""
    paths = document["paths"]
    return sorted(path for path in paths if f"{path}/compensate" in paths)


def example_of(document: Mapping[str, Any], path: str) -> tuple[Any, Mapping[str, Any]]:
    """An action's first example body, or None, and the schema of its body."""
    content = document["paths"][path]["post"].get("requestBody", {}).get("content", {})
    media = content.get("application/json", {})
    schema = _resolved(document, media.get("schema", {}))
    named = [found.get("value") for found in media.get("examples", {}).values()]
    given = [media["example"]] if "example" in media else []
    for example in [*given, *named, *schema.get("examples", [])]:
        if isinstance(example, dict):
            return example, schema
    return None, schema


def variant_of(example: Json, schema: Mapping[str, Any]) -> Json | None:
    """Another body that is as valid: a default said or left unsaid, or an optional member less."""
    required = set(schema.get("required", ()))
    for name, declared in schema.get("properties", {}).items():
        if name not in example and declared.get("default") is not None:
            return {**example, name: declared["default"]}
        if name in example and "default" in declared and declared["default"] == example[name]:
            return {key: value for key, value in example.items() if key != name}
    for name in example:
        if name not in required and len(example) > 1:
            return {key: value for key, value in example.items() if key != name}
    return None


def _resolved(document: Mapping[str, Any], schema: Any) -> Mapping[str, Any]:
    reference = schema.get("$ref", "") if isinstance(schema, Mapping) else ""
    if reference.startswith("#/components/schemas/"):
        name = reference.rpartition("/")[2]
        found: Mapping[str, Any] = document.get("components", {}).get("schemas", {}).get(name, {})
        return found
    return schema if isinstance(schema, Mapping) else {}


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks one service for all that the contract promises."""

    service: str
    url: str
    document: Mapping[str, Any]
    session: requests.Session

    def all(self) -> list[dict[str, Any]]:
        """Every promise, in the shape of the report."""
        found: list[Promise] = []
        try:
            found += self._basics()
            for path in actions_of(self.document):
                found += self._action(path)
        except requests.RequestException as error:
            detail = f"no answer: {type(error).__name__}"
            found.append(Promise("it answers", self.service, False, detail))
        return [asdict(promise) for promise in found]

    def _basics(self) -> Iterator[Promise]:
        health = self._get("/health")
        said = _json(health)
        well = health.status_code == 200 and said.get("status") == "healthy"
        named = said.get("service") == self.service and isinstance(said.get("version"), str)
        yield _promise("says who and how it is", "GET /health", well and named, health)
        ready = self._get("/ready")
        state, checks = _json(ready).get("ready"), _json(ready).get("checks")
        shaped = isinstance(checks, dict) and all(isinstance(v, str) for v in checks.values())
        agrees = (ready.status_code, state) in ((200, True), (503, False))
        yield _promise("says what it is ready for", "GET /ready", shaped and agrees, ready)
        metrics = self._get("/metrics")
        lines = [line for line in metrics.text.splitlines() if line and not line.startswith("#")]
        typed = metrics.headers.get("content-type", "").startswith("text/plain")
        counted = bool(lines) and all(_METRIC.fullmatch(line) for line in lines)
        seen = "" if typed and counted else next((x for x in lines if not _METRIC.fullmatch(x)), "")
        yield Promise("is Prometheus text", "GET /metrics", typed and counted, seen[:200])
        missing = self._get(f"/no-such-path-{secrets.token_hex(4)}")
        refused = missing.status_code == 404 and _is_problem(missing)
        yield _promise(
            "refuses by problem+json with a remedy", "GET (unknown path)", refused, missing
        )

    def _action(self, path: str) -> Iterator[Promise]:
        of = f"POST {path}"
        wrong = self._post(path, [], None)
        refused = 400 <= wrong.status_code < 500 and _is_problem(wrong)
        yield _promise("refuses a wrong body by problem+json with a remedy", of, refused, wrong)
        yield from self._tombstone(path, of)
        example, schema = example_of(self.document, path)
        if example is None:
            yield Promise("runs once per key", of, None, "its OpenAPI document has no example")
            return
        yield from self._once(path, of, example, schema)

    def _tombstone(self, path: str, of: str) -> Iterator[Promise]:
        key = new_key()
        first, second = self._undo(path, key), self._undo(path, key)
        laid = _undone(first, "compensated") and _undone(second, "already_compensated")
        shown = second if _undone(first, "compensated") else first
        yield _promise("is undone by a key that never ran, and again", of, laid, shown)
        example, _ = example_of(self.document, path)
        if example is not None:
            late = self._post(path, example, key)
            held = late.status_code == 409 and _is_problem(late)
            yield _promise("refuses with 409 what was undone before it came", of, held, late)

    def _once(
        self, path: str, of: str, example: Json, schema: Mapping[str, Any]
    ) -> Iterator[Promise]:
        key = new_key()
        first = self._post(path, example, key)
        if first.status_code != 200:
            self._undo(path, key)
            detail = f"the example of its OpenAPI document is answered {_shown(first)}"
            yield Promise("runs once per key", of, None, detail)
            return
        again = self._post(path, example, key)
        same = again.status_code == 200 and again.content == first.content
        yield _promise("gives the stored reply to the same key and body", of, same, again)
        variant = variant_of(example, schema)
        if variant is not None:
            other = self._post(path, variant, key)
            promise = "refuses another body under the same key with 409"
            if other.status_code == 422:  # the schema does not tell what makes a body valid
                yield Promise(promise, of, None, f"the other body is no valid one: {_shown(other)}")
            else:
                held = other.status_code == 409 and _is_problem(other)
                yield _promise(promise, of, held, other)
        undone, twice = self._undo(path, key), self._undo(path, key)
        well = _undone(undone, "compensated") and _undone(twice, "already_compensated")
        yield _promise("is undone once, and said to be so again", of, well, undone)
        late = self._post(path, example, key)
        held = late.status_code == 409 and _is_problem(late)
        yield _promise("refuses with 409 what was undone", of, held, late)

    def _get(self, path: str) -> requests.Response:
        return self.session.get(self.url + path, timeout=_TIMEOUT)

    def _post(self, path: str, body: Any, key: str | None) -> requests.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return self.session.post(self.url + path, json=body, headers=headers, timeout=_TIMEOUT)

    def _undo(self, path: str, key: str) -> requests.Response:
        return self._post(f"{path}/compensate", {"idempotency_key": key, "reason": REASON}, None)


def new_key() -> str:
    """An idempotency key that nobody has used."""
    return f"contract-test-{secrets.token_hex(12)}"


def _undone(reply: requests.Response, status: str) -> bool:
    return reply.status_code == 200 and _json(reply).get("status") == status


def _is_problem(reply: requests.Response) -> bool:
    said = _json(reply)
    typed = reply.headers.get("content-type", "").startswith("application/problem+json")
    members = ("type", "title", "status", "detail", "code", "remedy", "instance")
    return typed and all(said.get(member) for member in members)


def _json(reply: requests.Response) -> Json:
    try:
        said = json.loads(reply.content)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _promise(promise: str, of: str, kept: bool, seen: requests.Response) -> Promise:
    return Promise(promise, of, kept, "" if kept else _shown(seen))


def _shown(reply: requests.Response) -> str:
    return f"{reply.status_code}: {reply.text[:300]}"
