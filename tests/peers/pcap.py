"""pcap files written without capture rights: each portion of octets becomes a TCP segment over IPv4 that never was.

Link type 101 (raw IP). Sequence numbers, acknowledgements, handshake and checksums are right, so that a dissector that
follows streams finds whole ones.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

LINKTYPE_RAW = 101
SYN, PSH, ACK = 0x02, 0x08, 0x10
CLIENT, SERVER = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])  # TEST-NET-1
SEGMENT_MOST = 1400


@dataclass
class Stream:
    """One connection between a master and the port of its slave."""

    client_port: int
    server_port: int
    sent: dict[bool, int] = field(default_factory=lambda: {True: 1000, False: 5000})
    """Next sequence number by direction; True is from the client."""


class Capture:
    """A pcap file that grows; `now` gives seconds since 1970."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self.path = path
        self._now = now
        self._ports = iter(range(40_000, 65_000))
        self._file = path.open("wb")
        self._file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, LINKTYPE_RAW))

    def stream(self, server_port: int) -> Stream:
        """A new connection, with its handshake."""
        stream = Stream(next(self._ports), server_port)
        self._segment(stream, True, SYN, b"")
        stream.sent[True] += 1
        self._segment(stream, False, SYN | ACK, b"")
        stream.sent[False] += 1
        self._segment(stream, True, ACK, b"")
        return stream

    def add(self, stream: Stream, octets: bytes, *, from_client: bool) -> None:
        """`octets` passed in one direction."""
        for begin in range(0, len(octets), SEGMENT_MOST):
            part = octets[begin : begin + SEGMENT_MOST]
            self._segment(stream, from_client, PSH | ACK, part)
            stream.sent[from_client] += len(part)

    def close(self) -> None:
        """Write what is left."""
        self._file.close()

    def _segment(self, stream: Stream, from_client: bool, flags: int, octets: bytes) -> None:
        ports = (stream.client_port, stream.server_port)
        hosts = (CLIENT, SERVER)
        if not from_client:
            ports, hosts = ports[::-1], hosts[::-1]
        acknowledged = stream.sent[not from_client] if flags & ACK else 0
        tcp = struct.pack(">HHIIBBHHH", *ports, stream.sent[from_client], acknowledged, 5 << 4, flags, 65_535, 0, 0)
        pseudo = hosts[0] + hosts[1] + struct.pack(">BBH", 0, 6, len(tcp) + len(octets))
        tcp = tcp[:16] + _checksum(pseudo + tcp + octets) + tcp[18:]
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp) + len(octets), 0, 0x4000, 64, 6, 0) + hosts[0] + hosts[1]
        packet = ip[:10] + _checksum(ip) + ip[12:] + tcp + octets
        seconds, fraction = divmod(self._now(), 1)
        self._file.write(struct.pack("<IIII", int(seconds), int(fraction * 1e6), len(packet), len(packet)) + packet)


def _checksum(octets: bytes) -> bytes:
    if len(octets) % 2:
        octets += b"\x00"
    total = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2, "big")
