"""A crawl while it runs: seen, stopped, undone; and what one crawl leaves for the next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from crawling_fakes import CountingBackend, FakeNames, tools_of

from crawling_service import app, live
from crawling_service.crawl import Crawl
from crawling_service.fetch import Fetcher, PinnedBackend
from crawling_service.limits import Limits
from crawling_service.plan import Plan
from heal7_contract.testing import client

ALLOW = frozenset({"site:8080"})
START = "http://site:8080/"


class Site:
    """A site of a test: `answers` by path, the paths and headers asked, and doors that hold."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.heads: list[bytes] = []
        self.held: dict[str, asyncio.Event] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split()[1].decode()
        self.asked.append(path)
        self.heads.append(head)
        if path in self.held:
            await self.held[path].wait()
        writer.write(self.answers.get(path, answer("404 Not Found")))
        await writer.drain()
        writer.close()

    def pages(self, **pages: str) -> None:
        for name, html in pages.items():
            self.answers["/" + name.removeprefix("root")] = answer("200 OK", html)


def answer(status: str, body: str = "", *headers: str) -> bytes:
    raw = body.encode()
    head = [f"HTTP/1.1 {status}", "Connection: close", f"Content-Length: {len(raw)}", *headers]
    if not any(line.lower().startswith("content-type") for line in headers):
        head.append("Content-Type: text/html; charset=utf-8")
    return "\r\n".join([*head, "", ""]).encode() + raw


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    served = Site()
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setattr(app, "limits", lambda: Limits(allow=ALLOW, read_s=5))
    app.pace.cache_clear()
    app.reader.cache_clear()

    def network() -> PinnedBackend:
        sockets = CountingBackend(port_map={8080: port})
        return PinnedBackend(ALLOW, resolver=FakeNames({"site": ["172.18.0.9"]}), inner=sockets)

    monkeypatch.setattr(app, "network", network)
    yield served
    for door in served.held.values():
        door.set()
    server.close()


async def crawl(http: httpx.AsyncClient, key: str, **more: Any) -> httpx.Response:
    body = {"start_urls": [START], **more}
    return await http.post("/actions/crawl", json=body, headers={"Idempotency-Key": key})


async def result_of(http: httpx.AsyncClient, key: str, **more: Any) -> dict[str, Any]:
    reply = await crawl(http, key, **more)
    assert reply.status_code == 200, reply.text
    result: dict[str, Any] = reply.json()["result"]
    return result


async def under_way(http: httpx.AsyncClient, site: Site) -> tuple[asyncio.Task[Any], str]:
    """A crawl that has read two pages and waits for the third."""
    site.pages(root='<a href="/a"><a href="/b">', a="<title>A</title>a", b="b")
    site.held["/b"] = asyncio.Event()
    task = asyncio.create_task(crawl(http, "k"))

    listed: list[Any] = []
    give_up_at = asyncio.get_running_loop().time() + 60
    while "/b" not in site.asked or [one["progress"]["pages"] for one in listed] != [2]:
        assert asyncio.get_running_loop().time() < give_up_at, (site.asked, listed, task)
        assert not task.done(), (site.asked, task.result().text)
        await asyncio.sleep(0.01)
        listed = (await http.get("/crawls", params={"status": "running"})).json()["crawls"]
    return task, listed[0]["crawl_id"]


async def test_a_running_crawl_shows_its_pages_so_far(site: Site, tmp_path: Path) -> None:
    async with client(app.service, tmp_path) as http:
        task, crawl_id = await under_way(http, site)
        seen = (await http.get(f"/crawls/{crawl_id}")).json()
        assert seen["status"] == "running"
        assert [page["url"] for page in seen["pages"]] == [START, START + "a"]
        assert (seen["progress"]["depth"], seen["progress"]["waiting"]) == (1, 1)
        site.held["/b"].set()
        done = (await task).json()["result"]
        assert (done["status"], len(done["pages"])) == ("completed", 3)
        assert (await http.get(f"/crawls/{crawl_id}")).json() == done
        [listed] = (await http.get("/crawls", params={"status": "completed"})).json()["crawls"]
        assert listed["start_urls"] == [START]


