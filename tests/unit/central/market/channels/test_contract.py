"""The contract of all channels: kept by the fake and by every adapter against a real other end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from central.market.channels.folder import FolderChannel
from central.market.channels.mail import MailChannel
from central.market.channels.plain_http import HttpChannel
from central.market.channels.port import (
    Channel,
    Direction,
    LeftToPersonError,
    Outgoing,
    RefusedByChannelError,
    UndeliveredError,
    Verdict,
)
from central.market.channels.soap import SoapChannel
from central.market.errors import OutboundError
from central.market.testing import AT

from .ends import FakeEnd, FolderEnd, HttpEnd, MailEnd, OtherEnd, SoapEnd, make_production

MESSAGE = Outgoing("121-1", "121", "sandbox-2026", b"<CDSDATA></CDSDATA>")
ENDS: dict[str, Callable[[], OtherEnd]] = {
    "fake": FakeEnd,
    "folder": FolderEnd,
    "http": HttpEnd,
    "mail": MailEnd,
    "soap": SoapEnd,
}


@pytest.fixture(params=list(ENDS))
def end(request: pytest.FixtureRequest) -> Iterator[OtherEnd]:
    made = ENDS[request.param]()
    yield made
    made.close()


def test_a_message_is_taken_unchanged_and_a_receipt_comes_back(end: OtherEnd) -> None:
    first = end.channel.send(MESSAGE)
    second = end.channel.send(MESSAGE)
    assert first.id and second.id
    assert set(end.taken()) == {(MESSAGE.id, MESSAGE.xml)}


def test_what_leaves_is_archived_with_its_message(end: OtherEnd) -> None:
    end.channel.send(MESSAGE)
    sent = end.archive.kept[0]
    assert (sent.direction, sent.verdict, sent.at) == (Direction.OUT, Verdict.SENT, AT)
    assert (sent.message_id, sent.content, sent.channel) == ("121-1", MESSAGE.xml, end.channel.destination.name)
    assert sent.octets and sent.identity and sent.peer


def test_the_other_end_is_down(end: OtherEnd) -> None:
    end.go_down()
    with pytest.raises(UndeliveredError, match="gave no receipt for 121-1"):
        end.channel.send(MESSAGE)
    assert [kept.verdict for kept in end.archive.kept] == [Verdict.SENT], "it may have arrived: it is archived"


def test_a_lost_receipt_is_no_receipt_though_the_message_arrived(end: OtherEnd) -> None:
    end.lose_receipt("121-1")
    with pytest.raises(UndeliveredError, match="121-1"):
        end.channel.send(MESSAGE)
    assert end.taken() == [(MESSAGE.id, MESSAGE.xml)]


def test_a_refusal_is_final_only_if_the_other_end_proves_who_it_is(end: OtherEnd) -> None:
    end.refuse("121-1")
    with pytest.raises(RefusedByChannelError if end.proves else LeftToPersonError, match="does not take 121-1 in"):
        end.channel.send(MESSAGE)
    assert end.taken() == []


def test_a_repeat_is_the_same_to_whoever_has_it(end: OtherEnd) -> None:
    end.lose_receipt("121-1")
    for _ in range(2):
        with pytest.raises(UndeliveredError, match="121-1"):
            end.channel.send(MESSAGE)
    sent = [kept for kept in end.archive.kept if kept.verdict is Verdict.SENT]
    assert len({kept.identity for kept in sent}) == 1
    if not isinstance(end, SoapEnd):
        assert len(sent) == 1, "the same octets, which are in the archive already"
    if isinstance(end, MailEnd):
        assert end.mails.kept == [sent[0].octets] * 2


def test_a_sandbox_format_does_not_leave_for_production(end: OtherEnd) -> None:
    make_production(end.channel)
    with pytest.raises(OutboundError, match="laid out by us and must not go to"):
        end.channel.send(MESSAGE)
    assert end.taken() == []
    assert end.archive.kept == []


def test_no_channel_has_a_way_round_the_gate() -> None:
    """Whatever leaves goes through `Channel.send`: no adapter has its own, and nobody else hands octets to one."""
    waiting, kinds = [Channel], set[type[Channel]]()
    while waiting:
        kinds.update(found := waiting.pop().__subclasses__())
        waiting += found
    assert {FolderChannel, HttpChannel, MailChannel, SoapChannel} <= kinds
    assert not [kind.__name__ for kind in kinds if {"send", "require_may_leave"} & vars(kind).keys()]
    root = Path(__file__).parents[5]
    using = {
        path.relative_to(root).as_posix()
        for path in (root / "central").rglob("*.py")
        if "._transmit(" in path.read_text(encoding="utf-8").replace("super()._transmit(", "")
    }
    assert using == {"central/market/channels/port.py"}


def test_what_waits_is_received_until_it_is_confirmed(end: OtherEnd) -> None:
    if not end.offer("R-1", b'<RESPONSE id="1"></RESPONSE>'):
        assert list(end.channel.receive()) == [], "the other end calls us"
        return
    end.offer("R-2", b'<RESPONSE id="2"></RESPONSE>')
    first = list(end.channel.receive())
    assert [each.content for each in first] == [b'<RESPONSE id="1"></RESPONSE>', b'<RESPONSE id="2"></RESPONSE>']
    assert all(each.refusal is None and each.octets and each.identity and each.peer for each in first)
    end.channel.confirm(first[0])
    again = list(end.channel.receive())
    assert [(each.identity, each.octets) for each in again] == [(first[1].identity, first[1].octets)]
    end.channel.confirm(again[0])
    end.channel.confirm(again[0])
    assert list(end.channel.receive()) == []
