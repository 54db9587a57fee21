"""Slow, endless and too many clients are cut; prompt ones are served meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from controller.api.receipt import PromptProtocol


async def hello(scope: Any, receive: Any, send: Any) -> None:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello " + body})


class Hasty(PromptProtocol):
    deadline_s = 0.3
    max_header_bytes = 2000
    max_connections = 3


@pytest.fixture
async def port() -> AsyncIterator[int]:
    config = uvicorn.Config(
        hello, port=0, http=Hasty, lifespan="off", log_config=None, timeout_keep_alive=30
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    yield server.servers[0].sockets[0].getsockname()[1]
    await server.shutdown()


async def answer(port: int, *pieces: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(60):
            return await reader.read(1000)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_a_prompt_request_is_answered(port: int) -> None:
    assert b"hello" in await answer(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")


@pytest.mark.parametrize(
    "unfinished",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nfive!",
    ],
    ids=["nothing", "header", "body"],
)
async def test_an_unfinished_request_is_cut(port: int, unfinished: bytes) -> None:
    assert await answer(port, unfinished) == b""


async def test_an_endless_header_is_cut(port: int) -> None:
    assert await answer(port, b"GET / HTTP/1.1\r\n", b"X-Long: " + b"a" * 5000) == b""


async def test_a_body_longer_than_the_header_limit_is_fine(port: int) -> None:
    body = b"b" * 5000
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n"
    assert b"hello bbb" in await answer(port, head, body)


async def test_a_kept_alive_connection_gets_a_new_deadline_for_each_request(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"hello ")
    writer.write(b"GET / HTTP/1.1\r\nHost")
    async with asyncio.timeout(60):
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await reader.readuntil(b"hello ")
    writer.close()


async def test_one_connection_too_many_is_cut(port: int) -> None:
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    assert await answer(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == b""
    for _, writer in idle:
        writer.close()
