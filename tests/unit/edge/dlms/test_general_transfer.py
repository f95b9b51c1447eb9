"""General block transfer: windows, streams, lost blocks, both directions, with and without ciphering."""

import asyncio
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.dlms.association import Association
from edge.dlms.errors import ProtocolError
from edge.dlms.exchange import MAX_ANSWER
from edge.dlms.general_transfer import MAX_ASKED_AGAIN, GeneralTransfer
from edge.dlms.outcomes import Continue, Failed, Opened
from edge.dlms.reader import DlmsReader, LinkSettings
from edge.dlms.testing import AnsweringTransport
from firmware_sims.dlms.association import MeterAssociation
from firmware_sims.dlms.general_blocks import GeneralBlocks
from firmware_sims.dlms.link import WrapperLine
from firmware_sims.dlms.objects import CosemObject, constant
from shared.dlms import axdr
from shared.dlms.general_block import GeneralBlock, decode_general_block
from shared.dlms.get import AttributeDescriptor
from shared.dlms.initiate import Conformance
from shared.dlms.wrapper import WrapperParser
from shared.identifiers import Obis
from tests.unit.edge.dlms.test_security import (
    CLIENT,
    a_meter,
    expect_a_day,
    line_of,
    security,
)

MESSAGE: Final = Obis(0, 0, 96, 13, 0)
LONG: Final = bytes(range(256)) * 4


def settings_of(protocol: str, window: int, **changes: Any) -> LinkSettings:
    physical = 17 if protocol == "hdlc" else None
    return LinkSettings(protocol, client=CLIENT, physical=physical, security=security(**changes), general_blocks=window)


@pytest.mark.parametrize("protocol", ["hdlc", "dlms-wrapper"])
@pytest.mark.parametrize("window", [1, 6, 63])
@pytest.mark.parametrize("protection", [0, 0x30])
async def test_a_day_in_general_blocks(protocol: str, window: int, protection: int) -> None:
    meter = a_meter(max_pdu=128, general_blocks=window, policy=protection)
    transport = AnsweringTransport(line_of(meter, protocol).receive)
    async with DlmsReader(transport, settings_of(protocol, window, protection=protection)) as reader:
        assert reader.session.association.conformance & Conformance.GENERAL_BLOCK_TRANSFER
        await expect_a_day(reader)


@pytest.mark.parametrize("protocol", ["hdlc", "dlms-wrapper"])
async def test_long_values_both_ways(protocol: str) -> None:
    meter, written = a_meter(max_pdu=128, general_blocks=5), []
    meter.add(
        CosemObject(1, MESSAGE, {2: constant(axdr.NULL)}, writers={2: written.append}, methods={1: axdr.octet_string})
    )
    transport = AnsweringTransport(line_of(meter, protocol).receive)
    async with DlmsReader(transport, settings_of(protocol, 4)) as reader:
        await reader.set(1, MESSAGE, 2, axdr.octet_string(LONG))
        assert await reader.action(1, MESSAGE, 1, axdr.octet_string(LONG)) == LONG
        await expect_a_day(reader)
    assert written == [LONG]


@pytest.mark.parametrize(("ours", "the_meters"), [(0, 6), (6, 0)])
async def test_it_is_used_only_where_both_want_it(ours: int, the_meters: int) -> None:
    meter = a_meter(max_pdu=128, general_blocks=the_meters)
    kinds = set()
    line = line_of(meter, "dlms-wrapper")

    def answer(octets: bytes) -> bytes:
        reply = line.receive(octets)
        kinds.update(frame.payload[0] for frame in WrapperParser().feed(reply))
        return reply

    async with DlmsReader(AnsweringTransport(answer), settings_of("dlms-wrapper", ours)) as reader:
        await expect_a_day(reader)
    assert 0xE0 not in kinds


class LossyLine:
    """Loses general blocks, either way, by number; not the first of an answer, which nobody can ask for over TCP."""

    def __init__(self, line: WrapperLine, lost: set[int]) -> None:
        self.line, self.lost, self.count = line, lost, 0

    def receive(self, octets: bytes) -> bytes:
        answer = b""
        for request in WrapperParser().feed(octets):
            if self._passes(request.payload):
                replies = WrapperParser().feed(self.line.receive(request.encode()))
                answer += b"".join(reply.encode() for reply in replies if self._passes(reply.payload))
        return answer

    def _passes(self, apdu: bytes) -> bool:
        if apdu[0] != 0xE0 or decode_general_block(apdu).number == 1:
            return True
        self.count += 1
        return self.count not in self.lost


@settings(max_examples=60)
@given(st.sets(st.integers(1, 120), max_size=60), st.sampled_from([1, 3, 8]))
def test_lost_blocks_are_asked_for_again(lost: set[int], window: int) -> None:
    async def read() -> None:
        meter = a_meter(max_pdu=128, general_blocks=window)
        line = LossyLine(WrapperLine({1: meter}), lost)
        link = replace(settings_of("dlms-wrapper", window), retries=60)
        async with DlmsReader(AnsweringTransport(line.receive), link) as reader:
            await expect_a_day(reader)
        assert line.count > 30

    asyncio.run(read())


