"""Hosts all lines of a scenario in one event loop: meters on the truth, lines on pseudo-terminals and TCP ports."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import msgspec

from firmware_sims.dlms.link import HdlcLine, WrapperLine
from firmware_sims.dlms.objects import CosemMeter
from firmware_sims.dlms_data import TruthMeterData, meter_spec, serial_of
from firmware_sims.faults import FaultLayer
from firmware_sims.half_duplex import LineSpeed
from firmware_sims.iec62056.line import IecLine
from firmware_sims.iec62056.meter import IecMeter
from firmware_sims.iec62056.mode_e import ModeELine
from firmware_sims.iec62056_data import address_of, identification_of, iec_meter_spec
from firmware_sims.line import SerialLine, Stations
from firmware_sims.modbus_link import ModbusCounts, ModbusTcpLine, RtuLine, RtuServer
from firmware_sims.modbus_meter import MappedMeter
from firmware_sims.push import PushSender, push_setup
from firmware_sims.scenario_model import DlmsMeter, Iec62056Meter, Line, ModbusMeter, PtyLine, Scenario, TcpLine
from firmware_sims.tcp import Link, TcpListener
from firmware_sims.truth import Truth
from firmware_sims.truth_log import TruthLog
from firmware_sims.voices import (
    RTU_UNIT,
    TCP_UNIT,
    Voices,
    faults_of,
    hdlc_address,
    hdlc_voices,
    iec_voices,
    modbus_voices,
    wrapper_voices,
)
from shared.clock import Clock

_LOOK_S: Final = 0.05
"""How often the clock is looked at for quarter-hours to write down."""


class _HdlcStations:
    """HDLC meters as stations of a line: flags end their frames, silence means nothing to them."""

    def __init__(self, line: HdlcLine) -> None:
        self.receive = line.receive

    def silence(self) -> bytes:
        """Nothing to say."""
        return b""


class Host:
    """All lines of a scenario. `open`, then `run` until `stop` is called, then `close`."""

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self._scenario, self._clock = scenario, clock
        self.truth = Truth(scenario)
        self.lines: dict[str, SerialLine | TcpListener] = {}
        """By name, once opened."""
        self._modbus: dict[str, ModbusCounts] = {}
        self._faults: dict[str, FaultLayer] = {}
        self._log = TruthLog(scenario.truth, scenario, self.truth) if scenario.truth else None
        self._stop = asyncio.Event()
        self.pushes = PushSender(scenario, clock)
        self._pushing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Listen on all lines. Raises `OSError` with a sentence where one cannot be opened."""
        try:
            for line in self._scenario.lines:
                if isinstance(line, PtyLine):
                    serial = self._serial(line)
                    serial.open()
                    self.lines[line.name] = serial
                else:
                    listener = self._listener(line)
                    await listener.open()
                    self.lines[line.name] = listener
        except OSError:
            await self.close()
            raise
        self._pushing = asyncio.create_task(self.pushes.run(), name="pushes")

    async def run(self) -> None:
        """Serve until `stop`; write the truth log as the clock goes."""
        while not self._stop.is_set():
            if self._log is None:
                await self._stop.wait()
                break
            self._log.look(self._clock.now(), self._clock.monotonic())
            try:
                await asyncio.wait_for(self._stop.wait(), _LOOK_S)
            except TimeoutError:
                continue

    def stop(self) -> None:
        """Let `run` return."""
        self._stop.set()

    async def close(self) -> None:
        """Take all lines down and write the statistics, if the scenario names a file for them."""
        self.write_statistics()
        if self._pushing is not None:
            self._pushing.cancel()
            await asyncio.gather(self._pushing, return_exceptions=True)
        for line in self.lines.values():
            if isinstance(line, SerialLine):
                line.close()
            else:
                await line.close()
        if self._log is not None:
            self._log.close()

    def statistics(self) -> list[dict[str, Any]]:
        """What happened on each line: `LineCounts` or `TcpCounts`, `ModbusCounts` where Modbus is spoken, and
        `FaultCounts` where faults or cuts of power were asked for.
        """
        described = {line.name: line for line in self._scenario.lines}
        result: list[dict[str, Any]] = []
        for name, line in self.lines.items():
            counts = asdict(line.wire.counts if isinstance(line, SerialLine) else line.counts)
            modbus = {"modbus": asdict(self._modbus[name])} if name in self._modbus else {}
            faults = {"faults": asdict(self._faults[name].counts)} if name in self._faults else {}
            result.append({"name": name, "protocol": described[name].protocol, **counts, **modbus, **faults})
        return result

    def write_statistics(self) -> None:
        """Replace the statistics file, if the scenario names one."""
        if self._scenario.statistics is None:
            return
        path = Path(self._scenario.statistics)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode({"lines": self.statistics()})))
        fresh.replace(path)

    def _serial(self, line: PtyLine) -> SerialLine:
        stations: Stations
        if line.protocol == "modbus-rtu":
            rtu = RtuLine(self._modbus_meters(line))
            self._modbus[line.name] = rtu.counts
            stations, voices = rtu, modbus_voices(line, RTU_UNIT)
        elif line.protocol == "iec62056-21":
            iec = self._iec_line(line)
            stations, voices = iec, iec_voices(line, iec)
        elif line.opening == "mode-e":
            described = [meter for meter in line.meters if isinstance(meter, DlmsMeter)]
            identifications = {
                address_of(meter): identification_of(serial_of(meter), line.baud, hdlc=True) for meter in described
            }
            hdlc = self._hdlc_line(line)
            stations = ModeELine(hdlc, identifications, self._clock.monotonic)
            voices = hdlc_voices(line, hdlc)
        else:
            hdlc = self._hdlc_line(line)
            stations, voices = _HdlcStations(hdlc), hdlc_voices(line, hdlc)
        speed = LineSpeed(
            line.baud, line.bits_per_character, line.turnaround_ms / 1000, silent_gaps=line.protocol == "modbus-rtu"
        )
        return SerialLine(line.link, speed, stations, self._fault_layer(line, voices))

    def _listener(self, line: TcpLine) -> TcpListener:
        if line.protocol == "modbus-tcp":
            counts = self._modbus[line.name] = ModbusCounts()
            registers = self._modbus_meters(line)

            def make_link() -> Link:
                return ModbusTcpLine(registers, counts)

            voices = modbus_voices(line, TCP_UNIT)
        elif line.protocol == "modbus-rtu":
            server = RtuServer(RtuLine(self._modbus_meters(line)), self._clock.monotonic)
            self._modbus[line.name] = server.line.counts

            def make_link() -> Link:
                return server

            voices = modbus_voices(line, RTU_UNIT)
        elif line.protocol == "hdlc":
            hdlc = self._hdlc_line(line)

            def make_link() -> Link:
                return hdlc

            voices = hdlc_voices(line, hdlc)
        elif line.protocol == "iec62056-21":
            # One line behind the serial server, whoever is connected.
            shared_line = self._iec_line(line)

            def make_link() -> Link:
                return shared_line

            voices = iec_voices(line, shared_line)
        else:
            meters = {
                meter.address.wport or 1: self._cosem(meter) for meter in line.meters if isinstance(meter, DlmsMeter)
            }

            def make_link() -> Link:
                return WrapperLine(meters)

            voices = wrapper_voices(line, lambda: listener.hang_up())
        faults = self._fault_layer(line, voices)
        listener = TcpListener(line.host, line.port, make_link, line.turnaround_ms / 1000, faults)
        return listener

    def _fault_layer(self, line: Line, voices: Voices) -> FaultLayer | None:
        faults = faults_of(line)
        if faults is None:
            return None
        layer = self._faults[line.name] = FaultLayer(faults, voices.speaker, voices.restart, self._clock.now)
        return layer

    def _hdlc_line(self, line: Line) -> HdlcLine:
        return HdlcLine(
            {hdlc_address(meter): self._cosem(meter) for meter in line.meters if isinstance(meter, DlmsMeter)}
        )

    def _iec_line(self, line: Line) -> IecLine:
        described = [meter for meter in line.meters if isinstance(meter, Iec62056Meter)]
        meters = {
            address_of(meter): IecMeter(iec_meter_spec(meter), TruthMeterData(meter, self.truth, self._clock))
            for meter in described
        }
        return IecLine(meters, software_parity=all(meter.parity for meter in described))

    def _modbus_meters(self, line: Line) -> dict[int, MappedMeter]:
        return {
            meter.unit: MappedMeter(meter, self.truth, self._clock)
            for meter in line.meters
            if isinstance(meter, ModbusMeter)
        }

    def _cosem(self, meter: DlmsMeter) -> CosemMeter:
        cosem = CosemMeter(meter_spec(meter), TruthMeterData(meter, self.truth, self._clock))
        if meter.pushes:
            cosem.add(push_setup(meter.pushes[0]))
        return cosem
