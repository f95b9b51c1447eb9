"""The channel to our own sandbox: which replies are receipts, and which addresses are sandboxes."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import httpx
import pytest

from central.market.channels import plain_http
from central.market.channels.allowed import Environment
from central.market.channels.plain_http import destination_of
from central.market.channels.port import Outgoing, UndeliveredError
from central.market.errors import OutboundError

from .ends import HttpEnd

MESSAGE = Outgoing("121-1", "121", "sandbox-2026", b"<CDSDATA/>")


@pytest.fixture
def http_end() -> Iterator[HttpEnd]:
    end = HttpEnd()
    yield end
    end.close()


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
        http_end.channel.send(MESSAGE)


@pytest.mark.parametrize(
    ("text", "address", "environment"),
    [
        ("https://cds.example.com/CDSService", "https://cds.example.com/CDSService", Environment.PRODUCTION),
        ("sandbox+http://127.0.0.1:8099/messages", "http://127.0.0.1:8099/messages", Environment.SANDBOX),
        ("sandbox+https://sand.example.com/x", "https://sand.example.com/x", Environment.SANDBOX),
        ("sandbox+https://10.1.2.3:8443/x?y=1", "https://10.1.2.3:8443/x?y=1", Environment.SANDBOX),
    ],
)
def test_addresses(text: str, address: str, environment: Environment) -> None:
    found = destination_of(text)
    assert (found.address, found.environment) == (address, environment)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("http://127.0.0.1:8099/", "bad_address"),
        ("sandbox+ftp://127.0.0.1/", "bad_address"),
        ("127.0.0.1", "bad_address"),
        ("", "bad_address"),
        ("https://", "bad_address"),
        ("https://[::1/", "bad_address"),
        ("https://cds.example.com:99999/", "bad_address"),
        ("sandbox+https://portal.sand.ote-cr.cz/cds", "operator_is_no_sandbox"),
        ("sandbox+https://OTE-CR.CZ./cds", "operator_is_no_sandbox"),
    ],
)
def test_bad_addresses_are_refused(text: str, code: str) -> None:
    with pytest.raises(OutboundError) as refusal:
        destination_of(text)
    assert refusal.value.code == code


def test_a_reply_that_trickles_is_none(http_end: HttpEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_http, "LONGEST_S", -1.0)
    with pytest.raises(UndeliveredError, match="its reply takes too long"):
        http_end.channel.send(MESSAGE)


def test_a_reply_is_not_unpacked() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["Accept-Encoding"])
        bomb = gzip.compress(b"\0" * 10_000_000)
        return httpx.Response(202, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(bomb))

    client = httpx.Client(transport=httpx.MockTransport(answer))
    with client, pytest.raises(UndeliveredError, match="its reply is compressed"):
        plain_http.post(client, "https://127.0.0.1/", b"x", {}, "121-1", 1000)
    assert asked == ["identity"]
