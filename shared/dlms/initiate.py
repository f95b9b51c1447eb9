"""xDLMS InitiateRequest and InitiateResponse: what AARQ and AARE carry as user information (Green Book 9.4, 9.5)."""

from dataclasses import dataclass, field
from enum import IntFlag
from typing import Final

from shared.dlms.errors import DecodeError

DLMS_VERSION: Final = 6
LN_VAA_NAME: Final = 0x0007
_REQUEST: Final = 0x01
_RESPONSE: Final = 0x08
_SERVICE_ERROR: Final = 0x0E
_CONFORMANCE_TAG: Final = b"\x5f\x1f\x04\x00"
_CONFORMANCE_TAG_SHORT: Final = b"\x5f\x04\x00"  # an encoding that some meters use


class Conformance(IntFlag):
    """Services of logical-name referencing; bit n of the standard is 1 << (23 - n)."""

    GENERAL_PROTECTION = 1 << 22
    GENERAL_BLOCK_TRANSFER = 1 << 21
    PRIORITY = 1 << 14
    BLOCK_GET = 1 << 12
    BLOCK_SET = 1 << 11
    BLOCK_ACTION = 1 << 10
    MULTIPLE_REFERENCES = 1 << 9
    GET = 1 << 4
    SET = 1 << 3
    SELECTIVE_ACCESS = 1 << 2
    EVENT_NOTIFICATION = 1 << 1
    ACTION = 1


@dataclass(frozen=True, slots=True)
class InitiateRequest:
    """What the client proposes. `conformance` as int: unknown bits of other versions are kept."""

    conformance: int
    max_pdu: int
    dlms_version: int = DLMS_VERSION
    dedicated_key: bytes = field(default=b"", repr=False)
    """Key of this association's messages; sent only where the request itself is encrypted."""

    def encode(self) -> bytes:
        key = bytes((1, len(self.dedicated_key))) + self.dedicated_key if self.dedicated_key else b"\x00"
        return (
            bytes((_REQUEST,))
            + key
            + bytes((0, 0, self.dlms_version))
            + _CONFORMANCE_TAG
            + self.conformance.to_bytes(3)
            + self.max_pdu.to_bytes(2)
        )


@dataclass(frozen=True, slots=True)
class InitiateResponse:
    """What the meter grants: the largest message it takes is `max_pdu`."""

    conformance: int
    max_pdu: int
    dlms_version: int = DLMS_VERSION

    def encode(self) -> bytes:
        return (
            bytes((_RESPONSE, 0, self.dlms_version))
            + _CONFORMANCE_TAG
            + self.conformance.to_bytes(3)
            + self.max_pdu.to_bytes(2)
            + LN_VAA_NAME.to_bytes(2)
        )


def decode_request(octets: bytes) -> InitiateRequest:
    """Raises DecodeError."""
    try:
        if octets[0] != _REQUEST:
            raise DecodeError(f"An InitiateRequest begins with 01; this one is {octets.hex()}.")
        place, key = 2, b""
        if octets[1]:
            key = _exactly(octets, 3, octets[2])
            place = 3 + len(key)
        for _ in ("response-allowed", "proposed-quality-of-service"):
            place += 2 if octets[place] else 1
        version = octets[place]
        conformance, place = _decode_conformance(octets, place + 1)
        return InitiateRequest(conformance, int.from_bytes(_exactly(octets, place, 2)), version, key)
    except IndexError:
        raise DecodeError(f"The InitiateRequest {octets.hex()} is cut off.") from None


def decode_response(octets: bytes) -> InitiateResponse:
    """Raises DecodeError, also when the meter answered with an initiate error."""
    try:
        if octets[0] == _SERVICE_ERROR:
            raise DecodeError(f"The meter refused the proposed services (service error {octets.hex()}).")
        if octets[0] != _RESPONSE:
            raise DecodeError(f"An InitiateResponse begins with 08; this one is {octets.hex()}.")
        place = 3 if octets[1] else 2
        version = octets[place]
        conformance, place = _decode_conformance(octets, place + 1)
        return InitiateResponse(conformance, int.from_bytes(_exactly(octets, place, 2)), version)
    except IndexError:
        raise DecodeError(f"The InitiateResponse {octets.hex()} is cut off.") from None


def _decode_conformance(octets: bytes, place: int) -> tuple[int, int]:
    for tag in (_CONFORMANCE_TAG, _CONFORMANCE_TAG_SHORT):
        if octets.startswith(tag, place):
            place += len(tag)
            return int.from_bytes(_exactly(octets, place, 3)), place + 3
    raise DecodeError(f"The conformance block must begin with 5f1f0400; found {octets[place:].hex()}.")


def _exactly(octets: bytes, place: int, size: int) -> bytes:
    if place + size > len(octets):
        raise IndexError
    return octets[place : place + size]