async def test_a_cancelled_crawl_ends_at_once_with_what_it_has(site: Site, tmp_path: Path) -> None:
    async with client(app.service, tmp_path) as http:
        task, crawl_id = await under_way(http, site)
        path = f"/crawls/{crawl_id}/cancel"
        assert (await http.post(path)).json() == {"crawl_id": crawl_id, "cancelling": True}
        result = (await task).json()["result"]
        assert (result["status"], result["truncated"]) == ("cancelled", True)
        assert [page["url"] for page in result["pages"]] == [START, START + "a"]
        assert [(s["url"], s["reason"]) for s in result["skipped"]] == [(START + "b", "cancelled")]
        assert (await http.post(path)).json()["cancelling"] is False
        assert (await http.get(f"/crawls/{crawl_id}")).json() == result
        unknown = await http.post(f"/crawls/act_{'0' * 32}/cancel")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "crawl_not_found")


async def test_an_undo_stops_a_running_crawl_and_nothing_remains(
    site: Site, tmp_path: Path
) -> None:
    async with client(app.service, tmp_path) as http:
        task, crawl_id = await under_way(http, site)
        undo = {"idempotency_key": "k", "reason": "the run was cancelled"}
        reply = await http.post("/actions/crawl/compensate", json=undo)
        assert reply.json()["status"] == "compensated"
        assert (await task).json()["code"] == "action_compensated"
        assert (await http.get(f"/crawls/{crawl_id}")).status_code == 404
        assert (await http.get("/crawls")).json()["crawls"] == []


async def test_deleting_a_running_crawl_stops_it_and_it_stays_deleted(
    site: Site, tmp_path: Path
) -> None:
    async with client(app.service, tmp_path) as http:
        task, crawl_id = await under_way(http, site)
        assert (await http.delete(f"/crawls/{crawl_id}")).json()["deleted"] is True
        assert (await task).json()["result"]["status"] == "cancelled"
        assert (await http.get(f"/crawls/{crawl_id}")).status_code == 404


async def test_a_crawl_that_a_stop_cut_short_is_said_to_be(tmp_path: Path) -> None:
    crawl_id = "act_" + "1" * 32
    asked = app.CrawlRequest(start_urls=[START])
    async with client(app.service, tmp_path) as http:
        await app.service.offload(live.begin, app.service.store, crawl_id, asked)
        assert (await http.get(f"/crawls/{crawl_id}")).json()["status"] == "interrupted"
        assert (await http.get("/crawls")).json()["crawls"][0]["status"] == "interrupted"
        body = {"crawl_id": crawl_id}
        reply = await http.post("/actions/clean", json=body)
        assert (reply.status_code, reply.json()["code"]) == (409, "crawl_not_finished")


async def test_a_page_that_has_not_changed_is_not_sent_again(site: Site, tmp_path: Path) -> None:
    site.answers["/"] = answer("200 OK", "<title>one</title>text", 'ETag: "v1"')
    async with client(app.service, tmp_path) as http:
        first = await result_of(http, "1")
        site.answers["/"] = answer("304 Not Modified")
        second = await result_of(http, "2")
        assert b'If-None-Match: "v1"' in site.heads[-1]
        assert second["pages"][0]["not_modified"] is True
        assert second["pages"][0]["text"] == first["pages"][0]["text"]
        assert second["pages"][0]["sha256"] == first["pages"][0]["sha256"]
        site.answers["/"] = answer("200 OK", "<title>two</title>new", 'ETag: "v2"')
        third = await result_of(http, "3")
        assert (third["pages"][0]["title"], third["pages"][0]["not_modified"]) == ("two", False)
        await result_of(http, "4", revalidate=False)
        assert b"If-None-Match" not in site.heads[-1]


async def test_a_host_that_wants_rest_has_it_from_every_crawl(site: Site, tmp_path: Path) -> None:
    site.answers["/"] = answer("429 Too Many Requests", "", "Retry-After: 100")
    async with client(app.service, tmp_path) as http:
        assert [s["reason"] for s in (await result_of(http, "1"))["skipped"]] == ["http_429"]
        [skipped] = (await result_of(http, "2"))["skipped"]
    assert skipped["reason"] == "host_busy"
    assert "left alone for" in skipped["detail"]
    assert site.asked.count("/") == 1


async def test_what_must_not_be_kept_is_not(site: Site, tmp_path: Path) -> None:
    kept = ("Last-Modified: Wed, 01 Jan 2025 00:00:00 GMT", "Cache-Control: no-store")
    site.answers["/"] = answer("200 OK", "secret", *kept)
    async with client(app.service, tmp_path) as http:
        await result_of(http, "1")
        await result_of(http, "2")
    assert b"If-Modified-Since" not in site.heads[-1]


