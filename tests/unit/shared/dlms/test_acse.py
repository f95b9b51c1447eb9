"""Opening and closing an association: messages published in the Green Book and in public documents, byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dlms.acse import Aare, Aarq, Context, Diagnostic, Mechanism, Rlre, Rlrq, decode_aare, decode_aarq
from shared.dlms.apdu import decode_request, decode_response
from shared.dlms.errors import DecodeError
from shared.dlms.initiate import Conformance, InitiateRequest, InitiateResponse
from shared.dlms.initiate import decode_request as decode_initiate_request
from shared.dlms.initiate import decode_response as decode_initiate_response

AARQ_NO_SECURITY = bytes.fromhex("601DA109060760857405080101BE10040E01000000065F1F0400007E1F04B0")
AARQ_PASSWORD = bytes.fromhex(
    "6036A1090607608574050801018A0207808B0760857405080201AC0A80083132333435363738BE10040E01000000065F1F0400007E1F04B0"
)
AARE_ACCEPTED = bytes.fromhex("6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F040000501F01F40007")


def test_aarq_without_security() -> None:
    initiate = InitiateRequest(conformance=0x007E1F, max_pdu=1200)
    assert Aarq(initiate.encode()).encode() == AARQ_NO_SECURITY
    decoded = decode_aarq(AARQ_NO_SECURITY)
    assert decoded.context == Context.LOGICAL_NAMES
    assert decoded.mechanism == Mechanism.NONE
    assert decode_initiate_request(decoded.user_information) == initiate


def test_aarq_with_password() -> None:
    initiate = InitiateRequest(conformance=0x007E1F, max_pdu=1200)
    message = Aarq(initiate.encode(), mechanism=Mechanism.LOW, authentication=b"12345678")
    assert message.encode() == AARQ_PASSWORD
    assert decode_aarq(AARQ_PASSWORD) == message


def test_aare_accepted() -> None:
    initiate = InitiateResponse(conformance=0x00501F, max_pdu=500)
    assert Aare(initiate.encode()).encode() == AARE_ACCEPTED
    decoded = decode_aare(AARE_ACCEPTED)
    assert decoded.result == 0
    granted = decode_initiate_response(decoded.user_information)
    assert granted == initiate
    assert granted.conformance & Conformance.GET
    assert granted.conformance & Conformance.SELECTIVE_ACCESS


def test_aare_refused() -> None:
    refused = Aare(b"", result=1, diagnostic=Diagnostic.AUTHENTICATION_FAILURE)
    assert refused.encode().hex() == "6117a109060760857405080101a203020101a305a10302010d"
    assert decode_aare(refused.encode()) == refused
    by_provider = Aare(b"", result=2, diagnostic=2, by_provider=True)
    assert decode_aare(by_provider.encode()) == by_provider


def test_release() -> None:
    assert Rlrq().encode().hex() == "6203800100"
    assert decode_request(bytes.fromhex("6200")) == Rlrq()
    assert decode_response(bytes.fromhex("6303800100")) == Rlre()


def test_titles_and_challenges_are_kept_for_the_layers_to_come() -> None:
    request = Aarq(
        b"\x01", Context.LOGICAL_NAMES_CIPHERED, Mechanism.HIGH_GMAC, b"P6wRJ21F", b"MMM\x00\x00\x00\x00\x01"
    )
    assert decode_aarq(request.encode()) == request
    response = Aare(
        b"\x08",
        context=Context.LOGICAL_NAMES_CIPHERED,
        mechanism=Mechanism.HIGH_GMAC,
        authentication=b"K56iVagY",
        responding_title=b"MMM\x00\x00\xbc\x61\x4e",
    )
    assert decode_aare(response.encode()) == response


@given(st.binary(max_size=300), st.binary(min_size=1, max_size=140))
def test_long_fields_come_back(information: bytes, secret: bytes) -> None:
    request = Aarq(information, mechanism=Mechanism.LOW, authentication=secret)
    assert decode_aarq(request.encode()) == request


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        ("0e010601", "refused the proposed services"),
        ("0800065f1f040000501f01", "cut off"),
        ("0800065f1e040000501f01f40007", "conformance"),
        ("01", "begins with 08"),
        ("", "cut off"),
    ],
)
def test_initiate_responses_that_are_none(octets: str, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        decode_initiate_response(bytes.fromhex(octets))


def test_initiate_request_with_dedicated_key_and_options() -> None:
    octets = bytes.fromhex("0101100102030405060708090a0b0c0d0e0f100101" + "0100" + "06" + "5f1f0400001214" + "ffff")
    request = InitiateRequest(0x1214, 0xFFFF, dedicated_key=bytes(range(1, 17)))
    assert decode_initiate_request(octets) == request
    assert decode_initiate_request(request.encode()) == request
    assert "dedicated" not in repr(request)


@pytest.mark.parametrize("place", range(len(AARE_ACCEPTED) - 1))
def test_an_aare_cut_off_anywhere(place: int) -> None:
    with pytest.raises(DecodeError):
        decode_aare(AARE_ACCEPTED[:place])
