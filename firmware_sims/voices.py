"""Whose an answer is, when its meter has no power, and how it is made to forget what a restart takes: by protocol."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from firmware_sims.dlms.link import HdlcAddress, HdlcLine
from firmware_sims.faults import LineFaults, Outage
from firmware_sims.iec62056.line import IecLine
from firmware_sims.iec62056_data import address_of
from firmware_sims.scenario_model import DlmsMeter, Iec62056Meter, Line
from shared.dlms.hdlc import FrameParser

RTU_UNIT, TCP_UNIT = 0, 6
"""Where the unit stands in an answer."""


class Voices(NamedTuple):
    """The meters of a line."""

    speaker: Callable[[bytes], str | None]
    """The meter that gives an answer, None if it cannot be told."""
    restart: Mapping[str, Callable[[], None]] = {}
    """By meter; who is not in it has nothing to forget."""


def faults_of(line: Line) -> LineFaults | None:
    """Of the line and, where its meters' power is cut, of these; None if there are none."""
    cuts = [
        Outage(meter.id, cut.at, cut.back)
        for meter in line.meters
        if isinstance(meter, DlmsMeter | Iec62056Meter) and meter.data_faults is not None
        for cut in meter.data_faults.power_cuts
    ]
    if not cuts:
        return line.faults
    faults = line.faults or LineFaults()
    return replace(faults, dead=(*faults.dead, *cuts))


def modbus_voices(line: Line, unit_at: int) -> Voices:
    """Of a Modbus line; its meters keep nothing between requests."""
    meters = {meter.unit: meter.id for meter in line.meters if not isinstance(meter, DlmsMeter | Iec62056Meter)}
    return Voices(lambda answer: meters.get(answer[unit_at]))


def hdlc_voices(line: Line, stations: HdlcLine) -> Voices:
    """Of an HDLC line, also behind an opening of mode E, in which only a lone meter is known."""
    addresses = {meter.id: hdlc_address(meter) for meter in line.meters if isinstance(meter, DlmsMeter)}
    meters = {octets: id for id, address in addresses.items() for octets in address.octets}
    lone = next(iter(addresses)) if len(addresses) == 1 else None

    def speaker(answer: bytes) -> str | None:
        frames = FrameParser().feed(answer)
        return meters.get(frames[0].source) if frames else lone

    def forget(address: HdlcAddress) -> Callable[[], None]:
        return lambda: stations.restart(address)

    return Voices(speaker, {id: forget(address) for id, address in addresses.items()})


def wrapper_voices(line: Line, hang_up: Callable[[], None]) -> Voices:
    """Of meters behind the wrapper; a restart drops the connections."""
    meters = {meter.address.wport or 1: meter.id for meter in line.meters if isinstance(meter, DlmsMeter)}
    return Voices(
        lambda answer: meters.get(int.from_bytes(answer[2:4], "big")), dict.fromkeys(meters.values(), hang_up)
    )


def iec_voices(line: Line, stations: IecLine) -> Voices:
    """Of a line of mode C."""
    meters = {address_of(meter): meter.id for meter in line.meters if isinstance(meter, Iec62056Meter)}
    return Voices(lambda answer: meters.get(stations.speaking or ""), dict.fromkeys(meters.values(), stations.restart))


def hdlc_address(meter: DlmsMeter) -> HdlcAddress:
    """Where the meter listens."""
    return HdlcAddress(meter.address.server or 1, meter.address.physical)
