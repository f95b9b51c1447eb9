"""States with times of their own: each capture once, also across a restart."""

from pathlib import Path

from edge.captured import not_taken_yet
from edge.config import StateRegister
from edge.drivers.port import StateReading
from edge.outbox.model import Deposit
from edge.outbox.outbox import Outbox
from shared.quantities import Unit

GAS = StateRegister(unit=Unit.M3, register="7-0:3.0.0", exponent=-3, obis="0-1:24.2.1", class_id=4)
ENERGY = StateRegister(unit=Unit.WH, register="1-0:1.8.0", obis="1-0:1.8.0")


async def test_a_capture_is_taken_once(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    first, same, newer = (StateReading(GAS, value, at, captured=True) for value, at in ((5, 100), (5, 100), (6, 200)))
    outbox = await Outbox.open(path)
    fresh, marks = await not_taken_yet(outbox, "EL", [first])
    assert fresh == [first]
    await outbox.deposit(Deposit(remember=marks))
    await outbox.close()
    outbox = await Outbox.open(path)
    assert await not_taken_yet(outbox, "EL", [same]) == ([], {})
    assert (await not_taken_yet(outbox, "EL", [newer]))[0] == [newer]
    assert (await not_taken_yet(outbox, "EL-2", [same]))[0] == [same]  # another device
    await outbox.close()


async def test_registers_that_show_the_present_are_always_taken(tmp_path: Path) -> None:
    outbox = await Outbox.open(tmp_path / "outbox.sqlite")
    readings = [StateReading(ENERGY, 5, 100), StateReading(ENERGY, 5, 100)]
    assert await not_taken_yet(outbox, "EL", readings) == (readings, {})
    await outbox.close()
