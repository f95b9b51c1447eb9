"""SET and ACTION in a simulated meter: dispatch, refusals, block transfer."""

from datetime import UTC, datetime
from typing import Any

import pytest

from firmware_sims.dlms.objects import AccessRefusedError, CosemMeter, CosemObject, constant
from firmware_sims.dlms.services import Services
from firmware_sims.testing import MemoryMeterData, meter_spec
from shared.dlms import axdr
from shared.dlms.action import (
    ActionBlockRequest,
    ActionBlockResponse,
    ActionFirstBlockRequest,
    ActionListRequest,
    ActionListResponse,
    ActionNextRequest,
    ActionNextResponse,
    ActionRequest,
    ActionResponse,
    ActionResult,
    MethodDescriptor,
    MethodResult,
    decode_method_result,
)
from shared.dlms.apdu import decode_response
from shared.dlms.datablock import DataBlock, cut
from shared.dlms.get import AttributeDescriptor, DataAccessResult
from shared.dlms.selection import EntrySelection
from shared.dlms.set import (
    SetBlockRequest,
    SetBlockResponse,
    SetFirstBlockRequest,
    SetLastBlockListResponse,
    SetLastBlockResponse,
    SetListFirstBlockRequest,
    SetListRequest,
    SetListResponse,
    SetRequest,
    SetResponse,
    encode_values,
)
from shared.identifiers import Obis

MESSAGE = Obis(0, 0, 96, 13, 0)
TEXT = AttributeDescriptor(1, MESSAGE.bytes, 2)
ECHO = MethodDescriptor(1, MESSAGE.bytes, 1)
CLEAR = MethodDescriptor(1, MESSAGE.bytes, 2)


class Bench:
    """A meter with a consumer message that can be written, echoed and cleared."""

    def __init__(self, limit: int = 1024) -> None:
        spec = meter_spec()
        self.meter = CosemMeter(spec, MemoryMeterData(spec, datetime(2026, 4, 1, tzinfo=UTC)))
        self.text = b""
        self.meter.add(
            CosemObject(
                1,
                MESSAGE,
                {2: constant(axdr.NULL)},
                writers={2: self._write},
                methods={1: self._echo, 2: self._clear},
            )
        )
        self.services = Services(self.meter, limit)

    def _write(self, value: Any) -> None:
        if not isinstance(value, bytes):
            raise AccessRefusedError(DataAccessResult.TYPE_UNMATCHED)
        self.text = value

    def _echo(self, value: Any) -> bytes:
        return axdr.octet_string(value)

    def _clear(self, value: Any) -> None:
        if value is not None:
            raise AccessRefusedError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        self.text = b""

    def asks(self, request: Any) -> Any:
        return decode_response(self.services.receive(request))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_writing(bench: Bench) -> None:
    assert bench.asks(SetRequest(0xC1, TEXT, axdr.octet_string(b"hello"))) == SetResponse(0xC1, 0)
    assert bench.text == b"hello"


@pytest.mark.parametrize(
    ("attribute", "value", "result"),
    [
        (TEXT, axdr.uint8(1), DataAccessResult.TYPE_UNMATCHED),
        (TEXT, b"\xfe\x00", DataAccessResult.TYPE_UNMATCHED),
        (TEXT._replace(attribute=1), axdr.uint8(1), DataAccessResult.READ_WRITE_DENIED),
        (TEXT._replace(selection=EntrySelection(1, 0)), axdr.uint8(1), DataAccessResult.OTHER_REASON),
        (TEXT._replace(class_id=3), axdr.uint8(1), DataAccessResult.OBJECT_CLASS_INCONSISTENT),
        (TEXT._replace(logical_name=bytes(6)), axdr.uint8(1), DataAccessResult.OBJECT_UNDEFINED),
    ],
)
def test_what_cannot_be_written(bench: Bench, attribute: AttributeDescriptor, value: bytes, result: int) -> None:
    assert bench.asks(SetRequest(0xC1, attribute, value)) == SetResponse(0xC1, result)
    assert bench.text == b""


def test_nothing_of_the_usual_objects_can_be_written_or_invoked(bench: Bench) -> None:
    clock = Obis(0, 0, 1, 0, 0).bytes
    register = Obis(1, 0, 1, 8, 0).bytes
    refused = DataAccessResult.READ_WRITE_DENIED
    assert bench.meter.write(AttributeDescriptor(3, register, 2), axdr.uint32(0)) == refused
    assert bench.meter.invoke(MethodDescriptor(3, register, 1), axdr.int8(0)).result == ActionResult.READ_WRITE_DENIED
    assert bench.meter.invoke(MethodDescriptor(3, clock, 1), None).result == ActionResult.OBJECT_CLASS_INCONSISTENT


def test_lists_are_treated_one_by_one(bench: Bench) -> None:
    request = SetListRequest(0xC1, (TEXT, TEXT), (axdr.octet_string(b"one"), axdr.uint8(2)))
    assert bench.asks(request) == SetListResponse(0xC1, (0, DataAccessResult.TYPE_UNMATCHED))
    assert bench.text == b"one"
    calls = ActionListRequest(0xC2, (ECHO, CLEAR), (axdr.octet_string(b"x"), axdr.NULL))
    assert bench.asks(calls) == ActionListResponse(0xC2, (MethodResult(0, axdr.octet_string(b"x")), MethodResult()))
    assert bench.text == b""


