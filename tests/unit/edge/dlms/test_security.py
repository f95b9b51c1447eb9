"""Ciphered associations, client against simulated meter, and everything a line or an impostor may do to them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import product
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.dlms.association import Association, State
from edge.dlms.errors import (
    AssociationRefusedError,
    CounterLostError,
    CounterRefusedError,
    DlmsError,
    SecurityError,
)
from edge.dlms.outcomes import Answered, Continue, Failed, Opened, Outcome
from edge.dlms.reader import DlmsReader, LinkSettings
from edge.dlms.security import ClientSecurity, SecuritySettings
from edge.dlms.testing import AnsweringTransport, CountingCounter
from firmware_sims.dlms.association import MeterAssociation
from firmware_sims.dlms.link import HdlcAddress, HdlcLine, MeterLink, WrapperLine
from firmware_sims.dlms.meter import INVOCATION_COUNTER, LOAD_PROFILE, MeterSecurity
from firmware_sims.dlms.objects import CosemMeter, CosemObject, constant
from firmware_sims.testing import ENERGY, MemoryMeterData, meter_spec, value_at
from shared.dlms import axdr
from shared.dlms.acse import Aare, Mechanism, decode_aare
from shared.dlms.apdu import ExceptionResponse
from shared.dlms.ciphering import AUTHENTICATED, ENCRYPTED, Keys
from shared.dlms.get import AttributeDescriptor, GetResponse, Result
from shared.identifiers import Obis
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

KEYS: Final = Keys(bytes(range(16)), bytes(range(0xD0, 0xE0)))
CLIENT_TITLE: Final = bytes.fromhex("525A560000000001")
METER_TITLE: Final = bytes.fromhex("4D4D4D0000BC614E")
CLIENT: Final = 1
BOTH: Final = AUTHENTICATED | ENCRYPTED
VALUE: Final = AttributeDescriptor(3, ENERGY.obis.bytes, 2)
DAY: Final = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 3))


def a_meter(max_pdu: int = 1024, general_blocks: int = 0, **agreed: Any) -> CosemMeter:
    spec = meter_spec(
        max_pdu=max_pdu,
        general_blocks=general_blocks,
        system_title=METER_TITLE,
        security={CLIENT: MeterSecurity(KEYS, **agreed)},
        passwords={CLIENT: b"12345678"},
    )
    data = MemoryMeterData(spec, datetime(2026, 4, 1, 4, 0, tzinfo=UTC))
    data.registers[ENERGY.obis] = 12_345_678
    return CosemMeter(spec, data)


def security(**changes: Any) -> SecuritySettings:
    return SecuritySettings(**{"client_title": CLIENT_TITLE, "keys": KEYS, "counter": CountingCounter(), **changes})


def line_of(meter: CosemMeter, protocol: str) -> MeterLink:
    return HdlcLine({HdlcAddress(1, 17): meter}) if protocol == "hdlc" else WrapperLine({1: meter})


def reader_of(meter: CosemMeter, protocol: str = "dlms-wrapper", **changes: Any) -> DlmsReader:
    physical = 17 if protocol == "hdlc" else None
    password = b"12345678" if changes.get("mechanism") == Mechanism.LOW else None
    link = LinkSettings(protocol, client=CLIENT, physical=physical, password=password, security=security(**changes))
    return DlmsReader(AnsweringTransport(line_of(meter, protocol).receive), link)


async def expect_a_day(reader: DlmsReader) -> None:
    rows = await reader.read_profile(LOAD_PROFILE, DAY.start, DAY.end)
    column = rows.columns[Obis(1, 0, 1, 29, 0)]
    assert column.values == [value_at(0, DAY.instant(index) + DAY.step) for index in range(DAY.length)]


@pytest.mark.parametrize("protocol", ["hdlc", "dlms-wrapper"])
@pytest.mark.parametrize(("suite", "protection"), [*product([0, 1], [0, AUTHENTICATED, ENCRYPTED, BOTH])])
async def test_a_day_in_each_suite_and_protection(protocol: str, suite: int, protection: int) -> None:
    meter = a_meter(suite=suite, policy=protection)
    async with reader_of(meter, protocol, suite=suite, protection=protection) as reader:
        await expect_a_day(reader)


@pytest.mark.parametrize("protocol", ["hdlc", "dlms-wrapper"])
@pytest.mark.parametrize(("dedicated", "general"), [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("mechanism", [Mechanism.HIGH_GMAC, Mechanism.LOW, Mechanism.NONE])
async def test_dedicated_keys_and_general_forms(
    protocol: str, dedicated: bool, general: bool, mechanism: Mechanism
) -> None:
    meter = a_meter(max_pdu=200, mechanism=mechanism)
    async with reader_of(meter, protocol, dedicated=dedicated, general=general, mechanism=mechanism) as reader:
        await expect_a_day(reader)


class LastCounter:
    """Has `left` numbers, then none."""

    def __init__(self, left: int) -> None:
        self.left = left

    def next(self) -> int:
        if not self.left:
            raise CounterLostError("The invocation counter of a key is used up; the meter needs new keys.")
        self.left -= 1
        return 1000 - self.left


@pytest.mark.parametrize("protocol", ["hdlc", "dlms-wrapper"])
@pytest.mark.parametrize("left", range(4))
async def test_without_a_counter_nothing_is_sent_and_the_link_is_closed(protocol: str, left: int) -> None:
    """Numbers for AARQ, proof and the message that carries it, and one request."""
    meter = a_meter()
    reader = reader_of(meter, protocol, counter=LastCounter(left))
    with pytest.raises(CounterLostError, match="needs new keys"):
        await reader.open()
        await reader.read_register(ENERGY.obis)
    await reader.close()
    assert reader.session.usable


@pytest.mark.parametrize("general", [False, True])
async def test_the_general_form_where_the_meter_grants_it(general: bool) -> None:
    line, kinds = WrapperLine({1: a_meter(general=general)}), []

    def answer(octets: bytes) -> bytes:
        kinds.append(octets[8])
        return line.receive(octets)

    link = LinkSettings("dlms-wrapper", client=CLIENT, security=security(general=True))
    async with DlmsReader(AnsweringTransport(answer), link) as reader:
        await reader.read_register(ENERGY.obis)
    proof, get = (0xDB, 0xDB) if general else (0xCB, 0xC8)
    assert kinds == [0x60, proof, get, 0x62]


async def test_writing_and_acting_in_blocks() -> None:
    meter, written = a_meter(max_pdu=100), []
    message, long = Obis(0, 0, 96, 13, 0), bytes(range(250))
    meter.add(
        CosemObject(1, message, {2: constant(axdr.NULL)}, writers={2: written.append}, methods={1: axdr.octet_string})
    )
    async with reader_of(meter, "hdlc") as reader:
        await reader.set(1, message, 2, axdr.octet_string(long))
        assert await reader.action(1, message, 1, axdr.octet_string(long)) == long
    assert written == [long]


async def test_no_counter_is_sent_twice_and_nothing_is_readable() -> None:
    meter = a_meter()
    line, sent = WrapperLine({1: meter}), []

    def answer(octets: bytes) -> bytes:
        sent.append(octets)
        return line.receive(octets)

    counter = CountingCounter()
    for _ in range(2):
        link = LinkSettings("dlms-wrapper", client=CLIENT, security=security(counter=counter))
        async with DlmsReader(AnsweringTransport(answer), link) as reader:
            assert (await reader.read_register(ENERGY.obis)).value == 12_345_678
    assert meter.counters[CLIENT].received == counter.given
    assert not any(ENERGY.obis.bytes in octets for octets in sent)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"keys": Keys(bytes(16), KEYS.authentication)}, AssociationRefusedError, "cannot decipher"),
        ({"keys": Keys(KEYS.encryption, bytes(16))}, AssociationRefusedError, "cannot decipher"),
        ({"meter_title": bytes(8)}, SecurityError, "states the system title 4d4d4d0000bc614e, but it must be"),
        ({"suite": 1}, AssociationRefusedError, "cannot decipher"),
        ({"protection": AUTHENTICATED}, AssociationRefusedError, "cannot decipher"),
        ({"protection": 0}, AssociationRefusedError, "context not supported"),
        ({"mechanism": Mechanism.NONE}, AssociationRefusedError, "mechanism not recognised"),
        ({"association": Obis(0, 0, 40, 0, 3)}, DlmsError, "state error 1"),
    ],
)
async def test_what_does_not_agree_with_the_meter(changes: dict[str, Any], error: type[DlmsError], words: str) -> None:
    with pytest.raises(error, match=words):
        await reader_of(a_meter(), **changes).open()


async def test_another_association_object() -> None:
    """Some meters take the proof at another instance than the current association."""
    instance = Obis(0, 0, 40, 0, 3)
    async with reader_of(a_meter(association=instance), association=instance) as reader:
        assert (await reader.read_register(ENERGY.obis)).value == 12_345_678


async def test_a_proof_with_the_wrong_key_where_nothing_is_ciphered() -> None:
    wrong = Keys(bytes(16), KEYS.authentication)
    with pytest.raises(AssociationRefusedError, match="does not accept the client's proof"):
        await reader_of(a_meter(policy=0), protection=0, keys=wrong).open()


async def test_a_counter_that_the_meter_has_seen() -> None:
    meter = a_meter()
    meter.counters[CLIENT].received = 500
    with pytest.raises(CounterRefusedError, match="it expects 501"):
        await reader_of(meter).open()
    public = LinkSettings("dlms-wrapper", client=16)
    async with DlmsReader(AnsweringTransport(WrapperLine({1: meter}).receive), public) as reader:
        assert await reader.get(1, INVOCATION_COUNTER, 2) == 500


class Pair:
    """A client's association and a meter's, message by message."""

    def __init__(self, agreed: dict[str, Any] | None = None, **changes: Any) -> None:
        self.meter = MeterAssociation(a_meter(**(agreed or {})), CLIENT)
        self.client = Association(None, ClientSecurity(security(**changes)))

    def opens(self) -> None:
        outcome: Outcome | None = self.client.receive(self.meter.receive(self.client.open()))
        while isinstance(outcome, Continue):
            outcome = self.client.receive(self.meter.receive(outcome.apdu))
        assert isinstance(outcome, Opened)

    def asks(self) -> bytes:
        return self.meter.receive(self.client.get(VALUE))


def refused(outcome: Outcome | None, words: str) -> None:
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, SecurityError)
    assert words in str(outcome.error)


@pytest.fixture
def pair() -> Pair:
    found = Pair()
    found.opens()
    return found


def test_a_recorded_answer_is_refused(pair: Pair) -> None:
    recorded = pair.asks()
    assert isinstance(pair.client.receive(recorded), Answered)
    for _ in range(16):  # until the invoke id comes round again
        pair.client.get(VALUE)
        refused(pair.client.receive(recorded), "must be greater than")


def test_an_answer_of_an_earlier_session_is_refused(pair: Pair) -> None:
    recorded = pair.asks()
    pair.client.receive(recorded)
    again = Pair()
    again.meter = MeterAssociation(pair.meter._meter, CLIENT)
    again.client = Association(None, ClientSecurity(security(counter=CountingCounter(1000))))
    again.opens()
    again.client.get(VALUE)
    refused(again.client.receive(recorded), "must be greater than")


@pytest.mark.parametrize("mechanism", [Mechanism.NONE, Mechanism.LOW])
def test_an_earlier_opening_is_refused_also_where_the_meter_proves_nothing(mechanism: Mechanism) -> None:
    pair = Pair({"mechanism": mechanism}, mechanism=mechanism)
    password = b"12345678" if mechanism == Mechanism.LOW else None
    known = security(mechanism=mechanism)
    pair.client = Association(password, ClientSecurity(known))
    recorded = pair.meter.receive(pair.client.open())
    assert isinstance(pair.client.receive(recorded), Opened)
    again = Association(password, ClientSecurity(known))
    again.open()
    refused(again.receive(recorded), "must be greater than 1")
    third = Association(password, ClientSecurity(known))
    assert isinstance(third.receive(pair.meter.receive(third.open())), Opened)


def test_a_plain_answer_is_refused(pair: Pair) -> None:
    pair.asks()
    invoke = 0xC0 | pair.client._invoke
    refused(pair.client.receive(GetResponse(invoke, Result(axdr.uint32(1))).encode()), "is not ciphered, but it must")


def test_an_exception_ends_the_request_only(pair: Pair) -> None:
    pair.asks()
    outcome = pair.client.receive(ExceptionResponse(1, 3).encode())
    assert isinstance(outcome, Failed)
    assert pair.client.state is State.OPEN


def test_an_answer_by_the_wrong_key_is_refused() -> None:
    pair = Pair(dedicated=True)
    pair.opens()
    pair.client.get(VALUE)
    other = Pair()
    other.opens()
    refused(pair.client.receive(other.asks()), "with the global key, but it must be with the dedicated one")


def test_another_meters_answer_is_refused() -> None:
    pair = Pair(general=True)
    pair.opens()
    answer = bytearray(pair.asks())
    answer[2:10] = bytes(8)
    refused(pair.client.receive(bytes(answer)), "names the sender 0000000000000000")


def test_an_impostor_without_keys_proves_nothing() -> None:
    """Nothing is ciphered: the proof alone tells the meter from another."""
    client = Association(None, ClientSecurity(security(protection=0)))
    meter = MeterAssociation(a_meter(policy=0), CLIENT)
    outcome = client.receive(meter.receive(client.open()))
    assert isinstance(outcome, Continue)
    answer = bytearray(meter.receive(outcome.apdu))
    answer[-1] ^= 1
    refused(client.receive(bytes(answer)), "its proof is wrong")
    assert client.state is State.IDLE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda own: own, "thrown back"),
        (lambda own: b"short", "8 to 64"),
    ],
)
def test_challenges_that_prove_nothing(change: Callable[[bytes], bytes], words: str) -> None:
    pair = Pair()
    aarq = pair.client.open()
    aare = decode_aare(pair.meter.receive(aarq))
    own = pair.client._security.challenge
    refused(pair.client.receive(replace(aare, authentication=change(own)).encode()), words)
    assert pair.client.state is State.IDLE


def test_a_meter_without_title() -> None:
    pair = Pair()
    aare = decode_aare(pair.meter.receive(pair.client.open()))
    refused(pair.client.receive(replace(aare, responding_title=b"").encode()), "write the meter's title")


def test_every_changed_octet_of_an_answer_is_refused() -> None:
    pair = Pair()
    pair.opens()
    answer = pair.asks()
    for change in (0x01, 0x80, 0xFF):
        for place in range(len(answer)):
            changed = answer[:place] + bytes((answer[place] ^ change,)) + answer[place + 1 :]
            outcome = pair.client.receive(changed)
            assert isinstance(outcome, Failed), f"octet {place} changed"
            answer = pair.asks()
    assert isinstance(pair.client.receive(answer), Answered)


def test_every_changed_octet_of_a_request_is_refused() -> None:
    pair = Pair()
    pair.opens()
    request = pair.client.get(VALUE)
    for place in range(len(request)):
        changed = request[:place] + bytes((request[place] ^ 0x01,)) + request[place + 1 :]
        assert pair.meter.receive(changed)[0] == 0xD8
    assert isinstance(pair.client.receive(pair.meter.receive(request)), Answered)
    assert pair.meter.receive(request)[:3].hex() == "d80106"  # and not twice


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=60) | st.tuples(st.integers(0, 80), st.integers(0, 7)), max_size=10))
def test_whatever_comes_nothing_false_is_taken(changes: list[bytes | tuple[int, int]]) -> None:
    pair = Pair()
    pair.opens()
    for change in changes:
        answer = pair.asks()
        if isinstance(change, bytes):
            answer = change
        else:
            octets = bytearray(answer)
            octets[change[0] % len(octets)] ^= 1 << change[1]
            answer = bytes(octets)
        outcome = pair.client.receive(answer)
        assert not isinstance(outcome, Answered)
        if pair.client.state is State.WAITING:
            pair.client.receive(ExceptionResponse(1, 3).encode())
        if answer[:1] not in (b"\x60", b"\x62"):  # opening and release are plain and may come at any time
            pair.meter.receive(answer)
    assert isinstance(pair.client.receive(pair.asks()), Answered)


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=80) | st.tuples(st.integers(0, 200), st.integers(0, 7)), max_size=4))
def test_an_opening_with_flipped_bits_never_opens_falsely(flips: list[bytes | tuple[int, int]]) -> None:
    pair = Pair()
    apdu: bytes = pair.client.open()
    for step in range(2):
        answer = pair.meter.receive(apdu)
        for flip in flips[step * 2 : step * 2 + 2]:
            if isinstance(flip, bytes):
                assert not isinstance(pair.client.receive(flip), Opened)
            else:
                octets = bytearray(answer)
                octets[flip[0] % len(octets)] ^= 1 << flip[1]
                answer = bytes(octets)
        outcome = pair.client.receive(answer)
        if not isinstance(outcome, Continue):
            assert outcome is None or isinstance(outcome, Failed | Opened)
            break
        apdu = outcome.apdu


def test_settings_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="suite 2"):
        security(suite=2)
    with pytest.raises(ValueError, match="client's system title has 8 octets, not 3"):
        security(client_title=b"abc")
    with pytest.raises(ValueError, match="must be encrypted"):
        security(dedicated=True, protection=AUTHENTICATED)
    assert "xd0" not in repr(security())


def test_a_refusal_before_anything_is_ciphered() -> None:
    pair = Pair()
    pair.client.open()
    outcome = pair.client.receive(Aare(b"", 1, 13).encode())
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, AssociationRefusedError)