async def test_the_sites_own_list_of_pages_is_used_when_asked(site: Site, tmp_path: Path) -> None:
    robots = "User-agent: *\nDisallow: /no\nSitemap: /index.xml\n"
    site.answers["/robots.txt"] = answer("200 OK", robots, "Content-Type: text/plain")
    index = "<sitemapindex><sitemap><loc>/pages.xml</loc></sitemap></sitemapindex>"
    site.answers["/index.xml"] = answer("200 OK", index)
    places = "".join(
        f"<url><loc>{where}</loc></url>"
        for where in (START + "lonely", START + "no", "http://elsewhere.example/", "file:///etc")
    )
    site.answers["/pages.xml"] = answer("200 OK", f"<urlset>{places}</urlset>")
    site.pages(root="start", lonely="nobody links here")
    async with client(app.service, tmp_path) as http:
        without = await result_of(http, "1")
        assert len(without["pages"]) == 1
        found = await result_of(http, "2", sitemap=True)
    assert [page["url"] for page in found["pages"]] == [START, START + "lonely"]
    assert {s["reason"] for s in found["skipped"]} == {"robots", "other_host", "bad_scheme"}


async def test_wishes_of_pages_and_of_the_caller_are_kept(site: Site, tmp_path: Path) -> None:
    site.pages(
        root='<a href="/hidden"><a href="/leaf"><a href="/news1"><a href="/news1/print">',
        hidden='<meta name="robots" content="noindex">x',
        leaf='<meta name="robots" content="nofollow">leaf<a href="/beyond">',
        news1="news",
    )
    async with client(app.service, tmp_path) as http:
        result = await result_of(http, "1", exclude_paths=["*/print"])
        assert [page["url"][len(START) :] for page in result["pages"]] == ["", "leaf", "news1"]
        reasons = {s["url"][len(START) :]: s["reason"] for s in result["skipped"]}
        assert reasons == {"hidden": "noindex", "news1/print": "excluded"}
        narrow = await result_of(http, "2", include_paths=["/news*"], exclude_paths=["*/print"])
        assert [page["url"][len(START) :] for page in narrow["pages"]] == ["", "news1"]


async def test_the_same_page_at_two_addresses_is_one(site: Site, tmp_path: Path) -> None:
    canonical = '<link rel="canonical" href="/a">'
    site.pages(
        root='<a href="/a"><a href="/a-copy"><a href="/a-print"><a href="/liar">',
        a="<p>the article",
        liar=canonical + "<p>quite another one",
    )
    site.answers["/a-copy"] = site.answers["/a"]
    site.answers["/a-print"] = answer("200 OK", canonical + "<p>the article")
    async with client(app.service, tmp_path) as http:
        result = await result_of(http, "1")
        every = await result_of(http, "2", deduplicate=False)
    assert [page["url"][len(START) :] for page in result["pages"]] == ["", "a", "liar"]
    assert {s["url"][len(START) :]: s["reason"] for s in result["skipped"]} == {
        "a-copy": "duplicate",
        "a-print": "duplicate",
    }
    assert len(every["pages"]) == 5


async def test_merged_cells_are_spread_and_nested_tables_apart(site: Site, tmp_path: Path) -> None:
    site.pages(
        root="<table id=t><thead><tr><td>year<td>term<td>note</thead>"
        "<tr><td rowspan=2>2025<td>ipchun<td>a<tr><td>usu<td>b"
        "<tr><td colspan=2>both<td><table id=in><tr><th>k<tr><td>v</table></table>"
    )
    async with client(app.service, tmp_path) as http:
        [page] = (await result_of(http, "1"))["pages"]
    tables = {table["name"]: table for table in page["tables"]}
    assert tables["t"]["headers"] == ["year", "term", "note"]
    assert tables["t"]["rows"][:2] == [["2025", "ipchun", "a"], ["2025", "usu", "b"]]
    assert tables["t"]["rows"][2][:2] == ["both", "both"]
    assert tables["in"]["rows"] == [["v"]]


async def test_what_is_cut_is_said_to_be(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "limits", lambda: Limits(allow=ALLOW, table_rows=3))
    rows = "<table><tr><th>k" + "".join(f"<tr><td>{n}" for n in range(9))
    site.pages(root=rows + '</table><a href="/a">', a="short")
    async with client(app.service, tmp_path) as http:
        result = await result_of(http, "1")
    assert [page["content_truncated"] for page in result["pages"]] == [True, False]
    assert (len(result["records"]), result["truncated"]) == (3, True)


