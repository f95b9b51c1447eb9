"""What a new configuration changes on the lines: pure. A bus whose line is the same keeps its connection and task."""

from dataclasses import dataclass

from msgspec.structs import replace

from edge.config import BusConfig, DeviceConfig, EdgeConfig


@dataclass(frozen=True, slots=True)
class Difference:
    """From one configuration to another."""

    stopped: tuple[str, ...] = ()
    """Buses that are gone, or whose line is another one."""
    started: tuple[BusConfig, ...] = ()
    """Buses that are new, or whose line is another one, with their devices."""
    removed: tuple[str, ...] = ()
    """Devices that leave a bus that stays; a changed device leaves and comes."""
    added: tuple[tuple[str, DeviceConfig], ...] = ()
    """Bus and device, on buses that stay."""


def difference(old: EdgeConfig, new: EdgeConfig) -> Difference:
    """What must be stopped and started to go from `old` to `new`; everything else runs on."""
    before, after = {bus.name: bus for bus in old.buses}, {bus.name: bus for bus in new.buses}
    stay = {name for name in before if name in after and _line(before[name]) == _line(after[name])}
    removed: list[str] = []
    added: list[tuple[str, DeviceConfig]] = []
    for name in before:
        if name in stay:
            was = {device.id: device for device in before[name].devices}
            now = {device.id: device for device in after[name].devices}
            removed += [each for each, device in was.items() if now.get(each) != device]
            added += [(name, device) for each, device in now.items() if was.get(each) != device]
    return Difference(
        stopped=tuple(name for name in before if name not in stay),
        started=tuple(bus for name, bus in after.items() if name not in stay),
        removed=tuple(removed),
        added=tuple(added),
    )


def _line(bus: BusConfig) -> BusConfig:
    return replace(bus, devices=[])
