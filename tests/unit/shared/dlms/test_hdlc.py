"""HDLC frames: golden ones, addresses, control field, and a parser that noise cannot derail."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.dlms.hdlc import (
    DISC,
    DM,
    FRMR,
    LLC_REQUEST,
    SNRM,
    UA,
    Frame,
    FrameKind,
    FrameParser,
    client_address,
    information_control,
    ready_control,
    server_address,
)
from shared.dlms.hdlc_parameters import HdlcParameters, decode_parameters

# Green Book, server address 1 in one octet, client 16; check sequences recomputed.
GOLDEN_SNRM = bytes.fromhex("7EA0070321930F017E")
GOLDEN_UA = bytes.fromhex("7EA01E210373C37A818012050180060180070400000001080400000001533B7E")

CLIENT = client_address(16)
SERVER = server_address(1)


def test_golden_snrm() -> None:
    assert Frame(SERVER, CLIENT, SNRM).encode() == GOLDEN_SNRM
    (frame,) = FrameParser().feed(GOLDEN_SNRM)
    assert frame == Frame(SERVER, CLIENT, SNRM)
    assert frame.kind is FrameKind.SNRM
    assert frame.final


def test_golden_ua() -> None:
    (frame,) = FrameParser().feed(GOLDEN_UA)
    assert frame.kind is FrameKind.UA
    assert (frame.destination, frame.source) == (CLIENT, SERVER)
    assert decode_parameters(frame.information) == HdlcParameters(128, 128, 1, 1)
    assert frame.encode() == GOLDEN_UA


@pytest.mark.parametrize(
    ("logical", "physical", "size", "octets"),
    [
        (1, None, None, "03"),
        (0x7F, None, None, "ff"),
        (1, 17, None, "0223"),
        (1, 17, 2, "0223"),
        (1, 17, 4, "00020023"),
        (1, 0x3FFF, None, "0002feff"),
        (0x1234, 0x0567, None, "486814cf"),  # 14 bits: upper 7, lower 7, each shifted left; the last octet ends with 1
    ],
)
def test_server_addresses(logical: int, physical: int | None, size: int | None, octets: str) -> None:
    assert server_address(logical, physical, size).hex() == octets


@pytest.mark.parametrize(
    ("logical", "physical", "size"), [(128, None, None), (128, 1, 2), (1, 0x4000, None), (-1, 1, None), (1, 1, 3)]
)
def test_addresses_that_do_not_fit_are_refused(logical: int, physical: int | None, size: int | None) -> None:
    with pytest.raises(ValueError, match="server address"):
        server_address(logical, physical, size)


@pytest.mark.parametrize("client", [0, 128])
def test_client_addresses_have_seven_bits(client: int) -> None:
    with pytest.raises(ValueError, match="client address"):
        client_address(client)


@pytest.mark.parametrize(
    ("control", "kind"),
    [
        (0x10, FrameKind.INFORMATION),
        (0xFE, FrameKind.INFORMATION),
        (0x11, FrameKind.RECEIVE_READY),
        (0x31, FrameKind.RECEIVE_READY),
        (0x15, FrameKind.RECEIVE_NOT_READY),
        (0x93, FrameKind.SNRM),
        (0x83, FrameKind.SNRM),
        (DISC, FrameKind.DISC),
        (UA, FrameKind.UA),
        (DM, FrameKind.DM),
        (FRMR, FrameKind.FRMR),
        (0x13, FrameKind.UI),
        (0x09, FrameKind.OTHER),  # REJ is not used in DLMS
        (0xFF, FrameKind.OTHER),
    ],
)
def test_kinds_of_control_fields(control: int, kind: FrameKind) -> None:
    assert Frame(SERVER, CLIENT, control).kind is kind


@given(st.integers(0, 7), st.integers(0, 7), st.booleans())
def test_control_fields_carry_their_numbers(sequence: int, expected: int, final: bool) -> None:
    information = Frame(SERVER, CLIENT, information_control(sequence, expected, final))
    assert (information.kind, information.sequence, information.expected, information.final) == (
        FrameKind.INFORMATION,
        sequence,
        expected,
        final,
    )
    ready = Frame(SERVER, CLIENT, ready_control(expected, final))
    assert (ready.kind, ready.expected, ready.final) == (FrameKind.RECEIVE_READY, expected, final)


addresses = st.one_of(
    st.builds(server_address, st.integers(0, 0x7F)),
    st.builds(server_address, st.integers(0, 0x3FFF), st.integers(0, 0x3FFF)),
)
frames = st.builds(Frame, addresses, addresses, st.integers(0, 255), st.binary(max_size=400), segmented=st.booleans())


@given(st.lists(frames, min_size=1, max_size=5), st.data())
def test_frames_come_back_whatever_the_pieces(sent: list[Frame], data: st.DataObject) -> None:
    octets = b"".join(frame.encode() for frame in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=8)))
    parser = FrameParser()
    received: list[Frame] = []
    for start, stop in zip([0, *cuts], [*cuts, len(octets)], strict=True):
        received += parser.feed(octets[start:stop])
    assert received == sent
    assert parser.discarded == 0
    assert parser.pending == 0


@given(st.lists(frames, min_size=1, max_size=5))
def test_one_flag_between_frames_is_enough(sent: list[Frame]) -> None:
    octets = b"\x7e" + b"".join(frame.encode()[1:] for frame in sent)
    assert FrameParser().feed(octets) == sent


def test_largest_information_field_fits() -> None:
    frame = Frame(server_address(1, 17, 4), CLIENT, 0x10, bytes(2030))
    assert FrameParser().feed(frame.encode()) == [frame]
    with pytest.raises(ValueError, match="Segment it"):
        Frame(SERVER, CLIENT, 0x10, bytes(2047)).encode()


def test_noise_before_a_frame_is_counted() -> None:
    parser = FrameParser()
    assert parser.feed(b"\x00\xff\x55" + GOLDEN_UA) == FrameParser().feed(GOLDEN_UA)
    assert parser.discarded == 3


def test_a_broken_frame_does_not_take_the_next_with_it() -> None:
    broken = bytearray(GOLDEN_UA)
    broken[12] ^= 0x40
    assert [frame.kind for frame in FrameParser().feed(bytes(broken) + GOLDEN_SNRM)] == [FrameKind.SNRM]


def test_a_frame_inside_what_looked_like_a_longer_one_is_found() -> None:
    # Noise that happens to look like the header of a 35-octet frame without a header check.
    parser = FrameParser()
    assert [frame.kind for frame in parser.feed(b"\x7e\xa0\x23\x03\x21" + GOLDEN_UA + GOLDEN_SNRM)] == [
        FrameKind.UA,
        FrameKind.SNRM,
    ]


def test_a_false_header_is_given_up_as_soon_as_its_check_is_there() -> None:
    """Otherwise the parser would wait for up to 2 kB that never come."""
    parser = FrameParser()
    parser.feed(b"\x7e\xa7\xff\x03\x21\x10\x12\x34")
    assert parser.pending == 0
    assert [frame.kind for frame in parser.feed(GOLDEN_SNRM)] == [FrameKind.SNRM]


def test_silence_ends_a_frame_that_was_cut_off() -> None:
    parser = FrameParser()
    assert parser.feed(GOLDEN_UA[:20]) == []
    assert parser.pending == 19
    parser.reset()
    assert parser.discarded == 19
    assert [frame.kind for frame in parser.feed(GOLDEN_SNRM)] == [FrameKind.SNRM]


@pytest.mark.parametrize(
    "octets",
    [
        "7EA0070321930F027E",  # FCS
        "7EA0080321930F017E",  # length one too large, no flag there
        "7EB0070321930F017E",  # type B
        "7EA0050321937E",  # too short for any frame
        "7EA00902020293FFFF7E7E",  # address that does not end within four octets
    ],
)
def test_not_a_frame(octets: str) -> None:
    parser = FrameParser()
    assert parser.feed(bytes.fromhex(octets)) == []
    assert parser.feed(GOLDEN_SNRM) == [Frame(SERVER, CLIENT, SNRM)]


@settings(max_examples=300)
@given(st.lists(st.one_of(st.binary(max_size=60), st.just(b"\x7e\xa0"), st.just(b"\x7e\xa7\xff")), max_size=12))
def test_no_octets_raise_and_a_sound_frame_always_follows(noise: list[bytes]) -> None:
    parser = FrameParser()
    for piece in noise:
        parser.feed(piece)
    parser.reset()
    assert parser.feed(GOLDEN_UA)[-1:] == [Frame(CLIENT, SERVER, UA, HdlcParameters().encode())]


@given(st.binary(max_size=3000))
def test_octets_are_frames_flags_pending_or_discarded(noise: bytes) -> None:
    parser = FrameParser()
    found = parser.feed(noise)
    in_frames = sum(len(frame.encode()) - 2 for frame in found)
    assert in_frames + parser.discarded + parser.pending + noise.count(0x7E) >= len(noise)


def test_llc_header() -> None:
    assert LLC_REQUEST.hex() == "e6e600"
