"""Driver for Modbus meters: items of a device map, read by merged blocks.

Before anything is read over a new connection, and again after the meter was silent (it may have been exchanged), the
meter must say who it is, if the configuration states an identity; a SunSpec device must show where its models are.

Counters of several registers come in one answer, so they are whole, unless the meter itself takes their words at
different moments. Where its map says so (`tearing`), each block with counters is read twice, back to back: a carry
between two words makes a torn counter wrong by at least 2^16, so a pair is believed only if no counter went back and
none grew by half of that; the second answer is taken.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from edge.bus.line import Line
from edge.config import DeviceConfig, ProfileConfig, StateRegister
from edge.drivers.port import DayPart, MeterSession, ProfileDay, StateReading
from edge.errors import (
    DeviceGarbledError,
    DeviceMismatchError,
    DeviceRefusedError,
    DeviceSilentError,
    LineDownError,
)
from edge.modbus.exchange import Exchange, Request
from edge.modbus.frames import MAX_PDU, decode_identification
from edge.modbus.identity import PRODUCT, VENDOR, fact_text, mismatches
from edge.modbus.plan import PDU_HEAD, Decoder, block_reads
from edge.modbus.sunspec import Discovery, Model, SunSpecError, choose
from shared.clock import Clock
from shared.modbus.maps import DeviceMap, Fact, Item, find_map

TEARING_MOST: Final = 2**15
"""Growth between two reads, in the register's own steps, from which a counter is taken for torn."""
TEARING_READS: Final = 4
IDENTIFICATION_PARTS: Final = 8
"""A device identification that goes on after so many answers is none."""


@dataclass(frozen=True, slots=True)
class PlannedRead:
    """One request of a plan; `places` say which of the wanted registers its values are."""

    request: Request
    decoder: Decoder
    places: tuple[int, ...]
    counters: Decoder | None
    """Of a meter whose counters may tear: their raw values."""


class ModbusSession:
    """Reads one unit. Modbus has no session to open; this holds what belongs together."""

    def __init__(self, driver: "ModbusDriver", line: Line) -> None:
        self._driver = driver
        self._line = line

    async def read_states(self, registers: Sequence[StateRegister]) -> list[StateReading]:
        driver = self._driver
        values: list[tuple[int | None, int]] = [(None, 0)] * len(registers)
        for block in driver.plan(registers):
            pdu = await self._untorn(block) if block.counters is not None else await self.ask(block.request)
            at_ms = driver.clock.now_ms()
            try:
                found = block.decoder.values(pdu)
            except ValueError as error:
                raise DeviceGarbledError(f"Unit {driver.unit}: {error}.") from None
            for place, value in zip(block.places, found, strict=True):
                values[place] = value, at_ms
        readings = []
        for register, (value, at_ms) in zip(registers, values, strict=True):
            if value is None:
                raise DeviceGarbledError(f"Unit {driver.unit}: the meter has no value for {register.item}.")
            readings.append(StateReading(register, value, at_ms))
        return readings

    async def read_day(self, profile: ProfileConfig, part: DayPart) -> ProfileDay:
        raise DeviceRefusedError(f"A {self._driver.map.model} keeps no load profile.")

    async def read_registers(self, function: int, address: int, count: int) -> bytes:
        """Octets of `count` registers."""
        return (await self.ask(Request.registers(self._driver.unit, function, address, count)))[PDU_HEAD:]

    async def ask(self, request: Request) -> bytes:
        """The answer's PDU; raises `DeviceError`, `LineDownError`."""
        try:
            return await self._ask(request)
        except DeviceSilentError:
            self._driver.forget()
            raise

    async def _ask(self, request: Request) -> bytes:
        line, exchange, timeout_s = self._line, self._driver.exchange, self._driver.timeout_s
        if not exchange.tcp:
            await line.flush()
        octets = exchange.ask(request, line.now())
        patience = line.response_timeout(timeout_s)
        try:
            await line.write(octets)
            # Silence ends the waiting soon, and a line that babbles does so in the end.
            deadline = line.now() + line.transmission_s(len(octets) + MAX_PDU) + timeout_s
            while (left := deadline - line.now()) > 0:
                answer = exchange.feed(await line.read(min(patience, left)))
                if answer is not None:
                    return answer
        except TimeoutError:
            pass
        except DeviceGarbledError as error:
            raise LineDownError(f"The connection lost its frames: {error}") from None
        finally:
            exchange.give_up(line.now())  # no effect after an answer
        raise DeviceSilentError(f"Unit {request.unit} gave no whole answer to {request.what} within {patience:.2f} s.")

    async def _untorn(self, block: PlannedRead) -> bytes:
        assert block.counters is not None
        before = block.counters.values(await self.ask(block.request))
        for _ in range(1, TEARING_READS):
            pdu = await self.ask(block.request)
            after = block.counters.values(pdu)
            if all(map(_consistent, before, after)):
                return pdu
            before = after
        raise DeviceGarbledError(
            f"Unit {block.request.unit}: {TEARING_READS} answers to {block.request.what} do not agree; its counters "
            "are torn."
        )


def _consistent(before: int | None, after: int | None) -> bool:
    if before is None or after is None:
        return before is after
    return 0 <= after - before < TEARING_MOST