def test_a_missing_block_in_a_stream() -> None:
    """Block 3 of 5 is lost: acknowledged is 2, and the meter goes on with 3."""
    client, meter = GeneralTransfer(8, 1000), GeneralBlocks(8, 20)
    request, answer = b"request", bytes(range(50))
    assert client.begin(request) == request
    (first,) = meter.give(answer, in_blocks=False)
    step = client.receive(first)
    assert isinstance(step, Continue)
    stream = meter.take(decode_general_block(step.apdu))
    assert isinstance(stream, list)
    assert [decode_general_block(each)[:4:3] for each in stream] == [(False, 2), (False, 3), (False, 4), (True, 5)]
    assert [decode_general_block(each).streaming for each in stream] == [True, True, True, False]
    assert client.receive(stream[0]) is None
    assert client.receive(stream[2]) is None
    step = client.receive(stream[3])
    assert isinstance(step, Continue)
    assert decode_general_block(step.apdu).acknowledged == 2
    again = meter.take(decode_general_block(step.apdu))
    assert isinstance(again, list)
    assert decode_general_block(again[0])[3:6:2] == decode_general_block(stream[1])[3:6:2]
    assert client.receive(again[0]) is None
    assert client.receive(again[1]) is None
    assert client.receive(again[2]) == answer


def test_a_meter_whose_receipts_take_no_numbers_of_its_own() -> None:
    client = GeneralTransfer(4, 20)
    first = decode_general_block(client.begin(bytes(30)))
    assert (first.last, first.number, len(first.data)) == (False, 1, 11)
    step = client.receive(GeneralBlock(False, False, 1, 0, 1).encode())
    assert isinstance(step, Continue)
    assert decode_general_block(step.apdu).number == 2
    step = client.receive(GeneralBlock(False, False, 1, 0, 2).encode())
    assert isinstance(step, Continue)
    assert decode_general_block(step.apdu).last
    assert client.receive(GeneralBlock(True, False, 1, 1, 3, b"answer").encode()) == b"answer"


def test_what_a_meter_must_not_do() -> None:
    client = GeneralTransfer(4, 20)
    client.begin(bytes(30))
    step = client.receive(GeneralBlock(False, False, 1, 1, 2).encode())
    assert isinstance(step, Failed)
    assert "a receipt of general block 2; expected one of block 1" in str(step.error)
    client.begin(b"short")
    client.receive(GeneralBlock(False, False, 1, 1, 0, b"a").encode())
    for _ in range(MAX_ASKED_AGAIN):
        assert isinstance(client.receive(GeneralBlock(False, False, 1, 9, 0, b"b").encode()), Continue)
    step = client.receive(GeneralBlock(False, False, 1, 9, 0, b"b").encode())
    assert isinstance(step, Failed)
    assert isinstance(step.error, ProtocolError)


def test_an_answer_without_end_is_given_up() -> None:
    client = GeneralTransfer(4, 1000)
    client.begin(b"short")
    piece, step = bytes(60_000), None
    for number in range(1, MAX_ANSWER // len(piece) + 2):
        step = client.receive(GeneralBlock(False, False, 1, number, 0, piece).encode())
    assert isinstance(step, Failed)


def test_blocks_nobody_asked_for_are_passed_over() -> None:
    meter = MeterAssociation(a_meter(general_blocks=4), CLIENT)
    client = Association(None, None, 4)
    block = GeneralBlock(True, False, 1, 1, 0, b"\xc4").encode()
    assert client.receive(block) is None
    assert meter.receive(block)[0] == 0xD8
    assert client.repeat() is None


@settings(max_examples=200)
@given(
    st.lists(
        st.binary(max_size=40)
        | st.builds(
            GeneralBlock,
            st.booleans(),
            st.booleans(),
            st.integers(0, 63),
            st.integers(0, 6),
            st.integers(0, 6),
            st.binary(max_size=20),
        ).map(GeneralBlock.encode),
        max_size=12,
    )
)
def test_whatever_blocks_come_nobody_raises(messages: list[bytes]) -> None:
    meter = MeterAssociation(a_meter(max_pdu=128, general_blocks=4), CLIENT)
    client = Association(None, None, 4)
    plain = MeterAssociation(a_meter(max_pdu=128, general_blocks=4), 16)
    outcome = client.receive(plain.receive(client.open()))
    assert isinstance(outcome, Opened)
    for message in messages:
        if client.state.name == "OPEN":
            client.get(AttributeDescriptor(15, Obis(0, 0, 40, 0, 0).bytes, 2))
        client.receive(message)
        for association in (meter, plain):
            assert association.receive(message)
            while association.more() is not None:
                pass
    assert client.state.name in ("OPEN", "WAITING")
