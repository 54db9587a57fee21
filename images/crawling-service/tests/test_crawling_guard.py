"""The guard's promise: nothing that leads inside is ever connected to, however it is spelled."""

from __future__ import annotations

import asyncio
import ipaddress

import pytest
from crawling_fakes import CountingBackend, FakeNames, tools_of

from crawling_service.crawl import Crawl
from crawling_service.fetch import Fetcher, PinnedBackend
from crawling_service.guard import (
    BlockedError,
    IPAddress,
    check_addresses,
    check_url,
    forbidden,
    parse_allow_list,
)
from crawling_service.limits import Limits, limits_from_env
from crawling_service.plan import Plan

# Names as an attacker's DNS would answer them.
HOSTILE_NAMES = {
    "localhost": ["127.0.0.1"],
    "loop.attacker.example": ["127.0.0.1"],
    "mixed.attacker.example": ["93.184.215.14", "10.0.0.5"],
    "meta.attacker.example": ["169.254.169.254"],
    "six.attacker.example": ["::ffff:169.254.169.254"],
    "nat64.attacker.example": ["64:ff9b::7f00:1"],
    "empty.attacker.example": [],
    "host.docker.internal": ["172.17.0.1"],
    "saju-service": ["172.18.0.4"],
}

HOSTILE_URLS = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://127.0.0.1./",
    "http://１２７.０.０.１/",
    "http://127。0。0。1/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "http://0.0.0.0/",
    "http://10.0.0.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.169.254.:80/latest/meta-data/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/",
    "http://192.0.0.9/",
    "http://192.88.99.1/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "http://[2001:db8::1]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fec0::1]/",
    "http://[fc00::1]/",
    "http://[ff02::1]/",
    "http://[ff0e::1]/",
    "http://[100::1]/",
    "http://[3fff::1]/",
    "http://localhost/",
    "http://LOCALHOST:80/",
    "http://loop.attacker.example/",
    "http://mixed.attacker.example/",
    "http://meta.attacker.example/",
    "http://six.attacker.example/",
    "http://nat64.attacker.example/",
    "http://empty.attacker.example/",
    "http://host.docker.internal/",
    "http://saju-service:8012/health",
    "http://public.example:22/",
    "http://public.example:6379/",
    "http://public.example:0/",
    "http://user:pass@public.example/",
    "http://public.example\\@127.0.0.1/",
    "http://127.0.0.1%2f@public.example/",
    "http://127%2e0.0.1/",
    "http://exa mple.com/",
    "http://public.example\r\nHost: inside/",
    "http:///etc/passwd",
    "http://[::1/",
    "http://public.example:99999/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "ftp://public.example/",
    "data:text/html,hello",
    "unix:///var/run/docker.sock",
    "//127.0.0.1/",
    "http://" + "a" * 300 + ".example/",
    "http://public.example/" + "a" * 3000,
    "",
]


def _plan(url: str) -> Plan:
    return Plan((url,), max_pages=5, max_depth=1, same_host=False, time_limit_s=5)


@pytest.mark.parametrize("url", HOSTILE_URLS)
async def test_a_hostile_url_is_refused_and_no_connection_is_attempted(url: str) -> None:
    sockets = CountingBackend()
    names = FakeNames({**HOSTILE_NAMES, "public.example": ["93.184.215.14"]})
    backend = PinnedBackend(frozenset(), resolver=names, inner=sockets)
    limits = Limits(host_delay_s=0)
    async with Fetcher(limits, backend) as fetcher:
        outcome = await Crawl(_plan(url), limits, tools_of(limits, fetcher)).run()
    assert sockets.attempts == []
    assert outcome.pages == []
    assert [skipped.url for skipped in outcome.skipped] == [url] or outcome.skipped[0].url
    assert outcome.skipped[0].reason in {
        "bad_url", "bad_scheme", "blocked_address", "blocked_port", "dns_error",
    }  # fmt: skip


async def test_the_connection_goes_to_the_address_that_was_checked_not_to_the_name() -> None:
    sockets = CountingBackend()
    names = FakeNames({"public.example": ["93.184.215.14", "2606:2800:21f:cb07::1"]})
    backend = PinnedBackend(frozenset(), resolver=names, inner=sockets)
    limits = Limits(host_delay_s=0)
    async with Fetcher(limits, backend) as fetcher:
        await Crawl(_plan("http://public.example/"), limits, tools_of(limits, fetcher)).run()
    assert sockets.attempts == [("93.184.215.14", 80), ("2606:2800:21f:cb07::1", 80)]
    assert names.calls == ["public.example"]


