"""What pages cost on the way: packed where the reader understands it, never where it streams."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator

import pytest
import zstandard
from fastapi.testclient import TestClient

from controller.dashboard import packing
from tests.e2e.pages_support import FakeHub, app


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(app(FakeHub()), base_url="http://localhost:8015") as client:
        yield client


@pytest.mark.parametrize(
    ("accepted", "way"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate", "gzip"),
        ("zstd;q=0, gzip;q=0.5", "gzip"),
        ("GZIP", "gzip"),
        ("identity", ""),
        ("", ""),
        ("gzip;q=much", ""),
    ],
)
def test_the_best_way_that_the_reader_allows_is_taken(accepted: str, way: str) -> None:
    assert packing.way_of(accepted) == way


def _raw(client: TestClient, path: str, accepted: str) -> tuple[bytes, str, str]:
    with client.stream("GET", path, headers={"Accept-Encoding": accepted}) as answer:
        body = b"".join(answer.iter_raw())
        return body, answer.headers.get("content-encoding", ""), answer.headers["vary"]


def _unpacked(body: bytes, way: str) -> bytes:
    if way == "zstd":
        return zstandard.ZstdDecompressor().decompress(body, max_output_size=10_000_000)
    return gzip.decompress(body) if way == "gzip" else body


@pytest.mark.parametrize("way", ["zstd", "gzip", ""])
def test_a_page_is_the_same_however_it_is_packed(client: TestClient, way: str) -> None:
    body, encoding, vary = _raw(client, "/dashboard/incidents", way or "identity")
    assert encoding == way
    assert "Accept-Encoding" in vary
    assert b"<!doctype html>" in _unpacked(body, way)
    assert len(body) == len(_unpacked(body, way)) or len(body) < len(_unpacked(body, way)) / 2


def test_a_file_has_another_etag_for_every_way(client: TestClient) -> None:
    url = re.findall(r'href="([^"]+pages\.css)"', client.get("/dashboard").text)[0]
    plain = client.get(url, headers={"Accept-Encoding": "identity"})
    seen = {plain.headers["etag"]}
    for way in packing.WAYS:
        body, encoding, _ = _raw(client, url, way)
        assert (encoding, _unpacked(body, way)) == (way, plain.content)
        etag = client.get(url, headers={"Accept-Encoding": way}).headers["etag"]
        seen.add(etag)
        again = client.get(url, headers={"Accept-Encoding": way, "If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b"")
    assert len(seen) == 1 + len(packing.WAYS)


def test_everything_of_a_first_visit_stays_small(client: TestClient) -> None:
    page, _, _ = _raw(client, "/dashboard", "zstd")
    text = client.get("/dashboard").text
    linked = set(re.findall(r'(?:src|href)="(/dashboard/assets/[^"]+)"', text))
    assert len(linked) > 6
    assert len(page) + sum(len(_raw(client, url, "zstd")[0]) for url in linked) <= 60_000
