"""HDLC frames as DLMS uses them (IEC 62056-46, frame type A): addresses, control field, parser for a noisy line.

    7E | format 2 | destination 1,2,4 | source 1,2,4 | control 1 | HCS 2 | information 1.. | FCS 2 | 7E

HCS only with information. Format: type 1010, segmentation bit, 11 bits of length from format to FCS.
"""

from enum import Enum
from typing import Final, NamedTuple

from shared.dlms.crc import check_sequence, is_intact

FLAG: Final = 0x7E
LLC_REQUEST: Final = b"\xe6\xe6\x00"
LLC_RESPONSE: Final = b"\xe6\xe7\x00"
MAX_FRAME: Final = 0x7FF
_FLAG_OCTET: Final = b"\x7e"
_TYPE_A: Final = 0xA000
_SEGMENTATION: Final = 0x0800
_POLL_FINAL: Final = 0x10


class FrameKind(Enum):
    """What a control field says, sequence numbers and poll/final bit apart."""

    INFORMATION = "I"
    RECEIVE_READY = "RR"
    RECEIVE_NOT_READY = "RNR"
    SNRM = "SNRM"
    DISC = "DISC"
    UA = "UA"
    DM = "DM"
    FRMR = "FRMR"
    UI = "UI"
    OTHER = "other"


_UNNUMBERED: Final = {
    0x83: FrameKind.SNRM,
    0x43: FrameKind.DISC,
    0x63: FrameKind.UA,
    0x0F: FrameKind.DM,
    0x87: FrameKind.FRMR,
    0x03: FrameKind.UI,
}


def _kind_of(control: int) -> FrameKind:
    if not control & 0x01:
        return FrameKind.INFORMATION
    match control & 0x0F:
        case 0x01:
            return FrameKind.RECEIVE_READY
        case 0x05:
            return FrameKind.RECEIVE_NOT_READY
        case _:
            return _UNNUMBERED.get(control & ~_POLL_FINAL, FrameKind.OTHER)


_KINDS: Final = tuple(_kind_of(control) for control in range(256))

SNRM: Final = 0x93
DISC: Final = 0x53
UA: Final = 0x73
DM: Final = 0x1F
FRMR: Final = 0x97


def information_control(sequence: int, expected: int, final: bool) -> int:
    """Control field of an I frame: N(S), N(R), poll/final."""
    return expected << 5 | (_POLL_FINAL if final else 0) | sequence << 1


def ready_control(expected: int, final: bool = True) -> int:
    """Control field of an RR frame: N(R), poll/final."""
    return expected << 5 | (_POLL_FINAL if final else 0) | 0x01


def client_address(client: int) -> bytes:
    """Address of a client (SAP 1 to 127): always one octet."""
    if not 1 <= client <= 0x7F:
        raise ValueError(f"The DLMS client address {client} must be 1 to 127.")
    return bytes((client << 1 | 1,))


def server_address(logical: int, physical: int | None = None, size: int | None = None) -> bytes:
    """Address of a server: one octet without a physical address, else two (each part to 127) or four (to 16383).

    `size` forces the long form (2 or 4), which some meters demand for small numbers as well.
    """
    if physical is None:
        if size not in (None, 1) or not 0 <= logical <= 0x7F:
            raise ValueError(f"The DLMS server address {logical} without a physical address must be 0 to 127, size 1.")
        return bytes((logical << 1 | 1,))
    if size is None:
        size = 2 if logical <= 0x7F and physical <= 0x7F else 4
    if size == 2 and 0 <= logical <= 0x7F and 0 <= physical <= 0x7F:
        return bytes((logical << 1, physical << 1 | 1))
    if size == 4 and 0 <= logical <= 0x3FFF and 0 <= physical <= 0x3FFF:
        upper = (logical >> 7 << 1, (logical & 0x7F) << 1)
        return bytes((*upper, physical >> 7 << 1, (physical & 0x7F) << 1 | 1))
    raise ValueError(
        f"The DLMS server address {logical}/{physical} does not fit into {size} octets; use size 2 "
        "(each part 0 to 127) or 4 (each part 0 to 16383)."
    )


