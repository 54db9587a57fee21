"""Known answers against the real saju-service, in this process; a spoilt one is told by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from examiner.contract.answers import differences, vectors_of
from examiner.contract.vectors import VECTORS
from saju_service.service import service

Json = dict[str, Any]
THEIRS = Path(__file__).parents[2] / "saju-service" / "tests" / "saju_vectors.json"


class Saju:
    """Asks the app; `spoil` changes what it answers."""

    def __init__(self, http: TestClient) -> None:
        self._http = http
        self.spoil: dict[str, Any] = {}

    def __call__(self, path: str, body: Json | None = None) -> tuple[int, Json]:
        reply = self._http.get(path) if body is None else self._http.post(path, json=body)
        said = reply.json()
        if "result" in said:
            said["result"] |= self.spoil
        return reply.status_code, said


@pytest.fixture
def saju(tmp_path: Path) -> Iterator[Saju]:
    with TestClient(service.fresh(tmp_path / "saju.sqlite3")) as http:
        yield Saju(http)


def test_every_vector_holds(saju: Saju) -> None:
    vectors = vectors_of("saju-service")
    assert len(vectors) == 132
    assert [found for vector in vectors for found in differences(vector, saju)] == []


def test_a_wrong_answer_is_named(saju: Saju) -> None:
    chart = next(v for v in vectors_of("saju-service") if v["kind"] == "four_pillars")
    saju.spoil = {"utc": "1900-01-01T00:00:00Z", "gongmang": ["자", "축"]}
    found = {difference.field: difference.actual for difference in differences(chart, saju)}
    assert found["utc"] == "1900-01-01T00:00:00Z"
    assert set(found) >= {"gongmang.0"} or found["gongmang"] == ["자", "축"]


def test_a_refusal_that_does_not_come_is_a_difference(saju: Saju) -> None:
    refused = next(v for v in vectors_of("saju-service") if v["kind"] == "invalid_input")
    good = next(v for v in vectors_of("saju-service") if v["kind"] == "four_pillars")
    found = differences({**refused, "input": good["input"]}, saju)
    assert ("status", 422, 200) in [(d.field, d.expected, d.actual) for d in found]


def test_the_vectors_are_those_of_the_service() -> None:
    assert VECTORS["saju-service"].read_bytes() == THEIRS.read_bytes()
