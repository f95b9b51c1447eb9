"""SET and ACTION: golden octets, round trips, cut-off and foreign octets."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.dlms import axdr
from shared.dlms.action import (
    ActionBlockRequest,
    ActionBlockResponse,
    ActionFirstBlockRequest,
    ActionListFirstBlockRequest,
    ActionListRequest,
    ActionListResponse,
    ActionNextRequest,
    ActionNextResponse,
    ActionRequest,
    ActionResponse,
    MethodDescriptor,
    MethodResult,
    decode_method_result,
    decode_method_results,
    encode_method_results,
)
from shared.dlms.apdu import decode_request, decode_response
from shared.dlms.datablock import DataBlock, cut
from shared.dlms.errors import DecodeError
from shared.dlms.get import AttributeDescriptor
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
    decode_values,
    encode_values,
)

CLOCK = bytes.fromhex("0000010000FF")
RELAY = bytes.fromhex("000060030AFF")
octet = st.integers(0, 255)
numbers = st.integers(0, 2**32 - 1)
names = st.binary(min_size=6, max_size=6)
values = st.one_of(st.just(axdr.NULL), numbers.map(axdr.uint32), st.binary(max_size=200).map(axdr.octet_string))
blocks = st.builds(DataBlock, st.booleans(), numbers, st.binary(max_size=300))
selections = st.none() | st.builds(EntrySelection, numbers, numbers, st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
attributes = st.builds(AttributeDescriptor, st.integers(0, 0xFFFF), names, st.integers(-128, 127), selections)
methods = st.builds(MethodDescriptor, st.integers(0, 0xFFFF), names, st.integers(-128, 127))
method_results = st.one_of(
    st.builds(MethodResult, octet, st.none() | values, st.just(0)),
    st.builds(MethodResult, octet, st.none(), st.integers(1, 255)),
)


def tuples(elements: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(elements, min_size=1, max_size=4).map(tuple)


requests = st.one_of(
    st.builds(SetRequest, octet, attributes, values),
    st.builds(SetFirstBlockRequest, octet, attributes, blocks),
    st.builds(SetBlockRequest, octet, blocks),
    st.builds(SetListRequest, octet, tuples(attributes), tuples(values)),
    st.builds(SetListFirstBlockRequest, octet, tuples(attributes), blocks),
    st.builds(ActionRequest, octet, methods, st.none() | values),
    st.builds(ActionNextRequest, octet, numbers),
    st.builds(ActionListRequest, octet, tuples(methods), tuples(values)),
    st.builds(ActionFirstBlockRequest, octet, methods, blocks),
    st.builds(ActionListFirstBlockRequest, octet, tuples(methods), blocks),
    st.builds(ActionBlockRequest, octet, blocks),
)
responses = st.one_of(
    st.builds(SetResponse, octet, octet),
    st.builds(SetBlockResponse, octet, numbers),
    st.builds(SetLastBlockResponse, octet, octet, numbers),
    st.builds(SetLastBlockListResponse, octet, tuples(octet), numbers),
    st.builds(SetListResponse, octet, tuples(octet)),
    st.builds(ActionResponse, octet, method_results),
    st.builds(ActionBlockResponse, octet, blocks),
    st.builds(ActionListResponse, octet, tuples(method_results)),
    st.builds(ActionNextResponse, octet, numbers),
)


def test_setting_the_clock() -> None:
    stamp = bytes.fromhex("07EA0303020C1E0000FFC400")
    octets = bytes.fromhex("C101C1" "00080000010000FF02" "00" "090C07EA0303020C1E0000FFC400")  # fmt: skip
    request = SetRequest(0xC1, AttributeDescriptor(8, CLOCK, 2), axdr.octet_string(stamp))
    assert request.encode() == octets
    assert decode_request(octets) == request
    assert decode_response(bytes.fromhex("C501C100")) == SetResponse(0xC1, 0)
    assert decode_response(bytes.fromhex("C501C103")) == SetResponse(0xC1, 3)


def test_opening_the_relay() -> None:
    octets = bytes.fromhex("C301C1" "0046000060030AFF01" "010F00")  # fmt: skip
    request = ActionRequest(0xC1, MethodDescriptor(70, RELAY, 1), axdr.int8(0))
    assert request.encode() == octets
    assert decode_request(octets) == request
    assert decode_response(bytes.fromhex("C701C10000")) == ActionResponse(0xC1, MethodResult())
    returned = ActionResponse(0xC1, MethodResult(0, axdr.uint8(7)))
    assert decode_response(bytes.fromhex("C701C1000100" "1107")) == returned  # fmt: skip
    assert decode_response(bytes.fromhex("C701C10001010B")) == ActionResponse(0xC1, MethodResult(0, error=11))


def test_blocks_of_a_long_value() -> None:
    first = bytes.fromhex("C102C1" "00080000010000FF02" "00" "00" "00000001" "02" "090C")  # fmt: skip
    block = DataBlock(False, 1, b"\x09\x0c")
    assert decode_request(first) == SetFirstBlockRequest(0xC1, AttributeDescriptor(8, CLOCK, 2), block)
    assert decode_request(bytes.fromhex("C103C1010000000201AA")) == SetBlockRequest(0xC1, DataBlock(True, 2, b"\xaa"))
    assert decode_response(bytes.fromhex("C502C100000001")) == SetBlockResponse(0xC1, 1)
    assert decode_response(bytes.fromhex("C503C10000000002")) == SetLastBlockResponse(0xC1, 0, 2)
    assert decode_response(bytes.fromhex("C704C100000001")) == ActionNextResponse(0xC1, 1)


@given(requests)
def test_requests_round_trip(request: Any) -> None:
    assert decode_request(request.encode()) == request


@given(responses)
def test_responses_round_trip(response: Any) -> None:
    assert decode_response(response.encode()) == response


@given(st.binary(max_size=400), st.integers(1, 60), st.integers(1, 60))
def test_cutting_loses_nothing(data: bytes, first: int, others: int) -> None:
    pieces = cut(data, first, others)
    assert b"".join(piece.data for piece in pieces) == data
    assert [piece.number for piece in pieces] == list(range(1, len(pieces) + 1))
    assert [piece.last for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert len(pieces[0].data) <= first
    assert all(len(piece.data) <= others for piece in pieces[1:])


@given(tuples(values), tuples(method_results))
def test_lists_round_trip(of_values: tuple[bytes, ...], results: tuple[MethodResult, ...]) -> None:
    assert decode_values(encode_values(of_values)) == of_values
    assert decode_method_results(encode_method_results(results)) == results


@settings(max_examples=200)
@given(st.one_of(requests, responses), st.data())
def test_a_message_cut_off_is_refused_or_another(message: Any, data: st.DataObject) -> None:
    octets = message.encode()[: data.draw(st.integers(1, len(message.encode()) - 1))]
    decode = decode_request if octets[0] < 0xC4 else decode_response
    try:
        assert decode(octets) != message
    except DecodeError as error:
        assert str(error)


@settings(max_examples=500)
@given(st.sampled_from([0xC1, 0xC3, 0xC5, 0xC7]), st.integers(0, 7), st.binary(max_size=60))
def test_foreign_octets_raise_decode_errors_only(tag: int, kind: int, tail: bytes) -> None:
    for decode in (decode_request, decode_response):
        try:
            decode(bytes((tag, kind)) + tail)
        except DecodeError as error:
            assert str(error)


@pytest.mark.parametrize(
    "octets", ["C1", "C101C1", "C106C100", "C300C1", "C5", "C505C103", "C7", "C702C100", "C701C1000100", "C701C1000000"]
)
def test_refused(octets: str) -> None:
    apdu = bytes.fromhex(octets)
    with pytest.raises(DecodeError):
        (decode_request if apdu[0] < 0xC4 else decode_response)(apdu)


def test_a_result_followed_by_more_is_refused() -> None:
    with pytest.raises(DecodeError, match="follow the result"):
        decode_method_result(b"\x00\x00\x00")
    with pytest.raises(DecodeError, match="follow the list"):
        decode_method_results(b"\x01\x00\x00\x00")
    with pytest.raises(DecodeError, match="follow the list"):
        decode_values(b"\x01\x00\x00")
