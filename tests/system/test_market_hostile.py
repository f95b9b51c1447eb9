"""Hostile input at the real ends of the channels: each piece is refused, on record and never processed, and what comes
behind it is taken.
"""

from __future__ import annotations

import gzip
import io
import zipfile
from base64 import encodebytes
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from central.market.channels import cms, mail, quota, smime, wss
from central.market.channels.archive import DatabaseArchive
from central.market.channels.folder import FolderChannel
from central.market.channels.keys import OwnKey
from central.market.channels.mail import ASIDE, DONE, REFUSED, MailChannel, open_mailbox
from central.market.channels.port import LARGEST, Outgoing
from central.market.channels.quota import Quota
from central.market.channels.receive import receive_all
from central.market.channels.tables import market_archive, market_aside, market_unasked
from central.market.envelope import Envelope, Participant
from central.market.format_package import load_package
from central.market.incoming import read_incoming
from central.market.response import Reason, Response, write_response
from central.market.tables import market_inbox
from central.market.testing import FakeChannel
from central.platform.database import make_engine, transaction
from central.platform.tables import audit
from tests.system.market_caller import fault_of, open_caller
from tests.unit.central.market.channels import pki
from tests.unit.central.market.channels.ends import MailEnd

AT = pki.AT
PACKAGE = load_package("sandbox-2026")
SENDER = "8591824900017"

LAUGHS = (
    b'<!DOCTYPE x [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (99 + n, b"&%c;" % (98 + n if n else 97) * 10) for n in range(9))
    + b"]><RESPONSE>&k;</RESPONSE>"
)
OUTSIDE = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><RESPONSE>&a;</RESPONSE>'
PARAMETER = b'<!DOCTYPE x [<!ENTITY % a SYSTEM "http://127.0.0.1:1/x"> %a;]><RESPONSE/>'
DEEP = b"<a>" * 20_000 + b"</a>" * 20_000
MANY = b"<a>" + b"<b/>" * 2_000_001 + b"</a>"
HOSTILE = (LAUGHS, OUTSIDE, PARAMETER, DEEP, MANY)


def bomb() -> bytes:
    """A zip file of some kilobytes that would be ten megabytes."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("RESPONSE.xml", b"<RESPONSE>" + b" " * 10_000_000 + b"</RESPONSE>")
    return held.getvalue()


def answer(number: int) -> bytes:
    """A message as it should be."""
    parties = Participant(pki.OPERATOR), Participant(SENDER)
    envelope = Envelope(f"R-{number}", "X21", AT, *parties, (f"121-{number}",), False, "CS")
    return write_response(PACKAGE, Response(envelope, [Reason("A01", "0200", "přijato")]))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = make_engine(database_url)
    yield made
    made.dispose()


def record(engine: Engine) -> tuple[Counter[str], list[str], list[str]]:
    """What came and was archived, by verdict; why what was refused was; what became of what was read."""
    table = market_archive
    with transaction(engine) as db:
        rows = db.execute(select(table.c.verdict, table.c.why).filter_by(direction="in").order_by(table.c.id)).all()
        inbox = db.execute(select(market_inbox.c.outcome).order_by(market_inbox.c.id)).scalars().all()
    refused = [str(row.why).partition(":")[0] for row in rows if row.verdict == "refused"]
    return Counter(row.verdict for row in rows), refused, list(inbox)


def test_by_call_back(engine: Engine, tmp_path: Path) -> None:
    good = wss.seal_envelope(answer(1), pki.world().theirs, AT)
    stranger = pki.own("stranger", pki.world().stranger)
    start, end = b"<soapenv:Envelope", b"</soapenv:Body>"
    calls: list[tuple[bytes, str]] = [
        (good.replace(start, LAUGHS.partition(b"<RESPONSE>")[0] + start, 1).replace(end, b"&k;" + end), "xml_dtd"),
        (good.replace(start, OUTSIDE.partition(b"<RESPONSE>")[0] + start, 1).replace(end, b"&a;" + end), "xml_dtd"),
        (DEEP, "xml_too_deep"),
        (good.replace(end, DEEP + end), "xml_too_deep"),
        (MANY, "xml_too_large"),
        (b" " * (LARGEST + 1), "soap_too_large"),
        (bomb(), "xml_malformed"),
        (good.replace(b"R-1", b"R-2"), "wrong_signature"),
        (wss.seal_envelope(answer(3), stranger, AT), "untrusted_certificate"),
        (wss.seal_envelope(answer(3), pki.world().ours, AT), "unexpected_sender"),
        (wss.plain_envelope(answer(3)), "not_signed"),
    ]
    with open_caller(engine, tmp_path, read_incoming) as caller:
        for octets, code in calls:
            assert fault_of(caller.call(octets))[2] == code
        packed = caller.call(gzip.compress(good), Content_Encoding="gzip")
        assert fault_of(packed)[2] == "xml_malformed", "nothing is unpacked"
        for _ in range(3):
            assert caller.call(good).status_code == 200
        assert caller.call(wss.seal_envelope(answer(1), pki.world().theirs, AT)).status_code == 200
    verdicts, refused, inbox = record(engine)
    assert verdicts == {"refused": len(calls) + 1, "opened": 1, "duplicate": 1}
    assert refused == [*(code for _, code in calls), "xml_malformed"]
    assert len(inbox) == 1, "the good one was read, once, and nothing else"


def test_calls_written_anew_around_what_somebody_signed_have_a_quota(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota.admit, "__defaults__", (Quota(pieces=8),))
    good = wss.seal_envelope(answer(1), pki.world().theirs, AT)
    with open_caller(engine, tmp_path, read_incoming) as caller:
        for number in range(20):
            assert caller.call(good + f"<!-- {number} -->".encode()).status_code == 200
    verdicts, _, inbox = record(engine)
    assert verdicts["opened"] == len(inbox) == 1
    with transaction(engine) as db:
        archived = db.execute(select(func.count()).select_from(market_archive)).scalar_one()
    assert (verdicts["duplicate"] <= 8, archived) == (True, 2 + 8), (
        "the first with our reply, and what the quota lets in"
    )


def seal(number: int, content: bytes, key: OwnKey | None = None) -> bytes:
    """A mail of the operator to us, or of whoever has the key."""
    message = Outgoing(f"R-{number}", "X21", PACKAGE.name, content)
    ours = [pki.world().ours.certificate]
    addresses = "ote@example.com", "lds@example.com"
    return smime.seal(message, key or pki.world().theirs, ours, addresses, AT).octets


def test_by_mail(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is signed as it should be is read, and its content refused there; all else is not read."""
    monkeypatch.setattr(mail, "LARGEST", 500_000)
    stranger = pki.own("stranger", pki.world().stranger)
    head = b"From: ote@example.com\r\nSubject: X21 - R-9\r\n"
    with_attachment = head + b"Message-ID: <zip@x>\r\nContent-Type: application/zip\r\n\r\n" + bomb()
    signed = [seal(number, content) for number, content in enumerate((LAUGHS, OUTSIDE, PARAMETER, DEEP, bomb()))]
    changed = cms.sign(b"Content-Type: application/xml\r\n\r\n" + answer(10), pki.world().theirs)
    envelope = cms.encrypt(changed.replace(b"R-10", b"R-11"), [pki.world().ours.certificate])
    smime_type = b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n"
    refused = [
        head + smime_type + b"Content-Transfer-Encoding: base64\r\n\r\n" + encodebytes(envelope),
        seal(12, answer(12), stranger),
        seal(13, answer(13), pki.world().ours),
        seal(14, b"<a>" + b" " * 500_000 + b"</a>"),
        head + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 300,
    ]
    good = seal(1, answer(1))
    end = MailEnd()
    try:
        channel = MailChannel(end.destination, DatabaseArchive(engine), lambda: AT, end.setting)
        put(end, *signed, *refused, with_attachment, good)
        report = receive_all(engine, channel, lambda: AT, read_incoming)
        assert (report.opened, report.refused, report.aside, report.left) == (6, 5, 1, 0), report
        assert report.failed is None
        assert end.folders() == {"INBOX": 0, DONE: 6, REFUSED: 5, ASIDE: 1}
        verdicts, why, inbox = record(engine)
        assert why == [
            "wrong_digest", "untrusted_certificate", "unexpected_sender", "cms_malformed", "mail_malformed"
        ]  # fmt: skip
        assert verdicts == {"opened": 6, "refused": 5}
        assert inbox[:5] == ["refused"] * 5 and len(inbox) == 6
        _replay(engine, channel, end, good)
    finally:
        end.close()
    assert record(engine)[2] == inbox, "a replay is never read"


