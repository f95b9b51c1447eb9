"""Links of simulated meters: a line with HDLC meters on it, a TCP stream with meters behind the DLMS wrapper.

`MeterLink.receive` takes what the line delivered and returns what the addressed meters answer: nothing if none is
addressed or the request is not complete. Pacing and turnaround are the host's.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from firmware_sims.dlms.association import MeterAssociation
from firmware_sims.dlms.hdlc_station import HdlcStation
from firmware_sims.dlms.objects import CosemMeter
from shared.dlms.hdlc import FrameParser, server_address
from shared.dlms.hdlc_parameters import HdlcParameters
from shared.dlms.wrapper import WrapperFrame, WrapperParser


class MeterLink(Protocol):
    """The meters' end of a byte stream."""

    def receive(self, data: bytes) -> bytes:
        """Octets that the meters send in answer."""


class HdlcAddress(NamedTuple):
    """Server address of a meter: logical device and, behind a shared line, the physical address."""

    server: int = 1
    physical: int | None = None

    @property
    def octets(self) -> tuple[bytes, ...]:
        """The address in all its forms."""
        if self.physical is None:
            return (server_address(self.server),)
        long = server_address(self.server, self.physical, 4)
        short = self.server <= 0x7F and self.physical <= 0x7F
        return (server_address(self.server, self.physical, 2), long) if short else (long,)


class HdlcLine:
    """A serial line (or the TCP stream of a serial server) with any number of HDLC meters.

    Each meter answers to its own address only, in the two- and the four-octet form, with one connection a client.
    """

    def __init__(self, meters: Mapping[HdlcAddress, CosemMeter]) -> None:
        self._parser = FrameParser()
        self._meters: dict[bytes, CosemMeter] = {}
        for address, meter in meters.items():
            self._meters |= dict.fromkeys(address.octets, meter)
        self._stations: dict[tuple[bytes, bytes], HdlcStation] = {}

    def receive(self, data: bytes) -> bytes:
        answer = b""
        for frame in self._parser.feed(data):
            meter = self._meters.get(frame.destination)
            if meter is None or len(frame.source) != 1:
                continue
            ends = frame.destination, frame.source
            station = self._stations.get(ends)
            if station is None:
                size, window = meter.spec.max_information, meter.spec.max_window
                offered = HdlcParameters(size, size, window, window)
                station = HdlcStation(*ends, offered, MeterAssociation(meter, frame.source[0] >> 1))
                self._stations[ends] = station
            answer += station.receive(frame)
        return answer

    def restart(self, address: HdlcAddress) -> None:
        """The meter forgets its connections and associations."""
        self._stations = {ends: station for ends, station in self._stations.items() if ends[0] not in address.octets}


class WrapperLine:
    """One TCP connection, with meters by their wPort. A new connection needs a new one."""

    def __init__(self, meters: Mapping[int, CosemMeter]) -> None:
        self._parser = WrapperParser()
        self._meters = dict(meters)
        self._associations: dict[tuple[int, int], MeterAssociation] = {}

    def receive(self, data: bytes) -> bytes:
        answer = b""
        for frame in self._parser.feed(data):
            meter = self._meters.get(frame.destination)
            if meter is None:
                continue
            ends = frame.destination, frame.source
            association = self._associations.get(ends)
            if association is None:
                association = self._associations[ends] = MeterAssociation(meter, frame.source)
            reply: bytes | None = association.receive(frame.payload)
            while reply is not None:
                answer += WrapperFrame(frame.destination, frame.source, reply).encode()
                reply = association.more()
        return answer
