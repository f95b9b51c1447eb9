"""What is fuzzed, and what must hold. Each target takes any octets and raises only where a promise is broken.

The same targets run under atheris (`make fuzz`: guided by coverage) and under hypothesis in the suite. `SEEDS` are
valid messages to begin from.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Final

from edge.dlms.association import Association
from edge.dlms.general_transfer import GeneralTransfer
from edge.dlms.hdlc_link import HdlcLink
from edge.dlms.outcomes import Answered, Continue
from edge.dlms.security import ClientSecurity, SecuritySettings
from edge.dlms.testing import CountingCounter
from edge.errors import DeviceError
from edge.modbus.exchange import Exchange, Request
from edge.modbus.frames import rtu_frame, tcp_frame
from shared import wire
from shared.control.messages import ControlError, decode_result, open_command, open_configuration
from shared.control.signing import SignatureError
from shared.dlms import axdr
from shared.dlms.acse import Aare, Context, Mechanism
from shared.dlms.apdu import decode_request, decode_response
from shared.dlms.ciphering import (
    AUTHENTICATED,
    ENCRYPTED,
    CipheredApdu,
    Keys,
    decode_ciphered,
    encode_ciphered,
    protect,
    unprotect,
)
from shared.dlms.errors import DecodeError
from shared.dlms.general_block import GeneralBlock
from shared.dlms.get import AttributeDescriptor, GetRequest, GetResponse, Result
from shared.dlms.hdlc import FrameParser, client_address, server_address
from shared.dlms.hdlc_parameters import HdlcParameters
from shared.dlms.initiate import Conformance, InitiateResponse
from shared.dlms.selection import EntrySelection
from shared.dlms.wrapper import WrapperFrame, WrapperParser
from shared.iec62056 import messages as iec_messages
from shared.iec62056.characters import check_parity
from shared.iec62056.data_sets import data_sets
from shared.iec62056.errors import DecodeError as IecError
from shared.iec62056.parser import Block, MessageParser
from shared.iec62056.profile_text import profile_parts
from shared.quantities import Kind

CLOCK: Final = AttributeDescriptor(8, bytes.fromhex("0000010000ff"), 2)
PROFILE: Final = AttributeDescriptor(7, bytes.fromhex("0100630100ff"), 2, EntrySelection(1, 0))
_AARE: Final = Aare(InitiateResponse(Conformance(0x7E1F), 1024).encode()).encode()
_ANSWER: Final = GetResponse(0xC1, Result(axdr.array([axdr.structure(axdr.uint32(7), axdr.int8(-1))]))).encode()
_STRANGER: Final = bytes(range(32))
"""A public key whose owner signed nothing that is fuzzed."""
_TITLE: Final = bytes.fromhex("4D4D4D0000BC614E")
_KEYS: Final = Keys(bytes(range(16)), bytes(range(0xD0, 0xE0)))
_CIPHERED: Final = bytes.fromhex("C81E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B")
"""The Green Book's ciphered GET."""


def _secured() -> tuple[Association, bytes]:
    """A ciphered association that waits for an answer, and the answer."""
    settings = SecuritySettings(b"RZV00001", _KEYS, CountingCounter(), mechanism=Mechanism.NONE)
    client = Association(None, ClientSecurity(settings))
    client.open()
    control = AUTHENTICATED | ENCRYPTED

    def closed(plain: bytes, counter: int) -> bytes:
        body = protect(control, _TITLE, counter, _KEYS, plain)
        return encode_ciphered(CipheredApdu(plain[0], False, None, body))

    granted = InitiateResponse(Conformance(0x7E1F), 1024).encode()
    client.receive(Aare(closed(granted, 1), context=Context.LOGICAL_NAMES_CIPHERED, responding_title=_TITLE).encode())
    client.get(PROFILE)
    return client, closed(_ANSWER, 2)


def cut(data: bytes) -> Iterator[bytes]:
    """`data` in pieces whose lengths its own octets give."""
    place = 0
    while place < len(data):
        size = data[place] % 23 + 1
        yield data[place : place + size]
        place += size