def put(end: MailEnd, *mails: bytes) -> None:
    """Into our mailbox, in one session."""
    end.imap.start()
    assert end.setting.mailbox is not None
    with open_mailbox(end.setting.mailbox) as box:
        for octets in mails:
            box.append(octets)


def _replay(engine: Engine, channel: MailChannel, end: MailEnd, good: bytes) -> None:
    """The same octets, and the same in other wrappings: kept up to the quota, then counted; recorded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quota.admit, "__defaults__", (Quota(pieces=8),))
        put(end, *(good.replace(b"Message-ID: <", b"Message-ID: <%d-" % number, 1) for number in range(6)))
        put(end, *[good] * 6)
        report = receive_all(engine, channel, lambda: AT, read_incoming)
    assert (report.opened, report.again, report.duplicates, report.dropped) == (0, 6, 3, 3), report
    with transaction(engine) as db:
        acts = db.execute(select(audit.c.act).where(audit.c.subject == "market_channel/mail")).scalars().all()
        dropped = db.execute(select(market_unasked.c.dropped).filter_by(kind="refused")).scalars().all()
        apart = db.execute(select(func.count()).select_from(market_aside)).scalar_one()
    assert sorted(acts) == ["market.repeated", "market.unasked.over"]
    assert (dropped, apart) == ([3], 1)


def test_by_folder(engine: Engine, tmp_path: Path) -> None:
    where = replace(FakeChannel().destination, name="house")
    channel = FolderChannel(where, DatabaseArchive(engine), lambda: AT, tmp_path, pki.OPERATOR)
    list(channel.receive())
    for number, content in enumerate((*HOSTILE, bomb(), answer(1), answer(1))):
        (tmp_path / "in" / f"{number}.xml").write_bytes(content)
    with (tmp_path / "in" / "huge.xml").open("wb") as file:
        file.truncate(LARGEST + 1)
    (tmp_path / "in" / "link.xml").symlink_to("/etc/passwd")
    receive_all(engine, channel, lambda: AT, read_incoming)  # files that were seen once only are left
    report = receive_all(engine, channel, lambda: AT, read_incoming)
    assert (report.opened, report.duplicates, report.refused, report.left) == (7, 1, 1, 0), report
    verdicts, why, inbox = record(engine)
    assert verdicts == {"opened": 7, "duplicate": 1, "refused": 1} and why == ["file_too_large"]
    assert inbox[:6] == ["refused"] * 6 and len(inbox) == 7
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == ["link.xml"]
