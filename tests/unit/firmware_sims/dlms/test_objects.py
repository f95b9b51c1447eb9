"""COSEM objects of a simulated meter and the association that serves them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from firmware_sims.dlms.association import MeterAssociation, State
from firmware_sims.dlms.meter import (
    EVENT_LOG,
    LOAD_PROFILE,
    PROFILE_STATUS,
    BufferCoding,
    EventRow,
    IntegerType,
    RegisterSpec,
)
from firmware_sims.dlms.objects import CosemMeter
from firmware_sims.dlms.profile import CLOCK_COLUMN
from firmware_sims.testing import CHANNELS, ENERGY, MemoryMeterData, meter_spec, value_at
from shared.dlms import axdr
from shared.dlms.acse import Aarq, Context, Diagnostic, Mechanism, Rlre, Rlrq, decode_aare
from shared.dlms.apdu import decode_response
from shared.dlms.datetime12 import decode_datetime, encode_datetime
from shared.dlms.get import (
    AttributeDescriptor,
    DataAccessResult,
    GetBlockResponse,
    GetListRequest,
    GetListResponse,
    GetNextRequest,
    GetRequest,
    GetResponse,
    Result,
)
from shared.dlms.initiate import Conformance, InitiateRequest
from shared.dlms.selection import CaptureObject, EntrySelection, RangeSelection, Selection
from shared.identifiers import Obis
from shared.metering_day import PRAGUE

NOW = datetime(2026, 3, 10, 11, 5, tzinfo=UTC)
OBJECT_LIST = AttributeDescriptor(15, Obis(0, 0, 40, 0, 0).bytes, 2)
CLOCK = AttributeDescriptor(8, Obis(0, 0, 1, 0, 0).bytes, 2)
AARQ = Aarq(InitiateRequest(Conformance.GET | Conformance.BLOCK_GET, 0xFFFF).encode())


def meter_and_data(**changes: Any) -> tuple[CosemMeter, MemoryMeterData]:
    spec = meter_spec(**changes)
    data = MemoryMeterData(spec, NOW)
    return CosemMeter(spec, data), data


def read(meter: CosemMeter, class_id: int, obis: Obis, attribute: int, selection: Selection | None = None) -> Any:
    result = meter.read(AttributeDescriptor(class_id, obis.bytes, attribute, selection))
    assert not result.error
    return axdr.decode(result.data)


def refused(meter: CosemMeter, *descriptor: Any) -> int:
    class_id, obis, attribute, *selection = descriptor
    return meter.read(AttributeDescriptor(class_id, obis.bytes, attribute, *selection)).error


def test_registers_of_each_type() -> None:
    registers = tuple(RegisterSpec(Obis(1, 0, 1, 8, number), 30, -1, kind) for number, kind in enumerate(IntegerType))
    meter, data = meter_and_data(registers=registers)
    for register in registers:
        data.registers[register.obis] = 2_000_000_000
        assert read(meter, 3, register.obis, 2) == 2_000_000_000
        assert read(meter, 3, register.obis, 3) == (-1, 30)
        assert read(meter, 3, register.obis, 1) == register.obis.bytes


def test_names_and_clock() -> None:
    meter, _ = meter_and_data()
    assert read(meter, 1, Obis(0, 0, 42, 0, 0), 2) == b"RZV0000048211001"
    assert read(meter, 1, Obis(0, 0, 96, 1, 0), 2) == b"48211001"
    assert read(meter, 8, Obis(0, 0, 1, 0, 0), 2).hex() == "07ea030a020c050000ffc400"
    assert read(meter, 8, Obis(0, 0, 1, 0, 0), 3) == -60
    assert read(meter, 17, Obis(0, 0, 41, 0, 0), 2) == [(1, b"RZV0000048211001")]


def test_the_object_list_names_what_can_be_read() -> None:
    meter, _ = meter_and_data()
    listed = read(meter, 15, Obis(0, 0, 40, 0, 0), 2)
    names = {(class_id, str(Obis.from_bytes(name))) for class_id, _, name, _ in listed}
    assert {(8, "0-0:1.0.0"), (7, "1-0:99.1.0"), (7, "0-0:99.98.0"), (15, "0-0:40.0.0"), (3, "1-0:1.29.0")} <= names
    for class_id, _, name, (attributes, methods) in listed:
        assert methods == ([(6, 1)] if class_id == 8 else [])  # the clock is shifted
        for number, access, _ in attributes:
            assert access == (3 if (class_id, number) == (8, 2) else 1)
            if (class_id, number) != (7, 2):  # whole buffers are long
                assert not meter.read(AttributeDescriptor(class_id, name, number)).error


def test_what_is_refused() -> None:
    meter, _ = meter_and_data()
    assert refused(meter, 3, Obis(1, 0, 77, 8, 0), 2) == DataAccessResult.OBJECT_UNDEFINED
    assert refused(meter, 4, ENERGY.obis, 2) == DataAccessResult.OBJECT_CLASS_INCONSISTENT
    assert refused(meter, 3, ENERGY.obis, 7) == DataAccessResult.READ_WRITE_DENIED
    assert refused(meter, 3, ENERGY.obis, 2, EntrySelection(1, 2)) == DataAccessResult.OTHER_REASON


def test_the_profile_describes_itself() -> None:
    meter, _ = meter_and_data()
    captured = read(meter, 7, LOAD_PROFILE, 3)
    assert captured[:2] == [tuple(CLOCK_COLUMN), (1, PROFILE_STATUS.bytes, 2, 0)]
    assert [each[1] for each in captured[2:]] == [channel.obis.bytes for channel in CHANNELS]
    assert read(meter, 7, LOAD_PROFILE, 4) == 900
    assert read(meter, 7, LOAD_PROFILE, 7) == 3840
    assert read(meter, 7, LOAD_PROFILE, 8) == 3840


def stamp(at: datetime) -> bytes:
    return encode_datetime(at.astimezone(PRAGUE))


def test_a_range_includes_both_ends() -> None:
    meter, _ = meter_and_data()
    first, last = datetime(2026, 3, 9, 23, 15, tzinfo=UTC), datetime(2026, 3, 10, 0, 0, tzinfo=UTC)
    rows = read(meter, 7, LOAD_PROFILE, 2, RangeSelection(CLOCK_COLUMN, stamp(first), stamp(last)))
    ends = [decode_datetime(row[0], UTC).instant for row in rows]
    assert ends == [first + number * timedelta(minutes=15) for number in range(4)]
    assert rows[0][2:] == tuple(value_at(channel, first) for channel in range(4))


def test_a_range_of_columns() -> None:
    meter, _ = meter_and_data()
    at = datetime(2026, 3, 10, 0, 0, tzinfo=UTC)
    column = CaptureObject(3, CHANNELS[1].obis.bytes, 2)
    assert read(meter, 7, LOAD_PROFILE, 2, RangeSelection(CLOCK_COLUMN, stamp(at), stamp(at), (column,))) == [
        (value_at(1, at),)
    ]


def test_null_data_for_what_follows_from_the_row_before() -> None:
    meter, data = meter_and_data(coding=BufferCoding.NULL)
    first = datetime(2026, 3, 10, 0, 0, tzinfo=UTC)
    ends = [first + number * timedelta(minutes=15) for number in range(6)]
    data.holes = {ends[3]}
    data.statuses = {ends[1]: 8, ends[2]: 8}
    rows = read(meter, 7, LOAD_PROFILE, 2, RangeSelection(CLOCK_COLUMN, stamp(ends[0]), stamp(ends[5])))
    assert [row[0] for row in rows] == [stamp(ends[0]), None, None, stamp(ends[4]), None]
    assert [row[1] for row in rows] == [0, 8, None, 0, None]


def test_entries() -> None:
    meter, data = meter_and_data(entries=96)
    newest = datetime(2026, 3, 10, 11, 0, tzinfo=UTC)
    assert data.clock - newest == timedelta(minutes=5)
    rows = read(meter, 7, LOAD_PROFILE, 2, EntrySelection(1, 0, 1, 1))
    assert len(rows) == 96
    assert rows[-1] == (stamp(newest),)
    assert read(meter, 7, LOAD_PROFILE, 2, EntrySelection(95, 96, 3, 4)) == [
        tuple(value_at(channel, newest - ago) for channel in range(2)) for ago in (timedelta(minutes=15), timedelta(0))
    ]
    assert len(read(meter, 7, LOAD_PROFILE, 2)) == 96


@pytest.mark.parametrize(
    "selection",
    [
        EntrySelection(0, 5),
        EntrySelection(1, 5, 3, 2),
        EntrySelection(1, 5, 1, 7),
        RangeSelection(CaptureObject(3, ENERGY.obis.bytes, 2), stamp(NOW), stamp(NOW)),
        RangeSelection(CLOCK_COLUMN, bytes(12), stamp(NOW)),
        RangeSelection(CLOCK_COLUMN, stamp(NOW), stamp(NOW), (CaptureObject(3, ENERGY.obis.bytes, 2),)),
    ],
)
def test_selections_that_cannot_be_served(selection: Selection) -> None:
    meter, _ = meter_and_data()
    assert refused(meter, 7, LOAD_PROFILE, 2, selection) == DataAccessResult.OTHER_REASON


def test_the_event_log_keeps_the_newest() -> None:
    meter, data = meter_and_data(event_entries=3)
    data.logged = [EventRow(NOW - timedelta(hours=hours), hours) for hours in (5, 4, 3, 2, 1)]
    assert [row[1] for row in read(meter, 7, EVENT_LOG, 2)] == [3, 2, 1]
    assert read(meter, 7, EVENT_LOG, 7) == 3
    selection = RangeSelection(CLOCK_COLUMN, stamp(NOW - timedelta(hours=2)), stamp(NOW))
    assert [row[1] for row in read(meter, 7, EVENT_LOG, 2, selection)] == [2, 1]


def association(**changes: Any) -> MeterAssociation:
    meter, _ = meter_and_data(**changes)
    return MeterAssociation(meter, client=16)


def test_nothing_is_read_without_an_association() -> None:
    served = association()
    assert served.receive(GetRequest(0xC1, CLOCK).encode()).hex() == "d80101"
    served.receive(AARQ.encode())
    assert isinstance(decode_response(served.receive(GetRequest(0xC1, CLOCK).encode())), GetResponse)
    assert decode_response(served.receive(Rlrq().encode())) == Rlre()
    assert served.receive(GetRequest(0xC1, CLOCK).encode()).hex() == "d80101"


@pytest.mark.parametrize(
    ("request_", "diagnostic"),
    [
        (AARQ, Diagnostic.AUTHENTICATION_REQUIRED),
        (
            Aarq(AARQ.user_information, mechanism=Mechanism.LOW, authentication=b"wrong"),
            Diagnostic.AUTHENTICATION_FAILURE,
        ),
        (
            Aarq(AARQ.user_information, mechanism=Mechanism.HIGH_GMAC, authentication=b"challenge"),
            Diagnostic.MECHANISM_NOT_RECOGNISED,
        ),
        (Aarq(AARQ.user_information, context=Context.SHORT_NAMES), Diagnostic.CONTEXT_NOT_SUPPORTED),
        (Aarq(AARQ.user_information, mechanism=Mechanism.LOW, authentication=b"00000001"), Diagnostic.NONE),
    ],
)
def test_who_may_associate(request_: Aarq, diagnostic: Diagnostic) -> None:
    served = association(passwords={16: b"00000001"})
    aare = decode_aare(served.receive(request_.encode()))
    assert aare.diagnostic == diagnostic
    assert aare.result == (0 if diagnostic is Diagnostic.NONE else 1)
    assert served.state is (State.ASSOCIATED if diagnostic is Diagnostic.NONE else State.IDLE)


def test_blocks_one_after_the_other() -> None:
    served = association(max_pdu=100)
    served.receive(AARQ.encode())
    data = b""
    octets = served.receive(GetRequest(0xC1, OBJECT_LIST).encode())
    number = 1
    while True:
        assert len(octets) <= 100
        block = decode_response(octets)
        assert isinstance(block, GetBlockResponse)
        assert block.block == number
        data += block.data
        if block.last:
            break
        octets = served.receive(GetNextRequest(0xC1, number).encode())
        number += 1
    assert len(axdr.decode(data)) > 10
    assert number > 5
    answer = decode_response(served.receive(GetNextRequest(0xC1, number).encode()))
    assert answer == GetBlockResponse(0xC1, True, number, error=DataAccessResult.NO_LONG_GET_IN_PROGRESS)


@pytest.mark.parametrize("max_pdu", [0, 1, 12, 13, 40, 0xFFFF])
def test_whatever_size_the_client_takes(max_pdu: int) -> None:
    served = association()
    served.receive(Aarq(InitiateRequest(Conformance.GET | Conformance.BLOCK_GET, max_pdu).encode()).encode())
    response = decode_response(served.receive(GetRequest(0xC1, CLOCK).encode()))
    whole = max_pdu in (0, 40, 0xFFFF)  # 0 says no limit
    assert isinstance(response, GetResponse if whole else GetBlockResponse)
    missing = GetRequest(0xC1, AttributeDescriptor(3, Obis(9, 9, 9, 9, 9).bytes, 2)).encode()
    assert isinstance(decode_response(served.receive(missing)), GetResponse)


def test_the_wrong_block_ends_the_transfer() -> None:
    served = association(max_pdu=100)
    served.receive(AARQ.encode())
    served.receive(GetRequest(0xC1, OBJECT_LIST).encode())
    answer = decode_response(served.receive(GetNextRequest(0xC1, 3).encode()))
    assert answer == GetBlockResponse(0xC1, True, 3, error=DataAccessResult.DATA_BLOCK_NUMBER_INVALID)
    assert served.state is State.ASSOCIATED


def test_lists_answer_each_attribute_for_itself() -> None:
    served = association()
    served.receive(AARQ.encode())
    request = GetListRequest(0xC1, (CLOCK, AttributeDescriptor(3, Obis(9, 9, 9, 9, 9).bytes, 2)))
    answer = decode_response(served.receive(request.encode()))
    assert isinstance(answer, GetListResponse)
    assert answer.results[1] == Result(error=DataAccessResult.OBJECT_UNDEFINED)
    assert answer.results[0].data[:2].hex() == "090c"


@pytest.mark.parametrize("octets", ["", "c1", "c005", "c001c1", "ff00", "60020000"])
def test_what_is_no_request(octets: str) -> None:
    served = association()
    served.receive(AARQ.encode())
    assert served.receive(bytes.fromhex(octets)).hex() == "d80202"
