"""Modbus meters: items of a device map, read by merged blocks."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from edge.bus.line import Line
from edge.config import DeviceConfig, ProfileConfig, StateRegister
from edge.drivers.port import MeterSession, ProfileDay, StateReading
from edge.errors import DeviceGarbledError, DeviceRefusedError, DeviceSilentError, LineDownError
from edge.modbus.exchange import Exchange
from edge.modbus.maps import DeviceMap, NotAvailableError, find_map, value_of
from edge.modbus.plan import BlockRead, block_reads
from shared.clock import Clock
from shared.metering_day import MeteringDay


class ModbusSession:
    """Reads one unit. Modbus has no session to open; this holds what belongs together."""

    def __init__(
        self, line: Line, exchange: Exchange, unit: int, device_map: DeviceMap, clock: Clock, timeout_s: float
    ) -> None:
        self._line = line
        self._exchange = exchange
        self._unit = unit
        self._map = device_map
        self._clock = clock
        self._timeout_s = timeout_s

    async def read_states(self, registers: Sequence[StateRegister]) -> list[StateReading]:
        wanted = {register.register: self._map.item(register.item or "") for register in registers}
        answers: list[tuple[BlockRead, list[int], int]] = []
        for read in block_reads(self._map, list(wanted.values())):
            values = await self._ask(read)
            answers.append((read, values, self._clock.now_ms()))
        readings = []
        for register in registers:
            item = wanted[register.register]
            read, values, at_ms = next(answer for answer in answers if item in answer[0].items)
            try:
                value = value_of(item, read.registers_of(item, values), register.exponent)
            except NotAvailableError as error:
                raise DeviceGarbledError(f"Unit {self._unit}: {error}") from None
            readings.append(StateReading(register, value, at_ms))
        return readings

    async def read_day(self, profile: ProfileConfig, day: MeteringDay) -> ProfileDay:
        raise DeviceRefusedError(f"A {self._map.model} keeps no load profile.")

    async def _ask(self, read: BlockRead) -> list[int]:
        line, exchange = self._line, self._exchange
        if not exchange.tcp:
            await line.flush()
        request = exchange.ask(self._unit, self._map.function, read.address, read.count, line.now())
        await line.write(request)
        deadline = line.now() + line.transmission_s(len(request)) + self._timeout_s
        try:
            while (left := deadline - line.now()) > 0:
                answer = exchange.feed(await line.read(left))
                if answer is not None:
                    return answer
        except TimeoutError:
            pass
        except DeviceGarbledError as error:
            if exchange.tcp:
                raise LineDownError(f"The connection lost its frames: {error}") from None
            raise
        finally:
            exchange.give_up(line.now())  # no effect after an answer
        raise DeviceSilentError(
            f"Unit {self._unit} gave no whole answer to registers {read.address} to {read.address + read.count - 1} "
            f"within {self._timeout_s} s."
        )


class ModbusDriver:
    """One unit on a line; `exchange` belongs to the line and is shared by its units."""

    def __init__(self, device: DeviceConfig, exchange: Exchange, clock: Clock) -> None:
        if device.address.unit is None:
            raise ValueError(f"The device {device.id} has no unit; check the configuration first.")
        self._unit = device.address.unit
        self._map = find_map(device.model)
        self._exchange = exchange
        self._clock = clock
        self._timeout_s = device.timeout_s

    @asynccontextmanager
    async def session(self, line: Line) -> AsyncIterator[MeterSession]:
        """Nothing to open."""
        yield ModbusSession(line, self._exchange, self._unit, self._map, self._clock, self._timeout_s)