def test_methods(bench: Bench) -> None:
    assert bench.asks(ActionRequest(0xC1, CLEAR)) == ActionResponse(0xC1, MethodResult())
    refused = MethodResult(ActionResult.SCOPE_OF_ACCESS_VIOLATED)
    assert bench.asks(ActionRequest(0xC1, CLEAR, axdr.int8(1))) == ActionResponse(0xC1, refused)
    assert bench.meter.invoke(CLEAR, b"\xfe").result == ActionResult.TYPE_UNMATCHED


def test_the_object_list_shows_the_rights(bench: Bench) -> None:
    listed = axdr.decode(bench.meter.read(AttributeDescriptor(15, Obis(0, 0, 40, 0, 0).bytes, 2)).data)
    (rights,) = [rights for _, _, name, rights in listed if name == MESSAGE.bytes]
    assert rights == ([(1, 1, None), (2, 3, None)], [(1, 1), (2, 1)])


def test_a_long_value_in_blocks(bench: Bench) -> None:
    value = axdr.octet_string(bytes(range(200)))
    first, *middle, last = cut(value, 64, 64)
    assert bench.asks(SetFirstBlockRequest(0xC1, TEXT, first)) == SetBlockResponse(0xC1, 1)
    for block in middle:
        assert bench.asks(SetBlockRequest(0xC1, block)) == SetBlockResponse(0xC1, block.number)
    assert bench.text == b""
    assert bench.asks(SetBlockRequest(0xC1, last)) == SetLastBlockResponse(0xC1, 0, last.number)
    assert bench.text == bytes(range(200))


def test_a_long_list_in_blocks(bench: Bench) -> None:
    values = encode_values((axdr.octet_string(bytes(100)), axdr.octet_string(b"last")))
    first, last = cut(values, 64, 64)
    bench.asks(SetListFirstBlockRequest(0xC1, (TEXT, TEXT), first))
    assert bench.asks(SetBlockRequest(0xC1, last)) == SetLastBlockListResponse(0xC1, (0, 0), 2)
    assert bench.text == b"last"


def test_blocks_out_of_order_end_the_transfer(bench: Bench) -> None:
    first, second, third = cut(axdr.octet_string(bytes(150)), 64, 64)
    bench.asks(SetFirstBlockRequest(0xC1, TEXT, first))
    invalid = DataAccessResult.DATA_BLOCK_NUMBER_INVALID
    assert bench.asks(SetBlockRequest(0xC1, third)) == SetLastBlockResponse(0xC1, invalid, 3)
    none = DataAccessResult.NO_LONG_SET_IN_PROGRESS
    assert bench.asks(SetBlockRequest(0xC1, second)) == SetLastBlockResponse(0xC1, none, 2)
    assert bench.text == b""


def test_blocks_of_another_service_are_refused(bench: Bench) -> None:
    first, second, _ = cut(axdr.octet_string(bytes(150)), 64, 64)
    bench.asks(SetFirstBlockRequest(0xC1, TEXT, first))
    none = MethodResult(ActionResult.NO_LONG_ACTION_IN_PROGRESS)
    assert bench.asks(ActionBlockRequest(0xC1, second)) == ActionResponse(0xC1, none)
    assert bench.asks(ActionNextRequest(0xC1, 1)) == ActionResponse(0xC1, none)


def test_long_parameter_and_long_result() -> None:
    bench = Bench(limit=80)
    parameter = axdr.octet_string(bytes(range(150)))
    first, second, third = cut(parameter, 60, 60)
    assert bench.asks(ActionFirstBlockRequest(0xC1, ECHO, first)) == ActionNextResponse(0xC1, 1)
    assert bench.asks(ActionBlockRequest(0xC1, second)) == ActionNextResponse(0xC1, 2)
    answer = bench.asks(ActionBlockRequest(0xC1, third))
    received = b""
    while True:
        assert isinstance(answer, ActionBlockResponse)
        assert len(answer.encode()) <= 80
        received += answer.block.data
        if answer.block.last:
            break
        answer = bench.asks(ActionNextRequest(0xC1, answer.block.number))
    assert decode_method_result(received) == MethodResult(0, parameter)


def test_a_wrong_receipt_ends_a_long_result() -> None:
    bench = Bench(limit=80)
    assert isinstance(bench.asks(ActionRequest(0xC1, ECHO, axdr.octet_string(bytes(150)))), ActionBlockResponse)
    aborted = MethodResult(ActionResult.LONG_ACTION_ABORTED)
    assert bench.asks(ActionNextRequest(0xC1, 2)) == ActionResponse(0xC1, aborted)
    assert not bench.services.sending


def test_empty_first_block(bench: Bench) -> None:
    assert bench.asks(SetFirstBlockRequest(0xC1, TEXT, DataBlock(False, 1, b""))) == SetBlockResponse(0xC1, 1)