async def test_the_article_is_found_among_the_furniture(site: Site, tmp_path: Path) -> None:
    """A page without a single element that says what is what."""
    story = "".join(
        f"<p>Paragraph {n} of the story tells at some length what happened that day in the town, "
        "who was there, what they said to each other, and why it matters to all of them.</p>"
        for n in range(6)
    )
    menu = "".join(f'<a href="/m{n}">Menu entry {n}</a> ' for n in range(12))
    site.pages(
        root=f"<body><div class=top>{menu}</div><div class=col><div>{story}</div></div>"
        f"<div class=side><a href=/x>Advertisement</a></div><div class=bottom>Imprint</div>"
    )
    async with client(app.service, tmp_path) as http:
        [page] = (await result_of(http, "1", max_depth=0))["pages"]
    assert page["text_by"] == "trafilatura"
    assert "Paragraph 0" in page["text"]
    assert "Paragraph 5" in page["text"]
    assert "Menu entry" not in page["text"]


async def test_a_page_that_its_reader_cannot_end_costs_only_itself(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "limits", lambda: Limits(allow=ALLOW, read_s=1))
    site.pages(root='<a href="/deep"><a href="/well">', deep="<div>" * 300_000, well="well")
    async with client(app.service, tmp_path) as http:
        result = await result_of(http, "1")
    assert [page["url"][len(START) :] for page in result["pages"]] == ["", "well"]
    assert [s["reason"] for s in result["skipped"]] == ["unreadable"]


async def test_a_site_without_end_is_left_at_its_bounds(site: Site, tmp_path: Path) -> None:
    """A calendar that goes on for ever, and a path that grows by itself."""
    for month in range(60):
        html = f'<p>month {month}<a href="/cal?m={month + 1}">'
        site.answers[f"/cal?m={month}"] = answer("200 OK", html)
    site.pages(root='<a href="/cal?m=0"><a href="/a/a/a/a/">')
    async with client(app.service, tmp_path) as http:
        result = await result_of(http, "1", max_pages=30, max_depth=8)
    assert len(result["pages"]) == 9  # the start, and a month a level
    assert {s["reason"] for s in result["skipped"]} == {"trap", "max_depth"}
    assert result["truncated"] is True


@pytest.mark.parametrize(
    ("head", "piece", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-Slow: 1\r\n", "timeout"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", b"<p>", "timeout"),
        (b"HTTP/1.1 200 OK\r\n", b"X-Long: " + b"a" * 8_000 + b"\r\n", "broken_reply"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", b"x" * 60_000, "too_large"),
    ],
    ids=["slow head", "slow body", "endless head", "endless body"],
)
async def test_a_reply_without_end_is_cut_off(head: bytes, piece: bytes, reason: str) -> None:
    """It goes on until the crawler hangs up, which is asserted too: else no test would end."""
    hung_up = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        if b"/robots.txt" in asked:
            writer.write(answer("404 Not Found"))
            writer.close()
            return
        writer.write(head)
        try:
            while not reader.at_eof():
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.005)
        except ConnectionError:
            pass  # hanging up is what it waits for
        finally:
            hung_up.set()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    limits = Limits(allow=ALLOW, request_s=0.4, body_bytes=1_000_000)
    sockets = CountingBackend(port_map={8080: port})
    backend = PinnedBackend(ALLOW, resolver=FakeNames({"site": ["172.18.0.9"]}), inner=sockets)
    plan = Plan((START,), max_pages=5, max_depth=1, same_host=True, time_limit_s=10)
    async with Fetcher(limits, backend) as fetcher:
        outcome = await Crawl(plan, limits, tools_of(limits, fetcher)).run()
        assert [skipped.reason for skipped in outcome.skipped] == [reason]
        async with asyncio.timeout(60):
            await hung_up.wait()
    server.close()


async def test_every_request_has_an_example_and_every_status_a_body(tmp_path: Path) -> None:
    async with client(app.service, tmp_path) as http:
        document = (await http.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    for path, operation in (
        (path, op) for path, ops in document["paths"].items() for op in ops.values()
    ):
        for media in operation.get("requestBody", {}).get("content", {}).values():
            name = media["schema"]["$ref"].rpartition("/")[2]
            assert path.endswith("/compensate") or schemas[name]["examples"]
        if "contract" not in operation.get("tags", []):
            assert {"200", "413", "422", "500", "503"} <= set(operation["responses"])
    clean = document["paths"]["/actions/clean"]["post"]["responses"]
    assert {"404", "409"} <= set(clean)
