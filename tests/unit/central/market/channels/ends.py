"""The other ends of channels, each with a channel to it: what the contract of all channels is tried on."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

from central.market.channels.allowed import Environment
from central.market.channels.plain_http import HttpChannel, destination_of
from central.market.channels.port import Channel
from central.market.testing import AT, FakeArchive, FakeChannel


class OtherEnd(Protocol):
    """What a test can do with the other end of a channel."""

    @property
    def channel(self) -> Channel: ...
    @property
    def archive(self) -> FakeArchive: ...
    def go_down(self) -> None: ...
    def refuse(self, message_id: str) -> None: ...
    def lose_receipt(self, message_id: str) -> None: ...
    def taken(self) -> list[tuple[str, bytes]]:
        """Ids and XML of the messages that arrived, after whatever sealed them was opened."""
        ...

    def offer(self, identity: str, content: bytes) -> bool:
        """Let a message wait for us; False where this end does not let us fetch."""
        ...

    def close(self) -> None: ...


def make_production(channel: Channel) -> None:
    """Turn the channel's destination into one of production."""
    channel.destination = replace(channel.destination, environment=Environment.PRODUCTION)


class FakeEnd:
    def __init__(self) -> None:
        self.archive = FakeArchive()
        self.channel = FakeChannel(archive=self.archive)

    def go_down(self) -> None:
        self.channel.up = False

    def refuse(self, message_id: str) -> None:
        self.channel.refuses.add(message_id)

    def lose_receipt(self, message_id: str) -> None:
        self.channel.loses.add(message_id)

    def taken(self) -> list[tuple[str, bytes]]:
        return [(message.id, message.xml) for message in self.channel.taken]

    def offer(self, identity: str, content: bytes) -> bool:
        self.channel.offer(identity, content)
        return True

    def close(self) -> None:
        self.channel.close()


class HttpEnd:
    """A real server on loopback that does as it is told."""

    def __init__(self) -> None:
        end = self
        self.refuses: set[str] = set()
        self.loses: set[str] = set()
        self.status = 202
        self.body: bytes | None = None
        self.kept: list[tuple[str, bytes]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message_id = str(self.headers["X-Message-Id"])
                content = self.rfile.read(int(self.headers["Content-Length"]))
                if message_id in end.refuses:
                    self.reply(400, b'{"code": "xml_malformed", "message": "no XML"}')
                    return
                end.kept.append((message_id, content))
                if message_id in end.loses:
                    self.connection.close()
                    return
                receipt = json.dumps({"receipt": f"r-{len(end.kept)}"}).encode()
                self.reply(end.status, receipt if end.body is None else end.body)

            def reply(self, status: int, body: bytes) -> None:
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "http://127.0.0.1:1/")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.archive = FakeArchive()
        address = destination_of(f"sandbox+http://127.0.0.1:{self.server.server_port}/messages")
        self.channel = HttpChannel(address, self.archive, lambda: AT, connect_s=2, answer_s=2)

    def go_down(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def refuse(self, message_id: str) -> None:
        self.refuses.add(message_id)

    def lose_receipt(self, message_id: str) -> None:
        self.loses.add(message_id)

    def taken(self) -> list[tuple[str, bytes]]:
        return self.kept

    def offer(self, identity: str, content: bytes) -> bool:
        return False

    def close(self) -> None:
        self.channel.close()
        self.go_down()