class ModbusDriver:
    """One unit on a line; `exchange` belongs to the line and is shared by its units."""

    def __init__(self, device: DeviceConfig, exchange: Exchange, clock: Clock) -> None:
        if device.address.unit is None:
            raise ValueError(f"The device {device.id} has no unit; check the configuration first.")
        self.unit = device.address.unit
        self.map = map_of(device)
        self.exchange = exchange
        self.clock = clock
        self.timeout_s = device.timeout_s
        self._device = device
        self._known_in: int | None = None
        """The connection in which the meter has said who it is."""
        self._models: tuple[Model, Model] | None = None
        """SunSpec: the common model and the meter's."""
        self._plans: dict[tuple[StateRegister, ...], list[PlannedRead]] = {}

    @asynccontextmanager
    async def session(self, line: Line) -> AsyncIterator[MeterSession]:
        """Nothing to open but the meter's identity to be sure of."""
        session = ModbusSession(self, line)
        if not self.known:
            await self._recognise(session)
            self._known_in = self.exchange.connections
        yield session

    async def greet(self, line: Line, registers: Sequence[StateRegister]) -> None:
        """Make sure who the meter is and that it answers the first request for `registers`. Raises `DeviceError`,
        `LineDownError`.
        """
        async with self.session(line):
            await ModbusSession(self, line).ask(self.plan(registers)[0].request)

    @property
    def known(self) -> bool:
        """Whether the meter is sure to be the right one, on this connection."""
        return self._known_in == self.exchange.connections

    def tears(self, registers: Sequence[StateRegister]) -> bool:
        """Whether reading `registers` takes two answers that agree."""
        items = [self.map.item(register.item or "") for register in registers]
        return self.map.tearing and any(_may_tear(item) for item in items)

    def forget(self) -> None:
        """The meter was silent: it may be another one when it answers again."""
        self._known_in = None

    def plan(self, registers: Sequence[StateRegister]) -> list[PlannedRead]:
        """The requests for `registers`; a SunSpec device must be recognised before."""
        key = tuple(registers)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._make_plan(key)
        return plan

    def _make_plan(self, registers: tuple[StateRegister, ...]) -> list[PlannedRead]:
        base = self._models[1].address if self._models else 0
        items = [self.map.item(register.item or "") for register in registers]
        blocks = []
        for read in block_reads(self.map, items):
            request = Request.registers(self.unit, self.map.function, base + read.address, read.count)
            columns = [(item, place) for item in read.items for place, other in enumerate(items) if other == item]
            decoder = Decoder(read, [(item, registers[place].exponent) for item, place in columns])
            counted = [item for item in read.items if _may_tear(item)]
            tears = self.map.tearing and counted
            counters = Decoder(read, [(item, item.exponent) for item in counted]) if tears else None
            blocks.append(PlannedRead(request, decoder, tuple(place for _, place in columns), counters))
        return blocks

    # -- who is it

    async def _recognise(self, session: ModbusSession) -> None:
        if self.map.sunspec:
            await self._find_models(session)
        expected = self._device.identity
        if expected is None:
            return
        stated = expected.stated()
        found: dict[str, str] = {}
        for name, fact in (("serial", self.map.identity.serial), ("code", self.map.identity.code)):
            if name in stated and fact is not None:
                found[name] = await self._fact(session, fact)
        if "vendor" in stated or "product" in stated:
            objects = await self._identification(session)
            found |= {"vendor": objects.get(VENDOR, ""), "product": objects.get(PRODUCT, "")}
        differ = mismatches(expected, found)
        if differ:
            told = "; ".join(
                f"{name} {shown or 'none'!r}, expected {value!r}" for name, (value, shown) in differ.items()
            )
            raise DeviceMismatchError(
                f"Unit {self.unit} is not {self._device.id}: it shows {told}. It is not read; check the wiring, or "
                "correct the identity in the configuration.",
                differ,
            )

    async def _fact(self, session: ModbusSession, fact: Fact) -> str:
        base = self._models[0].address if self._models else 0
        function = fact.function or self.map.function
        return fact_text(fact, await session.read_registers(function, base + fact.address, fact.registers))

    async def _identification(self, session: ModbusSession) -> dict[int, str]:
        objects: dict[int, str] = {}
        first = 0
        for _ in range(IDENTIFICATION_PARTS):
            part = decode_identification(await session.ask(Request.identification(self.unit, first)))
            objects |= part.objects
            if part.next is None or part.next <= first:
                break
            first = part.next
        return objects

    async def _find_models(self, session: ModbusSession) -> None:
        """Where the models are stays known until the device shows something else there."""
        if self._models is not None and await self._still_there(session, self._models[1]):
            return
        self._models = None
        self._plans.clear()
        discovery = Discovery()
        try:
            while (wanted := discovery.wanted) is not None:
                try:
                    registers = await session.read_registers(self.map.function, *wanted)
                except DeviceRefusedError:
                    discovery.refused()
                else:
                    discovery.tell(registers)
            self._models = choose(discovery.models, self.map.sunspec)
        except SunSpecError as error:
            raise DeviceMismatchError(
                f"Unit {self.unit} cannot be read as {self._device.id} ({self.map.model}): {error}.",
                {"models": (", ".join(map(str, self.map.sunspec)), ", ".join(str(m.number) for m in discovery.models))},
            ) from None

    async def _still_there(self, session: ModbusSession, model: Model) -> bool:
        try:
            registers = await session.read_registers(self.map.function, model.address, 2)
        except DeviceRefusedError:
            return False
        return registers == model.number.to_bytes(2, "big") + model.length.to_bytes(2, "big")


def _may_tear(item: Item) -> bool:
    return item.group == "energy" and item.count > 1


def map_of(device: DeviceConfig) -> DeviceMap:
    """The device map as the device is set."""
    found = find_map(device.model)
    return found if device.word_order is None else found.with_word_order(device.word_order)
