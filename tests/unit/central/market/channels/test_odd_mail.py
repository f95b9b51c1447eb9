"""Mail that makes a parser stumble is refused and kept; it never ends the service that fetches mail."""

from __future__ import annotations

from typing import Any

import pytest

from central.market.channels.mail import MailChannel, MailSetting
from central.market.channels.port import Destination, Environment
from central.platform.smtp import Server

from . import pki
from .test_smime import AT, sealed

WHERE = Destination("mail", "ote@example.com", Environment.SANDBOX, "example.com")


SETTING = MailSetting(
    Server("127.0.0.1", 1, "smtp", None, None),
    None,
    "LDS <lds@example.com>",
    "ote@example.com",
    [pki.world().theirs],
    pki.world().us,
)


def channel() -> MailChannel:
    archive: Any = None
    return MailChannel(WHERE, archive, lambda: AT, SETTING)


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Type: application/pkcs7-mime; name*=a; name*0=b",
        b"Content-Type: application/pkcs7-mime; name*" + b"9" * 5000 + b"=a; name*0=b",
        b"Content-Type: application/pkcs7-mime; smime-type*=x'y",
    ],
)
def test_a_head_that_no_parser_takes_is_a_refusal(head: bytes) -> None:
    octets = b"From: a@example.com\r\nSubject: 121 - x\r\n" + head + b"\r\n\r\nxx"
    incoming = channel()._incoming("1:1", octets)
    assert incoming.refusal is not None
    assert incoming.octets == octets
    assert incoming.content is None or incoming.content == b""


def test_what_opening_stumbles_over_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("central.market.channels.smime.open_letter", stumble)
    incoming = channel()._incoming("1:1", sealed())
    assert incoming.refusal == (
        "mail_unreadable",
        "The mail cannot be read (ZeroDivisionError): it is kept as it came.",
    )
