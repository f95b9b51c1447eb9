"""Association: opening, refusals, invoke ids, blocks."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.dlms.association import PROPOSED, Association, State
from edge.dlms.errors import AccessDeniedError, AssociationRefusedError, MisuseError, NotOfferedError, ProtocolError
from edge.dlms.outcomes import Answered, Continue, Failed, Invoked, Opened, Released, Written
from shared.dlms import axdr
from shared.dlms.acse import Aare, Diagnostic, Rlre, decode_aarq
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
    MethodDescriptor,
    MethodResult,
)
from shared.dlms.apdu import ExceptionResponse, decode_request
from shared.dlms.datablock import DataBlock
from shared.dlms.get import (
    AttributeDescriptor,
    GetBlockResponse,
    GetListResponse,
    GetNextRequest,
    GetRequest,
    GetResponse,
    Result,
    encode_results,
)
from shared.dlms.initiate import Conformance, InitiateResponse
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

CLOCK = AttributeDescriptor(8, Obis(0, 0, 1, 0, 0).bytes, 2)
ENERGY = AttributeDescriptor(3, Obis(1, 0, 1, 8, 0).bytes, 2)
ACCEPTED = Aare(InitiateResponse(PROPOSED, 1024).encode()).encode()
RELAY = MethodDescriptor(70, Obis(0, 0, 96, 3, 10).bytes, 1)
LONG = axdr.octet_string(bytes(range(200)))
VALUE = axdr.uint32(1234)


def opened(conformance: int = PROPOSED, max_pdu: int = 1024) -> Association:
    association = Association()
    association.open()
    granted = Aare(InitiateResponse(conformance, max_pdu).encode()).encode()
    assert association.receive(granted) == Opened(conformance, max_pdu)
    return association


def asking(*attributes: AttributeDescriptor) -> tuple[Association, int]:
    """An association that waits, and the invoke octet of its request."""
    association = opened()
    request = decode_request(association.get(*(attributes or (CLOCK,))))
    assert not isinstance(request, type(None))
    return association, request.invoke


def test_opening_with_and_without_password() -> None:
    assert decode_aarq(Association().open()).mechanism == 0
    request = decode_aarq(Association(b"00000001").open())
    assert (request.mechanism, request.authentication) == (1, b"00000001")


@pytest.mark.parametrize(
    ("aare", "words"),
    [
        (Aare(b"", 1, Diagnostic.AUTHENTICATION_FAILURE), "for good: authentication failure"),
        (Aare(b"", 2, 77), "for now: diagnostic 77"),
        (Aare(b"", 1, 2, by_provider=True), "diagnostic 2"),
        (Aare(InitiateResponse(0, 1024).encode()), "no service GET"),
    ],
)
def test_refusals(aare: Aare, words: str) -> None:
    association = Association()
    association.open()
    outcome = association.receive(aare.encode())
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, AssociationRefusedError)
    assert words in str(outcome.error)
    assert association.state is State.IDLE


def test_an_aare_that_cannot_be_read() -> None:
    association = Association()
    association.open()
    outcome = association.receive(ACCEPTED[:-4])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, ProtocolError)
    assert association.state is State.IDLE


def test_a_value() -> None:
    association, invoke = asking()
    assert association.receive(GetResponse(invoke, Result(VALUE)).encode()) == Answered((Result(VALUE),))
    assert association.state is State.OPEN


def test_a_refused_attribute_is_an_answer() -> None:
    association, invoke = asking()
    outcome = association.receive(GetResponse(invoke, Result(error=4)).encode())
    assert outcome == Answered((Result(error=4),))


def test_invoke_ids_differ_from_request_to_request() -> None:
    association = opened()
    seen = []
    for _ in range(17):
        request = decode_request(association.get(CLOCK))
        assert isinstance(request, GetRequest)
        seen.append(request.invoke & 15)
        association.receive(GetResponse(request.invoke, Result(VALUE)).encode())
    assert len(set(seen[:16])) == 16
    assert seen[16] == seen[0]


def test_another_invoke_id_is_not_the_answer() -> None:
    association, invoke = asking()
    stale = invoke & 0xF0 | (invoke + 1) & 15
    for response in (
        GetResponse(stale, Result(VALUE)),
        GetBlockResponse(stale, True, 1, VALUE),
        GetListResponse(stale, (Result(VALUE),)),
    ):
        assert association.receive(response.encode()) is None
    assert association.stale == 3
    assert association.state is State.WAITING
    # The priority bit is not part of the id: some meters do not echo it.
    assert association.receive(GetResponse(invoke & 0x4F, Result(VALUE)).encode()) == Answered((Result(VALUE),))


def test_blocks_are_asked_for_and_joined() -> None:
    association, invoke = asking()
    outcome = association.receive(GetBlockResponse(invoke, False, 1, VALUE[:2]).encode())
    assert isinstance(outcome, Continue)
    assert decode_request(outcome.apdu) == GetNextRequest(invoke, 1)
    assert association.receive(GetBlockResponse(invoke, False, 1, VALUE[:2]).encode()) is None  # again: not block 2
    outcome = association.receive(GetBlockResponse(invoke, True, 2, VALUE[2:]).encode())
    assert outcome == Answered((Result(VALUE),))


def test_a_block_too_far_is_refused() -> None:
    association, invoke = asking()
    outcome = association.receive(GetBlockResponse(invoke, False, 3, VALUE).encode())
    assert isinstance(outcome, Failed)
    assert str(outcome.error) == "The meter sent block 3; expected block 1."


def test_a_long_get_that_the_meter_breaks_off() -> None:
    association, invoke = asking()
    association.receive(GetBlockResponse(invoke, False, 1, b"a").encode())
    outcome = association.receive(GetBlockResponse(invoke, True, 2, error=15).encode())
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, AccessDeniedError)
    assert outcome.error.result == 15
    assert "attribute 2 of 0-0:1.0.0 (class 8): long get aborted" in str(outcome.error)
    assert association.state is State.OPEN


def test_lists() -> None:
    association, invoke = asking(CLOCK, ENERGY)
    results = (Result(VALUE), Result(error=3))
    assert association.receive(GetListResponse(invoke, results).encode()) == Answered(results)


def test_lists_in_blocks() -> None:
    association, invoke = asking(CLOCK, ENERGY)
    results = (Result(VALUE), Result(axdr.octet_string(bytes(200))))
    octets = encode_results(results)
    assert isinstance(association.receive(GetBlockResponse(invoke, False, 1, octets[:100]).encode()), Continue)
    outcome = association.receive(GetBlockResponse(invoke, True, 2, octets[100:]).encode())
    assert outcome == Answered(results)


@pytest.mark.parametrize("results", [(), (Result(VALUE),), (Result(VALUE),) * 3])
def test_lists_of_another_length(results: tuple[Result, ...]) -> None:
    association, invoke = asking(CLOCK, ENERGY)
    outcome = association.receive(GetListResponse(invoke, results).encode())
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, ProtocolError)


def test_the_answer_to_another_kind_of_request() -> None:
    association, invoke = asking()
    outcome = association.receive(GetListResponse(invoke, (Result(VALUE),)).encode())
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, ProtocolError)


def test_writing() -> None:
    association = opened()
    request = decode_request(association.set((CLOCK, VALUE)))
    assert isinstance(request, SetRequest)
    assert (request.attribute, request.value) == (CLOCK, VALUE)
    assert association.receive(SetResponse(request.invoke, 3).encode()) == Written((3,))
    assert association.state is State.OPEN


def test_writing_a_list() -> None:
    association = opened()
    request = decode_request(association.set((CLOCK, VALUE), (ENERGY, VALUE)))
    assert isinstance(request, SetListRequest)
    assert association.receive(SetListResponse(request.invoke, (0, 3)).encode()) == Written((0, 3))


@pytest.mark.parametrize("listed", [False, True])
def test_writing_in_blocks(listed: bool) -> None:
    association = opened(max_pdu=80)
    writes = ((CLOCK, LONG), (ENERGY, VALUE)) if listed else ((CLOCK, LONG),)
    apdu = association.set(*writes)
    request = decode_request(apdu)
    assert isinstance(request, SetListFirstBlockRequest if listed else SetFirstBlockRequest)
    data, block = b"", request.block
    while True:
        assert len(apdu) <= 80
        data += block.data
        if block.last:
            break
        outcome = association.receive(SetBlockResponse(request.invoke, block.number).encode())
        assert isinstance(outcome, Continue)
        assert association.receive(SetBlockResponse(request.invoke, block.number).encode()) is None  # that was taken
        apdu = outcome.apdu
        further = decode_request(apdu)
        assert isinstance(further, SetBlockRequest)
        block = further.block
    assert data == (encode_values((LONG, VALUE)) if listed else LONG)
    if listed:
        last = SetLastBlockListResponse(request.invoke, (0, 4), block.number).encode()
        assert association.receive(last) == Written((0, 4))
    else:
        last = SetLastBlockResponse(request.invoke, 0, block.number).encode()
        assert association.receive(last) == Written((0,))


def test_a_meter_that_breaks_off_or_runs_ahead() -> None:
    association = opened(max_pdu=80)
    invoke = decode_request(association.set((CLOCK, LONG), (ENERGY, VALUE))).invoke
    assert association.receive(SetLastBlockResponse(invoke, 19, 1).encode()) == Written((19, 19))
    invoke = decode_request(association.set((CLOCK, LONG))).invoke
    outcome = association.receive(SetBlockResponse(invoke, 2).encode())
    assert isinstance(outcome, Failed)
    assert "a receipt for block 2; expected one for block 1" in str(outcome.error)
    assert association.state is State.OPEN


def test_methods() -> None:
    association = opened()
    request = decode_request(association.action((RELAY, axdr.int8(0))))
    assert isinstance(request, ActionRequest)
    assert (request.method, request.parameter) == (RELAY, axdr.int8(0))
    outcome = association.receive(ActionResponse(request.invoke, MethodResult(0, VALUE)).encode())
    assert outcome == Invoked((MethodResult(0, VALUE),))
    several = decode_request(association.action((RELAY, axdr.int8(0)), (RELAY, None)))
    assert isinstance(several, ActionListRequest)
    assert several.parameters == (axdr.int8(0), axdr.NULL)
    results = (MethodResult(3), MethodResult())
    assert association.receive(ActionListResponse(several.invoke, results).encode()) == Invoked(results)


def test_a_method_with_long_parameter_and_long_result() -> None:
    association = opened(max_pdu=80)
    request = decode_request(association.action((RELAY, LONG)))
    assert isinstance(request, ActionFirstBlockRequest)
    data, block = request.block.data, request.block
    while not block.last:
        outcome = association.receive(ActionNextResponse(request.invoke, block.number).encode())
        assert isinstance(outcome, Continue)
        further = decode_request(outcome.apdu)
        assert isinstance(further, ActionBlockRequest)
        block = further.block
        data += block.data
    assert data == LONG
    octets = MethodResult(0, LONG).encode()
    first = ActionBlockResponse(request.invoke, DataBlock(False, 1, octets[:150])).encode()
    outcome = association.receive(first)
    assert isinstance(outcome, Continue)
    assert decode_request(outcome.apdu) == ActionNextRequest(request.invoke, 1)
    assert association.receive(first) is None
    last = ActionBlockResponse(request.invoke, DataBlock(True, 2, octets[150:])).encode()
    assert association.receive(last) == Invoked((MethodResult(0, LONG),))


@pytest.mark.parametrize(
    "answer", [lambda invoke: GetResponse(invoke, Result(VALUE)), lambda invoke: ActionResponse(invoke, MethodResult())]
)
def test_the_answer_to_another_service(answer: Callable[[int], GetResponse | ActionResponse]) -> None:
    association = opened()
    invoke = decode_request(association.set((CLOCK, VALUE))).invoke
    outcome = association.receive(answer(invoke).encode())
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, ProtocolError)


def test_what_the_meter_did_not_grant_is_not_sent() -> None:
    association = opened(Conformance.GET)
    for ask in (
        lambda: association.get(CLOCK, ENERGY),
        lambda: association.set((CLOCK, VALUE)),
        lambda: association.action((RELAY, None)),
    ):
        with pytest.raises(NotOfferedError, match="does not offer"):
            ask()
    short = opened(Conformance.GET | Conformance.SET | Conformance.ACTION, 80)
    with pytest.raises(NotOfferedError, match="SET of more than 80 octets"):
        short.set((CLOCK, LONG))
    with pytest.raises(NotOfferedError, match="ACTION of more than 80 octets"):
        short.action((RELAY, LONG))
    assert (association.state, short.state) == (State.OPEN, State.OPEN)


def test_an_exception_ends_the_request_not_the_association() -> None:
    association, _ = asking()
    outcome = association.receive(ExceptionResponse(1, 2).encode())
    assert isinstance(outcome, Failed)
    assert "state error 1, service error 2" in str(outcome.error)
    assert association.state is State.OPEN


def test_release() -> None:
    association = opened()
    association.release()
    assert association.receive(Rlre().encode()) == Released()
    assert association.state is State.IDLE


def test_messages_nobody_asked_for_change_nothing() -> None:
    association = opened()
    for apdu in (ACCEPTED, Rlre().encode(), GetResponse(0xC0, Result(VALUE)).encode(), b"\xd8\x01\x01", b"\xff", b""):
        assert association.receive(apdu) is None
    assert association.state is State.OPEN
    assert association.stale == 6


def test_what_the_program_may_not_do() -> None:
    with pytest.raises(MisuseError, match="IDLE cannot read"):
        Association().get(CLOCK)
    association, _ = asking()
    with pytest.raises(MisuseError, match="WAITING cannot release"):
        association.release()


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=60) | st.binary(max_size=40).map(lambda tail: b"\xc4\x02\xc1" + tail), max_size=12))
def test_nothing_received_raises(messages: list[bytes]) -> None:
    association, _ = asking()
    for message in messages:
        association.receive(message)
        if association.state is State.OPEN:
            association.get(CLOCK)
    assert association.state in (State.OPEN, State.WAITING)
