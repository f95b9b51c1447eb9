"""The contract of the channel, kept by the real one over HTTP and by the fake; and where sandbox formats may go."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

import pytest

from central.market.channel import (
    Address,
    Channel,
    HttpChannel,
    Outgoing,
    RefusedByChannelError,
    UndeliveredError,
    parse_address,
    refuse_wrong_address,
)
from central.market.errors import OutboundError
from central.market.testing import SANDBOX_ADDRESS, FakeChannel

MESSAGE = Outgoing("121-1", "121", "sandbox-2026", b"<CDSDATA/>")


class OtherEnd(Protocol):
    """What a test can do with the other end of a channel."""

    @property
    def channel(self) -> Channel: ...
    def go_down(self) -> None: ...
    def refuse(self, message_id: str) -> None: ...
    def lose_receipt(self, message_id: str) -> None: ...
    def taken(self) -> list[tuple[str, bytes]]: ...


class FakeEnd:
    def __init__(self) -> None:
        self.channel = FakeChannel()

    def go_down(self) -> None:
        self.channel.up = False

    def refuse(self, message_id: str) -> None:
        self.channel.refuses.add(message_id)

    def lose_receipt(self, message_id: str) -> None:
        self.channel.loses.add(message_id)

    def taken(self) -> list[tuple[str, bytes]]:
        return [(message.id, message.xml) for message in self.channel.taken]


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
        self.channel = HttpChannel(
            Address(f"http://127.0.0.1:{self.server.server_port}/messages", is_sandbox=True), connect_s=2, answer_s=2
        )

    def go_down(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def refuse(self, message_id: str) -> None:
        self.refuses.add(message_id)

    def lose_receipt(self, message_id: str) -> None:
        self.loses.add(message_id)

    def taken(self) -> list[tuple[str, bytes]]:
        return self.kept

    def close(self) -> None:
        self.channel.close()
        self.go_down()


@pytest.fixture
def http_end() -> Iterator[HttpEnd]:
    end = HttpEnd()
    yield end
    end.close()


@pytest.fixture(params=["http", "fake"])
def end(request: pytest.FixtureRequest) -> OtherEnd:
    if request.param == "fake":
        return FakeEnd()
    real: HttpEnd = request.getfixturevalue("http_end")
    return real


def test_a_message_is_taken_unchanged_and_a_receipt_comes_back(end: OtherEnd) -> None:
    first = end.channel.deliver(MESSAGE)
    second = end.channel.deliver(MESSAGE)
    assert first.id and second.id and first.id != second.id
    assert end.taken() == [(MESSAGE.id, MESSAGE.xml)] * 2


def test_the_other_end_is_down(end: OtherEnd) -> None:
    end.go_down()
    with pytest.raises(UndeliveredError, match="gave no receipt for 121-1"):
        end.channel.deliver(MESSAGE)


def test_a_lost_receipt_is_no_receipt_though_the_message_arrived(end: OtherEnd) -> None:
    end.lose_receipt("121-1")
    with pytest.raises(UndeliveredError, match="121-1"):
        end.channel.deliver(MESSAGE)
    assert end.taken() == [(MESSAGE.id, MESSAGE.xml)]


def test_a_refusal_is_final(end: OtherEnd) -> None:
    end.refuse("121-1")
    with pytest.raises(RefusedByChannelError, match="does not take 121-1 in \\(HTTP 400\\)"):
        end.channel.deliver(MESSAGE)
    assert end.taken() == []


def test_a_sandbox_format_does_not_leave_for_production(end: OtherEnd) -> None:
    end.channel.address = Address(end.channel.address.url, is_sandbox=False)
    with pytest.raises(OutboundError, match="sandbox-2026 were laid out by us and must not go to"):
        end.channel.deliver(MESSAGE)
    assert end.taken() == []


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (202, b"thanks"),
        (202, b"{}"),
        (200, b'{"receipt": "r"}'),
        (302, b""),
        (401, b"who are you"),
        (404, b"nothing here"),
        (429, b"slower"),
        (503, b"planned outage"),
        (202, b"x" * 200_000),
    ],
)
def test_anything_else_is_no_receipt_and_to_be_repeated(http_end: HttpEnd, status: int, body: bytes) -> None:
    http_end.status, http_end.body = status, body
    with pytest.raises(UndeliveredError, match="121-1"):
        http_end.channel.deliver(MESSAGE)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://cds.example.cz/CDSService", Address("https://cds.example.cz/CDSService", is_sandbox=False)),
        ("sandbox+http://127.0.0.1:8099/messages", SANDBOX_ADDRESS),
        ("sandbox+https://sand.example.cz/x", Address("https://sand.example.cz/x", is_sandbox=True)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    found = parse_address(text)
    assert found.is_sandbox == address.is_sandbox
    assert not found.url.startswith("sandbox+")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("http://127.0.0.1:8099/", "bad_address"),
        ("sandbox+ftp://127.0.0.1/", "bad_address"),
        ("127.0.0.1", "bad_address"),
        ("", "bad_address"),
        ("https://", "bad_address"),
        ("sandbox+https://portal.sand.ote-cr.cz/cds", "operator_is_no_sandbox"),
        ("sandbox+https://OTE-CR.CZ./cds", "operator_is_no_sandbox"),
    ],
)
def test_bad_addresses_are_refused(text: str, code: str) -> None:
    with pytest.raises(OutboundError) as refusal:
        parse_address(text)
    assert refusal.value.code == code


def test_only_sandbox_addresses_take_sandbox_formats() -> None:
    with pytest.raises(OutboundError, match=r"install the operator's formats, or mark the address"):
        refuse_wrong_address("sandbox-2026", parse_address("https://cds.example.cz/"))
    address = parse_address("sandbox+https://cds.example.cz/")
    refuse_wrong_address("sandbox-2026", address)
    assert address.is_sandbox