async def test_a_resolver_that_does_not_answer_is_waited_for_no_longer_than_a_server() -> None:
    async def silent(host: str, port: int) -> list[IPAddress]:
        await asyncio.Event().wait()
        raise AssertionError

    sockets = CountingBackend()
    backend = PinnedBackend(frozenset(), resolver=silent, inner=sockets)
    limits = Limits(host_delay_s=0, connect_s=0.05, request_s=30)
    async with asyncio.timeout(60), Fetcher(limits, backend) as fetcher:
        outcome = await Crawl(
            _plan("http://public.example/"), limits, tools_of(limits, fetcher)
        ).run()
    assert [(skipped.reason, skipped.detail) for skipped in outcome.skipped] == [
        ("dns_error", "public.example was not resolved within 0.05 s")
    ]
    assert sockets.attempts == []


async def test_a_name_that_turns_bad_between_two_connections_is_refused_at_the_second() -> None:
    sockets = CountingBackend(reply=b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n")
    rebinding: dict[str, list[str]] = {"rebind.example": ["93.184.215.14"]}
    names = FakeNames(rebinding)
    backend = PinnedBackend(frozenset(), resolver=names, inner=sockets)
    stream = await backend.connect_tcp("rebind.example", 80)
    await stream.aclose()
    rebinding["rebind.example"] = ["127.0.0.1"]
    with pytest.raises(BlockedError, match="loopback"):
        await backend.connect_tcp("rebind.example", 80)
    assert sockets.attempts == [("93.184.215.14", 80)]


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:10.0.0.1]/",
        "//127.0.0.1/",
        "http://inside.attacker.example/",
        "file:///etc/passwd",
        "http://[broken",
    ],
)
async def test_a_redirect_inside_is_refused(location: str) -> None:
    reply = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
    sockets = CountingBackend(reply=reply)
    names = FakeNames(
        {"public.example": ["93.184.215.14"], "inside.attacker.example": ["192.168.0.10"]}
    )
    backend = PinnedBackend(frozenset(), resolver=names, inner=sockets)
    limits = Limits(host_delay_s=0)
    async with Fetcher(limits, backend) as fetcher:
        outcome = await Crawl(
            _plan("http://public.example/"), limits, tools_of(limits, fetcher)
        ).run()
    assert {address for address, _ in sockets.attempts} == {"93.184.215.14"}
    assert outcome.pages == []
    assert outcome.skipped[0].reason in {"blocked_address", "bad_scheme", "bad_url"}


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "211.231.100.1", "2606:4700::1111"])
def test_public_addresses_pass(address: str) -> None:
    assert forbidden(ipaddress.ip_address(address)) is None


def test_the_allow_list_is_exact_about_host_and_port() -> None:
    allow = parse_allow_list("demo-site:8080, [::1]:9000")
    assert check_url("http://DEMO-site:8080/a/../b?q=가#x", allow).url == (
        "http://demo-site:8080/b?q=%EA%B0%80"
    )
    assert check_url("http://[::1]:9000/", allow).allowed_private
    with pytest.raises(BlockedError) as refused:
        check_url("http://demo-site:8081/", allow)
    assert refused.value.reason == "blocked_port"


def test_an_allow_listed_name_may_lead_to_a_private_address_but_never_to_metadata() -> None:
    check_addresses([ipaddress.ip_address("172.18.0.3")], allowed_private=True)
    for address in ("169.254.169.254", "0.0.0.0", "224.0.0.1", "fe80::1", "::ffff:127.0.0.1"):
        with pytest.raises(BlockedError):
            check_addresses([ipaddress.ip_address(address)], allowed_private=True)


@pytest.mark.parametrize("text", ["demo-site", "demo-site:", ":8080", "a:b", "a:70000"])
def test_an_allow_list_entry_without_a_port_is_an_error_that_names_it(text: str) -> None:
    with pytest.raises(ValueError, match="HEAL7_CRAWL_ALLOW"):
        parse_allow_list(text)


def test_dot_segments_can_not_hide_a_path_from_robots() -> None:
    url = check_url("http://public.example/open/%2e%2E/private/./x").url
    assert url == "http://public.example/private/x"


@pytest.mark.parametrize(
    ("env", "agent"),
    [
        ({}, "HEAL7-crawler/0.1 (operator has not set HEAL7_CRAWL_CONTACT)"),
        ({"HEAL7_CRAWL_CONTACT": "me@example.com"}, "HEAL7-crawler/0.1 (+me@example.com)"),
    ],
)
def test_the_user_agent_names_the_operators_contact(env: dict[str, str], agent: str) -> None:
    assert limits_from_env(env).user_agent == agent


@pytest.mark.parametrize(
    "env", [{"HEAL7_CRAWL_CONTACT": "a\r\nHost: x"}, {"HEAL7_CRAWL_DELAY_MS": "-1"}]
)
def test_a_setting_that_can_not_be_used_is_named(env: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(env))):
        limits_from_env(env)
