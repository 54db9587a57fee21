"""The first gate, as a table: who may speak to the hub."""

from __future__ import annotations

import pytest

from controller.api.guard import refusal

HOST = "localhost:8015"


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8015",
        "LOCALHOST:8015",
        "127.0.0.1",
        "127.0.0.1:8015",
        "127.0.0.1:1",
        "[::1]",
        "[::1]:8015",
        "localhost:",
    ],
)
def test_names_of_loopback_pass(host: str) -> None:
    assert refusal({"host": host}) is None


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8015",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil-localhost",
        "localhost.",
        "127.0.0.2",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0.0.0.0",
        "[::]",
        "[::1",
        "::1",
        "[::ffff:127.0.0.1]",
        "[::1%25lo]",
        "192.168.0.10:8015",
        "heal7.local",
        "localhost@evil.example",
        "localhost:8015@evil.example",
        "evil.example@localhost",
        "user:secret@localhost:8015",
        "@localhost",
        ":secret@localhost",
        "localhost/path",
        "localhost?x",
        "localhost#x",
        "evil.example#localhost",
        "evil.example?localhost",
        "evil.example/localhost",
        "evil.example\\localhost",
        "localhost:99999",
        "localhost:port",
        "localhost:-1",
        "localhost, evil.example",
        "localhost evil.example",
        "http://localhost",
        "xn--localhost",
        "ⓛocalhost",
    ],
)
def test_every_other_host_is_refused(host: str) -> None:
    assert "Host" in (refusal({"host": host}) or "")


def test_a_request_without_host_is_refused() -> None:
    assert refusal({}) is not None


@pytest.mark.parametrize("site", ["none", "same-origin"])
def test_what_the_hubs_own_pages_send_passes(site: str) -> None:
    assert refusal({"host": HOST, "sec-fetch-site": site, "origin": f"http://{HOST}"}) is None


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "SAME-ORIGIN", "unheard-of"])
def test_what_other_sites_send_is_refused(site: str) -> None:
    assert refusal({"host": HOST, "sec-fetch-site": site}) is not None


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost.evil.example:8015",
        "http://localhost",
        "http://localhost:8016",
        "http://127.0.0.1:8015",
        "http://[::1]:8015",
        "http://user@localhost:8015",
        "http://localhost:8015/",
        "http://localhost:8015 http://evil.example",
        "ftp://localhost:8015",
        "file://",
        "null",
        "",
    ],
)
def test_every_other_origin_is_refused(origin: str) -> None:
    assert "Origin" in (refusal({"host": HOST, "origin": origin}) or "")


def test_the_own_origin_behind_tls_passes() -> None:
    assert refusal({"host": HOST, "origin": f"https://{HOST}"}) is None