class Frame(NamedTuple):
    """One frame; addresses as their octets on the wire, so that equal octets are the same station."""

    destination: bytes
    source: bytes
    control: int
    information: bytes = b""
    segmented: bool = False

    @property
    def kind(self) -> FrameKind:
        return _KINDS[self.control]

    @property
    def final(self) -> bool:
        """Poll bit of a command, final bit of a response."""
        return bool(self.control & _POLL_FINAL)

    @property
    def sequence(self) -> int:
        """N(S) of an I frame."""
        return self.control >> 1 & 7

    @property
    def expected(self) -> int:
        """N(R) of an I, RR or RNR frame: all before it is acknowledged."""
        return self.control >> 5

    def encode(self) -> bytes:
        """The frame with both flags."""
        header_size = 3 + len(self.destination) + len(self.source)
        size = header_size + 2 + (len(self.information) + 2 if self.information else 0)
        if size > MAX_FRAME:
            raise ValueError(f"An HDLC frame of {size} octets was asked for; {MAX_FRAME} is the most. Segment it.")
        octets = (_TYPE_A | (_SEGMENTATION if self.segmented else 0) | size).to_bytes(2)
        octets += self.destination + self.source + bytes((self.control,))
        if self.information:
            octets += check_sequence(octets) + self.information
        return b"%b%b%b%b" % (_FLAG_OCTET, octets, check_sequence(octets), _FLAG_OCTET)


class _BrokenFrameError(Exception):
    """These octets are no frame, whatever follows them."""


def _address_end(octets: bytes | bytearray, start: int, stop: int) -> int | None:
    """Where the address that starts at `start` ends; None if its octets are not all there yet."""
    for size in (1, 2, 3, 4):
        end = start + size
        if end > stop:
            return None
        if octets[end - 1] & 1:
            if size == 3:
                break
            return end
    raise _BrokenFrameError


def _header_end(octets: bytes | bytearray, start: int, stop: int) -> tuple[int, int, int] | None:
    """Ends of destination, source and control of the frame whose format field is at `start`; None if not there yet."""
    destination = _address_end(octets, start + 2, stop)
    if destination is None:
        return None
    source = _address_end(octets, destination, stop)
    if source is None or source + 1 > stop:
        return None
    return destination, source, source + 1


class FrameParser:
    """Finds frames in what comes from a line. Noise never raises: it is skipped and counted.

    A frame counts only with both flags, matching length, HCS and FCS. After noise the parser is in step again with the
    next whole frame, also one that begins inside what looked like a longer one. `discarded` counts skipped octets other
    than flags.
    """

    def __init__(self) -> None:
        self.discarded = 0
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """Octets of a frame that is not complete yet."""
        return max(len(self._buffer) - 1, 0)

    def reset(self) -> None:
        """Forget an incomplete frame: the line has been silent for longer than a frame allows."""
        self.discarded += self.pending
        self._buffer.clear()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completed."""
        buffer = self._buffer
        buffer += data
        frames: list[Frame] = []
        position = 0
        while True:
            flag = buffer.find(FLAG, position)
            if flag < 0:
                self.discarded += len(buffer) - position
                position = len(buffer)
                break
            self.discarded += flag - position
            position = flag
            try:
                end = self._frame_end(flag + 1)
                if end is None:
                    break
                frames.append(self._decode(bytes(buffer[flag + 1 : end])))
                position = end  # the closing flag may open the next frame as well
            except _BrokenFrameError:
                position = flag + 1
        del buffer[:position]
        return frames

    def _frame_end(self, start: int) -> int | None:
        """Place of the closing flag of the frame that starts at `start`; None while octets are missing."""
        buffer = self._buffer
        stop = len(buffer)
        if stop < start + 2:
            if stop > start and buffer[start] & 0xF0 != 0xA0:
                raise _BrokenFrameError
            return None
        word = buffer[start] << 8 | buffer[start + 1]
        end = start + (word & MAX_FRAME)
        if word & 0xF000 != _TYPE_A or end - start < 7:
            raise _BrokenFrameError
        if stop > end:
            if buffer[end] != FLAG:
                raise _BrokenFrameError
            return end
        # Not all there: do not wait for up to 2 kB that noise has promised when the header alone gives it away.
        header = _header_end(buffer, start, min(stop, end))
        if header is not None:
            check_end = header[2] + 2
            if check_end < end - 2 and check_end <= stop and not is_intact(buffer[start:check_end]):
                raise _BrokenFrameError
        return None

    @staticmethod
    def _decode(octets: bytes) -> Frame:
        """The frame between the flags."""
        if not is_intact(octets):
            raise _BrokenFrameError
        header = _header_end(octets, 0, len(octets) - 2)
        if header is None:
            raise _BrokenFrameError
        destination, source, control = header
        information = octets[control + 2 : -2]
        if len(octets) != control + 2 and (not information or not is_intact(octets[: control + 2])):
            raise _BrokenFrameError
        segmented = bool(octets[0] & _SEGMENTATION >> 8)
        return Frame(octets[2:destination], octets[destination:source], octets[source], information, segmented)
