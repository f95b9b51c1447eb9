"""Serves metrics, page and status on a small HTTP port, in a thread of its own: a slow reader never holds up a bus.

What is served is composed on the event loop, where the state belongs; a loop that does not answer in time gives 503.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

import msgspec
import structlog

from edge.config import PageConfig
from edge.errors import ConfigError
from edge.page.html import page
from edge.page.metrics import CONTENT_TYPE_LATEST, exposition

ANSWER_S: Final = 2.0
"""The event loop has so long to say how it is."""
REQUEST_S: Final = 5.0
"""A reader has so long to send its request."""

Status = Mapping[str, Any]
_log = structlog.get_logger("edge.page")


def _json(status: Status) -> bytes:
    return msgspec.json.format(msgspec.json.encode(status), indent=1)


def _healthy(status: Status) -> bytes:
    return f"{status['edge']} reads\n".encode()


ROUTES: Final[dict[str, tuple[str, Callable[[Status], bytes]]]] = {
    "/": ("text/html; charset=utf-8", page),
    "/metrics": (CONTENT_TYPE_LATEST, exposition),
    "/status.json": ("application/json", _json),
    "/health": ("text/plain; charset=utf-8", _healthy),
}


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 16

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that hangs up is no error of ours."""
        _log.info("reader gone", peer=str(client_address))


class _Handler(WSGIRequestHandler):
    timeout = REQUEST_S

    def log_message(self, *arguments: Any) -> None:
        """Scrapes are no news."""


class StatusServer:
    """`start()` and `stop()` are called on the event loop; `current` too, whenever somebody asks."""

    def __init__(self, config: PageConfig, current: Callable[[], Status]) -> None:
        self._config = config
        self._current = current
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: WSGIServer | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None, "started"
        return int(self._server.server_port)

    def start(self) -> None:
        """Listen; raises `ConfigError` where the address cannot be taken."""
        self._loop = asyncio.get_running_loop()
        host, port = self._config.host, self._config.port
        try:
            self._server = make_server(host, port, self._answer, _Server, _Handler)
        except OSError as error:
            raise ConfigError(
                f"The status page cannot listen on {host}:{port} ({error.strerror or error}); "
                "set page.host and page.port to a free address of this machine."
            ) from None
        threading.Thread(target=self._server.serve_forever, name="page", daemon=True).start()
        _log.info("status page", host=host, port=self.port)

    def stop(self) -> None:
        """Stop listening; requests under way are dropped."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def say(code: str, kind: str, body: bytes) -> Iterable[bytes]:
            start_response(
                code,
                [
                    ("Content-Type", kind),
                    ("Content-Length", str(len(body))),
                    ("Cache-Control", "no-store"),
                    ("X-Content-Type-Options", "nosniff"),
                    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
                ],
            )
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return say("405 Method Not Allowed", "text/plain", b"This page only shows; use GET.\n")
        route = ROUTES.get(environ.get("PATH_INFO") or "/")
        if route is None:
            known = ", ".join(ROUTES)
            return say("404 Not Found", "text/plain", f"There is nothing here; there are {known}.\n".encode())
        kind, render = route
        try:
            status = self._ask()
        except TimeoutError:
            return say("503 Service Unavailable", "text/plain", b"The agent's event loop does not answer.\n")
        return say("200 OK", kind, render(status))

    def _ask(self) -> Status:
        assert self._loop is not None

        async def compose() -> Status:
            return self._current()

        asked = asyncio.run_coroutine_threadsafe(compose(), self._loop)
        try:
            return asked.result(ANSWER_S)
        except TimeoutError:
            asked.cancel()
            raise