def hdlc(data: bytes) -> None:
    """Frames do not depend on how the line cuts them, and each stood on it octet for octet."""
    whole, pieces = FrameParser(), FrameParser()
    frames = whole.feed(data)
    assert [frame for piece in cut(data) for frame in pieces.feed(piece)] == frames
    assert pieces.pending == whole.pending <= len(data)
    for frame in frames:
        assert frame.encode()[1:-1] in data


def wrapper(data: bytes) -> None:
    """As `hdlc`."""
    whole, pieces = WrapperParser(), WrapperParser()
    frames = whole.feed(data)
    assert [frame for piece in cut(data) for frame in pieces.feed(piece)] == frames
    for frame in frames:
        assert frame.encode() in data


def apdu(data: bytes) -> None:
    """A message is understood, or refused by a `DecodeError`."""
    for decode in (decode_request, decode_response):
        with contextlib.suppress(DecodeError):
            decode(data)


def data_value(data: bytes) -> None:
    """A value is understood whole, or refused by a `DecodeError`."""
    with contextlib.suppress(DecodeError):
        axdr.decode(data)


def association(data: bytes) -> None:
    """A client takes each message for what it asked, refuses it or leaves it aside; it never raises."""
    client = Association()
    client.open()
    client.receive(_AARE)
    client.get(PROFILE)
    for piece in cut(data):
        outcome = client.receive(piece)
        if outcome is not None and not isinstance(outcome, Continue):
            client = Association()
            client.open()


def ciphered(data: bytes) -> None:
    """What does not come from a holder of the keys is refused."""
    with contextlib.suppress(DecodeError):
        found = decode_ciphered(data)
        if found is not None:
            opened = unprotect(found.body, _TITLE, _KEYS, suite=0, demanded=AUTHENTICATED | ENCRYPTED)
            assert protect(opened.control, _TITLE, opened.counter, _KEYS, opened.plain) == found.body
            assert found.body == _CIPHERED[2:], "octets of chance are authentic"


def ciphered_association(data: bytes) -> None:
    """A ciphered association takes nothing but what its meter said."""
    client, _ = _secured()
    for message in (data, *cut(data)):
        outcome = client.receive(message)
        assert not isinstance(outcome, Answered) or outcome.results == (Result(_ANSWER[4:]),)
        if outcome is not None and not isinstance(outcome, Continue):
            return


def general_blocks(data: bytes) -> None:
    """A transfer takes any blocks, in any order, and ends in an answer, an error or a question."""
    transfer = GeneralTransfer(4, 40)
    for request in (b"short", bytes(100)):
        transfer.begin(request)
        for number, piece in enumerate(cut(data)):
            for message in (piece, GeneralBlock(False, bool(number & 1), 4, number, number, piece).encode()):
                with contextlib.suppress(DecodeError):
                    transfer.receive(message)
        transfer.repeat()


def hdlc_link(data: bytes) -> None:
    """A link survives any line, and gives a message only after it was connected."""
    link = HdlcLink(client_address(16), server_address(1, 17), HdlcParameters(128, 128, 1, 1))
    link.connect()
    link.outgoing()
    for piece in cut(data):
        link.feed(piece)
        while (event := link.next_event()) is not None:
            if type(event).__name__ == "Connected":
                link.send(GetRequest(0xC1, CLOCK).encode())
        link.outgoing()


def _modbus(data: bytes, *, tcp: bool) -> None:
    exchange = Exchange(tcp=tcp)
    request = Request.registers(17, 4, 72, 2)
    exchange.ask(request, 0.0)
    fed = b""
    try:
        for piece in cut(data):
            fed += piece
            answer = exchange.feed(piece)
            if answer is not None:
                assert answer[:2] == request.answer and len(answer) == request.octets
                assert (tcp_frame(17, 1, answer) if tcp else rtu_frame(17, answer)) in fed
                return
    except DeviceError:
        return


def modbus_rtu(data: bytes) -> None:
    """An answer stood on the line whole: unit, function, length and check are those of what was asked."""
    _modbus(data, tcp=False)


