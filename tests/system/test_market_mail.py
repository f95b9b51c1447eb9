"""What mail adds to the contract: what is set aside or refused goes to its own folder; what servers say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from central.market.channels import mail
from central.market.channels.mail import ASIDE, DONE, REFUSED, MailChannel
from central.market.channels.port import Outgoing, UndeliveredError
from central.market.testing import AT
from central.platform.errors import BadInput
from tests.unit.central.market.channels.ends import MailEnd

MESSAGE = Outgoing("121-1", "121", "sandbox-2026", b"<CDSDATA></CDSDATA>")


@pytest.fixture(scope="module")
def shared() -> Iterator[MailEnd]:
    made = MailEnd()
    yield made
    made.close()


@pytest.fixture
def end(shared: MailEnd) -> MailEnd:
    shared.mails.kept.clear()
    shared.channel = MailChannel(shared.destination, shared.archive, lambda: AT, shared.setting)
    return shared


def test_every_mail_goes_where_it_belongs(end: MailEnd) -> None:
    end.put(b"From: spam@example.com\r\nSubject: 813 - R-9\r\nMessage-ID: <s@x>\r\n\r\n<RESPONSE/>\r\n")
    end.put(end.seal("R-1", b"<RESPONSE id='1'/>"))
    changed = bytearray(end.seal("R-2", b"<RESPONSE id='2'/>"))
    place = changed.index(b"\r\n\r\n") + 2000
    changed[place : place + 8] = b"AAAAAAAA"
    end.put(bytes(changed))
    before = end.folders()
    found = list(end.channel.receive())
    assert [(each.is_aside, each.refusal is None) for each in found] == [(True, False), (False, True), (False, False)]
    assert found[0].peer == "spam@example.com" and found[0].content is None
    assert found[1].content == b"<RESPONSE id='1'/>" and found[1].signed and found[1].certificate
    assert found[1].code_hint == "813"
    assert found[2].content is None and found[2].octets == bytes(changed)
    for each in found:
        end.channel.confirm(each)
    after = end.folders()
    assert {name: after[name] - before.get(name, 0) for name in (ASIDE, DONE, REFUSED)} == {
        ASIDE: 1,
        DONE: 1,
        REFUSED: 1,
    }
    assert after["INBOX"] == 0


def test_what_was_not_confirmed_comes_again_in_the_next_session(end: MailEnd) -> None:
    end.put(end.seal("R-3", b"<RESPONSE id='3'/>"))
    (first,) = end.channel.receive()
    end.channel.close()
    with pytest.raises(UndeliveredError, match="will be seen again"):
        end.channel.confirm(first)
    (again,) = end.channel.receive()
    assert (again.identity, again.octets) == (first.identity, first.octets)
    end.channel.confirm(again)
    assert list(end.channel.receive()) == []


def test_a_full_mailbox_is_read_by_pages_and_what_nobody_takes_does_not_stop_it(
    end: MailEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "PAGE", 3)
    monkeypatch.setattr(mail, "MOST_AT_ONCE", 5)
    for number in range(12):
        end.put(b"Subject: x\r\nMessage-ID: <%02d@x>\r\n\r\nhello\r\n" % number)
    names = [f"<{number:02}@x>" for number in range(12)]
    poison = set(names[:4])

    def look() -> list[str]:
        found = []
        for each in end.channel.receive():
            found.append(each.identity)
            if each.identity not in poison:
                end.channel.confirm(each)
        return found

    assert look() == names[:5]
    assert look() == names[5:10], "what was left is not read again before the others"
    assert look() == [*names[10:], *names[:3]]
    assert look() == names[:4]
    poison.discard(names[0])
    assert look() == names[:4]
    poison.clear()
    assert look() == names[1:4]
    assert look() == []


def test_a_mailbox_made_anew_has_other_uids(end: MailEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    end.put(end.seal("R-7", b"<RESPONSE id='7'/>"))
    (first,) = end.channel.receive()
    monkeypatch.setattr(end.channel, "_validity", [b"1"])
    (again,) = end.channel.receive()
    with pytest.raises(UndeliveredError, match="will be seen again"):
        end.channel.confirm(first)
    end.channel.confirm(again)
    assert list(end.channel.receive()) == []


def test_a_mailbox_that_is_away_is_waited_for(end: MailEnd) -> None:
    assert end.setting.mailbox is not None
    wrong = replace(end.setting, mailbox=replace(end.setting.mailbox, password="wrong"))
    channel = MailChannel(end.destination, end.archive, lambda: AT, wrong)
    with pytest.raises(UndeliveredError, match=r"The mailbox of ote@example\.com is away") as error:
        list(channel.receive())
    assert "wrong" not in str(error.value)


def test_a_plain_mailbox_on_another_machine_is_refused(end: MailEnd) -> None:
    assert end.setting.mailbox is not None
    with pytest.raises(BadInput, match="password unencrypted"):
        mail.open_mailbox(replace(end.setting.mailbox, host="mail.example.com", security="imap"))


def test_what_the_mail_server_says(end: MailEnd) -> None:
    end.mails.busy = True
    with pytest.raises(UndeliveredError, match="451 later"):
        end.channel.send(MESSAGE)
    end.mails.busy = False
    wrong = replace(end.setting, smtp=replace(end.setting.smtp, password="nic"))
    channel = MailChannel(end.destination, end.archive, lambda: AT, wrong)
    with pytest.raises(UndeliveredError, match="535"):
        channel.send(MESSAGE)
    channel = MailChannel(
        end.destination, end.archive, lambda: AT, replace(end.setting, smtp=replace(end.setting.smtp, ca_file=None))
    )
    with pytest.raises(UndeliveredError, match="CERTIFICATE_VERIFY_FAILED"):
        channel.send(MESSAGE)
    assert end.mails.kept == []
    assert "lds" in end.logins


def test_without_a_certificate_of_the_other_end_nothing_leaves(end: MailEnd) -> None:
    lonely = replace(end.setting, counterparty=replace(end.setting.counterparty, encrypt_for=()))
    channel = MailChannel(end.destination, end.archive, lambda: AT, lonely)
    with pytest.raises(UndeliveredError, match="cannot send 121-1: There is no valid certificate of the other end"):
        channel.send(MESSAGE)
    assert end.mails.kept == []
