"""GET requests and responses: golden octets, round trips, fuzz over all application messages."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.dlms import axdr
from shared.dlms.apdu import ExceptionResponse, decode_request, decode_response
from shared.dlms.errors import DecodeError
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
    decode_results,
    encode_results,
)
from shared.dlms.selection import CaptureObject, EntrySelection, RangeSelection
from shared.identifiers import Obis

CLOCK = Obis(0, 0, 1, 0, 0).bytes
PROFILE = Obis(1, 0, 99, 1, 0).bytes

names = st.binary(min_size=6, max_size=6)
captures = st.builds(CaptureObject, st.integers(0, 0xFFFF), names, st.integers(-128, 127), st.integers(0, 0xFFFF))
stamps = st.binary(min_size=12, max_size=12)
selections = st.one_of(
    st.none(),
    st.builds(RangeSelection, captures, stamps, stamps, st.lists(captures, max_size=3).map(tuple)),
    st.builds(
        EntrySelection,
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**32 - 1),
        st.integers(0, 0xFFFF),
        st.integers(0, 0xFFFF),
    ),
)
descriptors = st.builds(AttributeDescriptor, st.integers(0, 0xFFFF), names, st.integers(-128, 127), selections)
octet = st.integers(0, 255)
results = st.one_of(
    st.integers(0, 2**32 - 1).map(lambda value: Result(axdr.uint32(value))),
    st.integers(1, 255).map(lambda error: Result(error=error)),
)
requests = st.one_of(
    st.builds(GetRequest, octet, descriptors),
    st.builds(GetNextRequest, octet, st.integers(0, 2**32 - 1)),
    st.builds(GetListRequest, octet, st.lists(descriptors, min_size=1, max_size=4).map(tuple)),
)
responses = st.one_of(
    st.builds(GetResponse, octet, results),
    st.builds(GetBlockResponse, octet, st.booleans(), st.integers(0, 2**32 - 1), st.binary(max_size=300)),
    st.builds(GetBlockResponse, octet, st.booleans(), st.integers(0, 2**32 - 1), error=st.integers(1, 255)),
    st.builds(GetListResponse, octet, st.lists(results, max_size=4).map(tuple)),
    st.builds(ExceptionResponse, octet, octet),
)


def test_the_published_request_for_the_clock() -> None:
    """The plain text of the Green Book's ciphered GET."""
    octets = bytes.fromhex("C0010000080000010000FF0200")
    assert GetRequest(0, AttributeDescriptor(8, CLOCK, 2)).encode() == octets
    assert decode_request(octets) == GetRequest(0, AttributeDescriptor(8, CLOCK, 2))


def test_range_of_a_profile() -> None:
    selection = RangeSelection(
        CaptureObject(8, CLOCK, 2), bytes.fromhex("07ea03010700000000ffc400"), bytes.fromhex("07ea03020100000000ffc400")
    )
    expected = (
        "c001c1" + "0007" + "0100630100ff" + "02" + "01" + "01"
        "0204" + "0204" + "120008" + "09060000010000ff" + "0f02" + "120000"
        "090c07ea03010700000000ffc400" + "090c07ea03020100000000ffc400" + "0100"
    )
    assert GetRequest(0xC1, AttributeDescriptor(7, PROFILE, 2, selection)).encode().hex() == expected


def test_entries_of_a_profile() -> None:
    octets = EntrySelection(1, 10, 1, 0).encode()
    assert octets.hex() == "02" + "0204" + "0600000001" + "060000000a" + "120001" + "120000"


def test_responses() -> None:
    assert decode_response(bytes.fromhex("c401c10006000004d2")) == GetResponse(0xC1, Result(axdr.uint32(1234)))
    denied = GetResponse(0xC1, Result(error=DataAccessResult.OBJECT_UNDEFINED))
    assert decode_response(bytes.fromhex("c401c10104")) == denied
    block = GetBlockResponse(0xC1, False, 1, b"\x01\x02")
    assert decode_response(bytes.fromhex("c402c100000000010002" + "0102")) == block
    assert decode_response(bytes.fromhex("d80102")) == ExceptionResponse(1, 2)


@given(requests)
def test_requests_come_back(request: GetRequest | GetNextRequest | GetListRequest) -> None:
    assert decode_request(request.encode()) == request


@given(responses)
def test_responses_come_back(response: GetResponse | GetBlockResponse | GetListResponse | ExceptionResponse) -> None:
    assert decode_response(response.encode()) == response


@given(st.lists(results, max_size=5).map(tuple))
def test_results_in_blocks_come_back(sent: tuple[Result, ...]) -> None:
    assert decode_results(encode_results(sent)) == sent


@pytest.mark.parametrize("octets", ["", "c4", "c401c1", "c404c100", "c402c1000000000100ff00", "aa0102", "d801"])
def test_responses_that_are_none(octets: str) -> None:
    with pytest.raises(DecodeError):
        decode_response(bytes.fromhex(octets))


@pytest.mark.parametrize("octets", ["", "c001c1", "c001c10007", "c004c1", "c002c10000", "c001c100070100630100ff020103"])
def test_requests_that_are_none(octets: str) -> None:
    with pytest.raises(DecodeError):
        decode_request(bytes.fromhex(octets))


first_octets = st.sampled_from([b"", b"\x60", b"\x61", b"\x62", b"\xc0\x01", b"\xc0\x03", b"\xc4\x02", b"\xc4\x03"])


@settings(max_examples=500)
@given(st.builds(bytes.__add__, first_octets, st.binary(max_size=80)))
def test_no_octets_raise_anything_else(octets: bytes) -> None:
    for decode in (decode_request, decode_response):
        try:
            message = decode(octets)
        except DecodeError:
            continue
        assert message.encode() is not None


@settings(max_examples=200)
@given(st.one_of(requests, responses), st.data())
def test_damaged_messages_raise_nothing_else(
    message: GetRequest | GetNextRequest | GetListRequest | GetResponse | GetBlockResponse, data: st.DataObject
) -> None:
    octets = bytearray(message.encode())
    place = data.draw(st.integers(0, len(octets) - 1))
    octets[place] = data.draw(octet)
    del octets[data.draw(st.integers(place, len(octets))) :]
    for decode in (decode_request, decode_response):
        try:
            decoded = decode(bytes(octets))
        except DecodeError:
            continue
        assert decoded is not None