def modbus_tcp(data: bytes) -> None:
    """As `modbus_rtu`, with the transaction's number."""
    _modbus(data, tcp=True)


def mode_c(data: bytes) -> None:
    """Messages of IEC 62056-21 do not depend on how they are cut; texts are understood or refused."""
    for choices in (False, True):
        whole, pieces = MessageParser(choices=choices), MessageParser(choices=choices)
        tokens = whole.feed(data)
        assert [token for piece in cut(data) for token in pieces.feed(piece)] == tokens
        for token in tokens:
            if isinstance(token, Block):
                iec_text(token.text.encode("latin-1"))
    check_parity(data)


def iec_text(data: bytes) -> None:
    """Data sets, profiles and identifications."""
    text = data.decode("latin-1")
    data_sets(text)
    for read in (lambda: profile_parts(text, "P.01"), lambda: iec_messages.decode_identification(text)):
        with contextlib.suppress(IecError):
            read()


def control(data: bytes) -> None:
    """Nobody's signature opens nothing."""
    for read in (open_command, open_configuration):
        try:
            read(data, _STRANGER)
        except (SignatureError, ControlError):
            continue
        raise AssertionError(f"{read.__name__} took octets that nobody signed")
    with contextlib.suppress(ControlError):
        decode_result(data)


def batch(data: bytes) -> None:
    """A batch is unpacked whole or refused by a `WireError`."""
    with contextlib.suppress(wire.WireError):
        wire.unpack_batch(wire.decode_batch(data))
    with contextlib.suppress(wire.WireError):
        wire.decode_message(data)


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "hdlc": hdlc,
    "wrapper": wrapper,
    "apdu": apdu,
    "data_value": data_value,
    "association": association,
    "ciphered": ciphered,
    "ciphered_association": ciphered_association,
    "general_blocks": general_blocks,
    "hdlc_link": hdlc_link,
    "modbus_rtu": modbus_rtu,
    "modbus_tcp": modbus_tcp,
    "mode_c": mode_c,
    "iec_text": iec_text,
    "control": control,
    "batch": batch,
}

_BLOCK: Final = wire.Block(wire.Key("M-1", "1-0:1.29.0", "Wh", 0, Kind.INTERVAL), 0, 900_000, [1, 2, 3], None, 2)
_SNRM: Final = bytes.fromhex("7ea00a000223219318717e")  # as published in the Green Book's examples
_P01: Final = "P.01(0260301001500)(00)(15)(1)(1.5)(kW)\r\n(0.125)\r\n(0.250)\r\n"

SEEDS: Final[dict[str, list[bytes]]] = {
    "hdlc": [_SNRM, _SNRM[:-1] + _SNRM],
    "wrapper": [WrapperFrame(16, 1, _ANSWER).encode()],
    "apdu": [_AARE, _ANSWER, GetRequest(0xC1, PROFILE).encode()],
    "data_value": [axdr.structure(axdr.octet_string(b"\x00" * 12), axdr.uint32(1), axdr.NULL)],
    "association": [_ANSWER],
    "ciphered": [_CIPHERED],
    "ciphered_association": [_secured()[1]],
    "general_blocks": [GeneralBlock(True, False, 4, 1, 0, _ANSWER).encode()],
    "hdlc_link": [_SNRM],
    "modbus_rtu": [rtu_frame(17, bytes.fromhex("04040001e240")), rtu_frame(17, bytes.fromhex("8402"))],
    "modbus_tcp": [tcp_frame(17, 1, bytes.fromhex("04040001e240"))],
    "mode_c": [iec_messages.data(_P01), b"/LGZ5\\2ZMD310\r\n"],
    "iec_text": [_P01.encode(), b"1.8.0(000123.45*kWh)\r\n", b"/LGZ5\\2ZMD310"],
    "control": [],
    "batch": [wire.encode_batch(wire.pack_batch([_BLOCK], [wire.Record("gap", "M-1", 0)]))],
}
