"""Many Modbus TCP meters in one process, lean: `python -m firmware_sims.swarm --ports 15020-15069 --log FILE`.

For measuring clients: its 40 input registers from 0 hold 20 float32 that count up from answer to answer, so that each
value tells which answer it is from. Each port is one meter (unit 1). Ends at SIGTERM and then
writes when each answer was given: per meter, ms UTC (float64, little-endian), one meter after the other, each preceded
by its number of answers (uint32).
"""

import argparse
import select
import signal
import socket
import struct
import sys
import time
from array import array
from pathlib import Path
from typing import Final

VALUES: Final = 20
WRAP: Final = 2**24 - VALUES
"""Whole eighths below 2^21: a float32 holds each exactly."""
APART: Final = 1_000_003
"""Between the first values of two meters."""
_REQUEST: Final = struct.Struct(">HHHBBHH")
_HEAD: Final = struct.Struct(">HHHBBB")
_VALUES: Final = struct.Struct(f">{VALUES}f")
_REGISTERS: Final = 2 * VALUES


def first_eighth(meter: int, answer: int) -> int:
    """The first value of a meter's answer, in eighths; the others count up from it."""
    return (meter * APART + answer * VALUES) % WRAP


class Meter:
    """One meter."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.answered = array("d")
        """When, ms UTC."""

    def answer(self, request: bytes) -> bytes:
        """The answer to a request; empty if it is none that is served."""
        if len(request) != _REQUEST.size:
            return b""
        transaction, protocol, length, unit, function, address, count = _REQUEST.unpack(request)
        if (protocol, length, unit) != (0, _REQUEST.size - 6, 1):
            return b""
        if function != 4 or not 1 <= count <= _REGISTERS - address:
            return _HEAD.pack(transaction, 0, 3, unit, function | 0x80, 2)
        begin = first_eighth(self.number, len(self.answered))
        self.answered.append(time.time_ns() / 1e6)
        registers = _VALUES.pack(*[eighth / 8 for eighth in range(begin, begin + VALUES)])
        if count < _REGISTERS:
            registers = registers[2 * address : 2 * (address + count)]
        return _HEAD.pack(transaction, 0, 2 * count + 3, unit, function, 2 * count) + registers


def serve(meters: list[Meter], first_port: int) -> None:
    """On one port each, until SIGTERM."""
    over = False

    def end(*_: object) -> None:
        nonlocal over
        over = True

    signal.signal(signal.SIGTERM, end)
    poll = select.epoll()
    listeners: dict[int, tuple[socket.socket, Meter]] = {}
    connections: dict[int, tuple[socket.socket, Meter]] = {}
    for port, meter in enumerate(meters, first_port):
        listener = socket.create_server(("127.0.0.1", port), backlog=16)
        listeners[listener.fileno()] = listener, meter
        poll.register(listener.fileno(), select.EPOLLIN)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not over:
        for descriptor, _ in poll.poll(0.5):
            if descriptor in listeners:
                listener, meter = listeners[descriptor]
                peer, _ = listener.accept()
                peer.setblocking(False)
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[peer.fileno()] = peer, meter
                poll.register(peer.fileno(), select.EPOLLIN)
                continue
            peer, meter = connections[descriptor]
            try:
                request = peer.recv(512)
                if request:
                    peer.send(meter.answer(request))
                    continue
            except OSError:
                pass  # the client is gone, which its next connection shows
            poll.unregister(descriptor)
            peer.close()
            del connections[descriptor]


def read_log(path: Path) -> list["array[float]"]:
    """When each meter gave its answers, ms UTC."""
    octets, found, place = path.read_bytes(), [], 0
    while place < len(octets):
        (count,) = struct.unpack_from("<I", octets, place)
        found.append(array("d", octets[place + 4 : place + 4 + 8 * count]))
        place += 4 + 8 * count
    return found


def main() -> int:
    """Serve, then write the log."""
    parser = argparse.ArgumentParser(description="Many Modbus TCP meters for measuring clients.")
    parser.add_argument("--ports", required=True, help="first-last")
    parser.add_argument("--log", required=True, type=Path)
    options = parser.parse_args()
    first, last = (int(port) for port in options.ports.split("-"))
    meters = [Meter(number) for number in range(last - first + 1)]
    serve(meters, first)
    with options.log.open("wb") as file:
        for meter in meters:
            file.write(struct.pack("<I", len(meter.answered)) + meter.answered.tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
