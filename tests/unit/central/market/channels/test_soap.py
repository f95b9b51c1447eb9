"""What SOAP adds to the contract: which replies are receipts, who may connect, which service a code goes to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from central.market.channels import wss
from central.market.channels.certificates import fingerprint
from central.market.channels.keys import OwnKey
from central.market.channels.port import (
    LeftToPersonError,
    Outgoing,
    RefusedByChannelError,
    UndeliveredError,
    Verdict,
)
from central.market.channels.soap import Service, SoapChannel, check_services, is_acknowledgement
from central.market.testing import AT
from central.platform.errors import DomainError

from . import pki
from .ends import SoapEnd

MESSAGE = Outgoing("121-1", "121", "sandbox-2026", b"<CDSDATA></CDSDATA>")


@pytest.fixture
def end() -> Iterator[SoapEnd]:
    made = SoapEnd()
    yield made
    made.close()


def test_the_service_gets_its_action_and_our_certificate(end: SoapEnd) -> None:
    end.channel.send(MESSAGE)
    path, action, _ = end.requests[0]
    assert (path, action) == ("/CDSService", '"urn:send"')
    assert "ours-tls" in end.peers[0]
    reply = end.archive.kept[1]
    assert (reply.verdict, reply.message_id) == (Verdict.REPLY, "121-1")
    assert reply.certificate and reply.octets.startswith(b"<?xml")


def test_without_our_certificate_nobody_answers(end: SoapEnd) -> None:
    bare = replace(end.setting, keys=[pki.world().ours])
    channel = SoapChannel(end.destination, end.archive, lambda: AT, bare, connect_s=2, answer_s=2)
    with pytest.raises(UndeliveredError, match="gave no receipt for 121-1"):
        channel.send(MESSAGE)
    channel.close()
    assert end.requests == []


def test_replies_that_are_no_receipt(end: SoapEnd) -> None:
    stranger = pki.own("theirs-strange", pki.world().stranger)
    for reply in (
        b"",
        b"<html/>",
        wss.plain_envelope(b"<Accepted/>"),
        wss.seal_envelope(b"<Accepted/>", stranger, AT),
        wss.seal_envelope(b"<Accepted/>", pki.world().ours, AT),
        wss.fault_envelope(wss.Fault("Server", "x")),
    ):
        end.reply = reply
        with pytest.raises(UndeliveredError, match="121-1 is no receipt"):
            end.channel.send(MESSAGE)
        assert end.archive.kept[-1].verdict is Verdict.REFUSED
        assert end.archive.kept[-1].why
    assert list(end.channel.receive()) == []


def sealed_fault(code: str, key: OwnKey | None = None) -> bytes:
    return wss.seal_fault(wss.Fault(code, "no such message"), key or pki.world().theirs, AT)


@pytest.mark.parametrize(
    ("status", "reply", "error"),
    [
        (500, wss.fault_envelope(wss.Fault("Server", "planned outage")), UndeliveredError),
        (500, wss.fault_envelope(wss.Fault("Client", "no such message")), LeftToPersonError),
        (500, sealed_fault("Client"), RefusedByChannelError),
        (400, sealed_fault("Client"), RefusedByChannelError),
        (200, sealed_fault("Client"), RefusedByChannelError),
        (500, sealed_fault("Server"), UndeliveredError),
        (200, sealed_fault("Server"), UndeliveredError),
        (500, sealed_fault("Client", pki.world().ours), LeftToPersonError),
        (500, wss.seal_envelope(b"<Accepted/>", pki.world().theirs, AT), UndeliveredError),
        (400, b"<html>your proxy says no</html>", LeftToPersonError),
        (500, b"", UndeliveredError),
        (503, b"<html>down</html>", UndeliveredError),
        (404, b"", UndeliveredError),
        (413, b"too much", LeftToPersonError),
        (302, b"", UndeliveredError),
    ],
)
def test_faults_and_statuses(end: SoapEnd, status: int, reply: bytes, error: type[Exception]) -> None:
    end.status, end.reply = status, reply
    with pytest.raises(error, match="121-1") as raised:
        end.channel.send(MESSAGE)
    assert type(raised.value) is error
    assert list(end.channel.receive()) == []


def test_answers_that_are_left_hold_back_none_behind_them(end: SoapEnd) -> None:
    for number in (1, 2, 3):
        end.payload = f"<RESPONSE id='R-{number}'/>".encode()
        end.channel.send(replace(MESSAGE, id=f"121-{number}"))
    first, *others = end.channel.receive()
    assert [each.content for each in others] == [b'<RESPONSE id="R-2"></RESPONSE>', b'<RESPONSE id="R-3"></RESPONSE>']
    for each in others:
        end.channel.confirm(each)
    assert [each.handle for each in end.channel.receive()] == [first.handle]


def test_an_answer_in_the_reply_waits_until_somebody_takes_it(end: SoapEnd) -> None:
    """Also if it is another channel object, or another process, that receives."""
    end.payload = b"<RESPONSE id='R-1'/>"
    end.channel.send(MESSAGE)
    end.channel.close()
    later = SoapChannel(end.destination, end.archive, lambda: AT + timedelta(hours=1), end.setting)
    (found,) = later.receive()
    assert (found.content, found.refusal, found.peer) == (b'<RESPONSE id="R-1"></RESPONSE>', None, pki.OPERATOR)
    refused = replace(pki.world().operator, refused=frozenset({fingerprint(pki.world().theirs.certificate)}))
    strict = replace(end.setting, counterparty=refused)
    (bad,) = SoapChannel(end.destination, end.archive, lambda: AT, strict).receive()
    assert bad.content is None and bad.refusal is not None and bad.refusal[0] == "certificate_refused"
    later.confirm(found)
    assert list(later.receive()) == []


def test_what_lacks_a_service_a_key_or_a_file_waits(end: SoapEnd) -> None:
    other = replace(end.setting, services={"111": Service("CDSService", end.url)})
    channel = SoapChannel(end.destination, end.archive, lambda: AT, other)
    with pytest.raises(UndeliveredError, match="No web service of soap is set for the message code 121"):
        channel.send(MESSAGE)
    channel.close()
    late = replace(end.setting, keys=[pki.world().ours_old])
    channel = SoapChannel(end.destination, end.archive, lambda: AT, late)
    with pytest.raises(UndeliveredError, match="cannot send 121-1: No key of ours serves to sign"):
        channel.send(MESSAGE)
    broken = replace(end.setting, ca_file=str(end.folder / "none.pem"))
    channel = SoapChannel(end.destination, end.archive, lambda: AT, broken)
    with pytest.raises(UndeliveredError, match="The files for TLS cannot be used"):
        channel.send(MESSAGE)
    assert end.archive.kept == []


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"<Accepted/>", True),
        (b"<a:Ack xmlns:a='urn:x' id='1'/>", True),
        (b"<x/>", True),
        (b"<RESPONSE id='1'/>", False),
        (b"<x>said</x>", False),
    ],
)
def test_which_reply_is_no_market_message(payload: bytes, expected: bool) -> None:
    assert is_acknowledgement(payload) is expected


@pytest.mark.parametrize(
    ("url", "is_sandbox", "is_right"),
    [
        ("https://cds.example.com/CDSService", False, True),
        ("http://cds.example.com/CDSService", True, False),
        ("http://127.0.0.1:8000/CDSService", True, True),
        ("http://127.0.0.1:8000/CDSService", False, False),
        ("ftp://cds.example.com", True, False),
    ],
)
def test_addresses(url: str, is_sandbox: bool, is_right: bool) -> None:
    services = {"*": Service("CDSService", url)}
    if is_right:
        check_services(services, is_sandbox=is_sandbox)
    else:
        with pytest.raises(DomainError, match=r"must be https|is not in the form http"):
            check_services(services, is_sandbox=is_sandbox)
