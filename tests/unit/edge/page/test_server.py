"""Over a real socket: routes, methods, and a loop that does not answer."""

import asyncio
import http.client
import socket
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from edge.config import PageConfig
from edge.errors import ConfigError
from edge.page import server as server_module
from edge.page.server import ROUTES, StatusServer
from tests.unit.edge.page.status_example import status


@pytest.fixture
async def server() -> AsyncIterator[StatusServer]:
    made = StatusServer(PageConfig(port=0), status)
    made.start()
    yield made
    await asyncio.to_thread(made.stop)


def ask(server: StatusServer, path: str, method: str = "GET") -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.request(method, path)
    answer = connection.getresponse()
    return answer.status, answer.getheader("Content-Type", ""), answer.read()


@pytest.mark.parametrize(
    ("path", "holds"),
    [
        ("/", b"<h1>CONC-1</h1>"),
        ("/metrics", b"rozvodna_edge_outbox_pending 12.0"),
        ("/status.json", b'"config_number": 7'),
        ("/health", b"CONC-1 reads"),
    ],
)
async def test_routes(server: StatusServer, path: str, holds: bytes) -> None:
    code, kind, body = await asyncio.to_thread(ask, server, path)
    assert (code, kind) == (200, ROUTES[path][0])
    assert holds in body


async def test_what_is_not_there_says_what_is(server: StatusServer) -> None:
    code, _, body = await asyncio.to_thread(ask, server, "/outbox.sqlite")
    assert code == 404
    assert b"/metrics" in body


async def test_it_only_shows(server: StatusServer) -> None:
    code, _, body = await asyncio.to_thread(ask, server, "/status.json", "POST")
    assert code == 405
    assert b"GET" in body


async def test_a_loop_that_hangs_is_said(server: StatusServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "ANSWER_S", 0.01)
    with ThreadPoolExecutor(1) as threads:
        code, _, body = threads.submit(ask, server, "/health").result(5)  # waited for by the loop itself
    assert code == 503
    assert b"event loop" in body


async def test_an_address_in_use_is_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"cannot listen on 127\.0\.0\.1:{port} .*set page\.host"):
            StatusServer(PageConfig(port=port), status).start()
