"""Publishes pre-encoded batches as several concentrators at once, and waits until central has acknowledged them all.

A process of its own with as little work per message as possible, because concentrators are other machines: packets are
made before the clock starts, and only counted bytes come back. MQTT 5, QoS 1, the broker's Receive Maximum respected.
"""

import selectors
import socket
import struct
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.wire import Ack, ack_topic, data_topic, decode_message, user_properties

_CONNACK, _PUBLISH, _PUBACK, _SUBACK = 2, 3, 4, 9
_CHUNK: Final = 1 << 20


def _varint(number: int) -> bytes:
    octets = bytearray()
    while True:
        number, digit = divmod(number, 128)
        octets.append(digit | (128 if number else 0))
        if not number:
            return bytes(octets)


def _text(text: str) -> bytes:
    octets = text.encode()
    return struct.pack(">H", len(octets)) + octets


def _packet(head: int, content: bytes) -> bytes:
    return bytes([head]) + _varint(len(content)) + content


def publish_packet(edge: str, epoch: int, seq: int, body: bytes) -> bytes:
    """A data message as it goes over the wire; the packet identifier follows from the number."""
    properties = b"".join(b"\x26" + _text(name) + _text(value) for name, value in user_properties(edge, epoch, seq))
    identifier = struct.pack(">H", (seq - 1) % 65_535 + 1)
    content = _text(data_topic(edge)) + identifier + _varint(len(properties)) + properties + body
    return _packet(0x32, content)


@dataclass(slots=True)
class Concentrator:
    """One edge's connection and what it still has to send."""

    edge: str
    password: str
    packets: Sequence[bytes]
    connection: socket.socket = field(init=False)
    sent: int = 0
    confirmed: int = 0
    acknowledged: int = 0
    window: int = 65_535
    arrived: bytearray = field(default_factory=bytearray)
    leaving: "deque[memoryview]" = field(default_factory=deque)

    def connect(self, host: str, port: int) -> None:
        """Log in and subscribe to the acknowledgements."""
        self.connection = socket.create_connection((host, port))
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Version 5, user and password, clean start, no keep-alive, no properties.
        login = _text("MQTT") + b"\x05\xc2\x00\x00\x00" + _text(f"bench-{self.edge}")
        self.connection.sendall(_packet(0x10, login + _text(self.edge) + _text(self.password)))
        self._wait_for(_CONNACK)
        self.connection.sendall(_packet(0x82, b"\x00\x01\x00" + _text(ack_topic(self.edge)) + b"\x00"))
        self._wait_for(_SUBACK)
        self.connection.setblocking(False)

    def _wait_for(self, kind: int) -> None:
        while True:
            self.arrived += self.connection.recv(_CHUNK)
            seen = [found for found, _, _ in self._packets()]
            if kind in seen:
                return

    def done(self) -> bool:
        """Whether central has acknowledged all of it."""
        return self.acknowledged >= len(self.packets)

    def write(self) -> None:
        """Send what the socket and the broker's window take."""
        while self.leaving or (self.sent < len(self.packets) and self.sent - self.confirmed < self.window):
            if not self.leaving:
                self.leaving.append(memoryview(self.packets[self.sent]))
                self.sent += 1
            try:
                count = self.connection.send(self.leaving[0])
            except BlockingIOError:
                return
            if count == len(self.leaving[0]):
                self.leaving.popleft()
            else:
                self.leaving[0] = self.leaving[0][count:]

    def wants_to_write(self) -> bool:
        """Whether there is something that may be sent now."""
        return bool(self.leaving) or (self.sent < len(self.packets) and self.sent - self.confirmed < self.window)

    def read(self) -> None:
        """Take in confirmations of the broker and acknowledgements of central."""
        octets = self.connection.recv(_CHUNK)
        if not octets:
            raise ConnectionError(f"The broker closed the connection of {self.edge}.")
        self.arrived += octets
        for kind, head, content in self._packets():
            if kind == _PUBACK:
                self.confirmed += 1
                if len(content) > 2 and content[2] >= 0x80:
                    raise ConnectionError(f"The broker refused a batch of {self.edge}: reason {content[2]:#x}.")
            elif kind == _PUBLISH:
                self._take_answer(head, content)

    def _take_answer(self, head: int, content: bytes) -> None:
        if head & 0x06:
            raise ConnectionError("Acknowledgements were subscribed with QoS 0.")
        place = 2 + struct.unpack_from(">H", content)[0]
        place += 1 + content[place]  # no properties, or short ones
        answer = decode_message(content[place:])
        if isinstance(answer, Ack):
            if answer.refused:
                raise ConnectionError(f"Central refused blocks of {self.edge}: {answer.refused[:3]}.")
            self.acknowledged = max(self.acknowledged, answer.upto)

    def _packets(self) -> list[tuple[int, int, bytes]]:
        """Complete packets of what arrived: kind, flags, content."""
        found = []
        place = 0
        data = self.arrived
        while place + 2 <= len(data):
            length, shift, after = 0, 0, place + 1
            while after < len(data):
                length |= (data[after] & 127) << shift
                shift += 7
                after += 1
                if data[after - 1] < 128:
                    break
            else:
                break
            if after + length > len(data):
                break
            found.append((data[place] >> 4, data[place] & 15, bytes(data[after : after + length])))
            if found[-1][0] == _CONNACK:
                self._take_limits(found[-1][2])
            place = after + length
        del data[:place]
        return found

    def _take_limits(self, content: bytes) -> None:
        if content[1]:
            raise ConnectionError(f"The broker refused {self.edge}: reason {content[1]:#x}.")
        properties = content[3:]
        place = properties.find(b"\x21")  # Receive Maximum; mosquitto sends few properties, this one among the first
        if place >= 0:
            self.window = int(struct.unpack_from(">H", properties, place + 1)[0])


def publish_all(host: str, port: int, concentrators: Sequence[Concentrator], within_s: float) -> float:
    """Send everything; seconds from the first publish until central has acknowledged the last batch."""
    selector = selectors.DefaultSelector()
    for concentrator in concentrators:
        concentrator.connect(host, port)
        selector.register(concentrator.connection, selectors.EVENT_READ | selectors.EVENT_WRITE, concentrator)
    begun = time.perf_counter()
    while not all(concentrator.done() for concentrator in concentrators):
        if time.perf_counter() - begun > within_s:
            left = {c.edge: len(c.packets) - c.acknowledged for c in concentrators if not c.done()}
            raise TimeoutError(f"Not acknowledged within {within_s:.0f} s: {left}.")
        for key, events in selector.select(0.1):
            concentrator = key.data
            if events & selectors.EVENT_READ:
                concentrator.read()
            if events & selectors.EVENT_WRITE:
                concentrator.write()
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if concentrator.wants_to_write() else 0)
            if wanted != key.events:
                selector.modify(concentrator.connection, wanted, concentrator)
    seconds = time.perf_counter() - begun
    for concentrator in concentrators:
        concentrator.connection.close()
    return seconds
