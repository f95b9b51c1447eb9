"""What a well-formed scenario can still get wrong: addresses, registers, references, units."""

from collections.abc import Iterator
from datetime import UTC
from typing import Final, NamedTuple

from firmware_sims.data_faults import DataFaults, PowerCut, Rows, shown
from firmware_sims.loads.model import Capacitive, Heating, Inductive, Sum
from firmware_sims.maps.schema import register_map
from firmware_sims.scenario_model import (
    Channel,
    DlmsMeter,
    Iec62056Meter,
    Line,
    MBusMeter,
    Meter,
    ModbusMeter,
    PtyLine,
    Scenario,
)
from shared.clock import EPOCH
from shared.identifiers import Obis
from shared.iec62056.messages import BAUD_CODES
from shared.metering_day import STEP
from shared.quantities import Commodity

ACTIVE_IMPORT: Final = ("1-0:1.29.0", "import")
ACTIVE_EXPORT: Final = ("1-0:2.29.0", "export")
TARIFF_STATE: Final = "1-0:1.8.0"


class Fault(NamedTuple):
    """The first thing that is wrong: where, and a sentence."""

    place: str
    sentence: str


def find_fault(scenario: Scenario) -> Fault | None:
    """The first fault of the scenario, or None."""
    return next(_faults(scenario), None)


def _faults(scenario: Scenario) -> Iterator[Fault]:
    if scenario.origin.astimezone(UTC).strftime("%M:%S.%f") != "00:00.000000":
        yield Fault("origin", f"{scenario.origin.isoformat()} is not a full hour; give one.")
    meters = {meter.id: meter for meter in scenario.meters}
    names: set[str] = set()
    ids: set[str] = set()
    endpoints: set[str] = set()
    for i, line in enumerate(scenario.lines):
        place = f"lines[{i}]"
        if line.name in names:
            yield Fault(f"{place}.name", f'two lines are named "{line.name}"; each needs a name of its own.')
        names.add(line.name)
        endpoint = line.link if isinstance(line, PtyLine) else f"{line.host}:{line.port}"
        if endpoint in endpoints:
            yield Fault(place, f"two lines use {endpoint}; each needs its own.")
        endpoints.add(endpoint)
        if isinstance(line, PtyLine) and line.opening == "mode-e":
            yield from _opening_faults(line, place)
        yield from _line_faults(line, place)
        addresses: set[tuple[int | str | None, ...]] = set()
        for j, meter in enumerate(line.meters):
            at = f"{place}.meters[{j}]"
            if meter.id in ids:
                yield Fault(f"{at}.id", f'two meters have the id "{meter.id}"; each needs its own.')
            ids.add(meter.id)
            yield from _address_faults(line, meter, at)
            address = _address(meter)
            if address in addresses:
                yield Fault(at, f"two meters of the line {line.name} have the address of {meter.id}; change one.")
            addresses.add(address)
            yield from _meter_faults(meter, meters, at)


def _opening_faults(line: PtyLine, place: str) -> Iterator[Fault]:
    if line.protocol != "hdlc":
        yield Fault(f"{place}.opening", f"mode-e opens HDLC, and the line {line.name} speaks {line.protocol}.")
    if line.baud not in BAUD_CODES:
        wanted = ", ".join(map(str, BAUD_CODES))
        yield Fault(f"{place}.baud", f"{line.baud} cannot be offered in an opening; expected one of {wanted}.")


def _address(meter: Meter) -> tuple[int | str | None, ...]:
    if isinstance(meter, ModbusMeter):
        return (meter.unit,)
    if isinstance(meter, Iec62056Meter):
        return (meter.device or meter.serial or meter.id,)
    return (meter.address.server, meter.address.physical, meter.address.wport)


def _address_faults(line: Line, meter: Meter, at: str) -> Iterator[Fault]:
    expected = {"modbus-rtu": "modbus", "modbus-tcp": "modbus", "iec62056-21": "iec62056-21"}.get(line.protocol, "dlms")
    if ("modbus" if isinstance(meter, ModbusMeter) else meter.__struct_config__.tag) != expected:
        told = "Modbus meters" if expected == "modbus" else f"meters of the model {expected}"
        yield Fault(f"{at}.model", f"a line of {line.protocol} carries {told} only.")
    elif isinstance(meter, DlmsMeter):
        serial = line.protocol == "hdlc"
        fits = (meter.address.server is not None) == serial and (meter.address.wport is None) == serial
        if not fits:
            expected = "server and, on a shared bus, physical" if serial else "wport"
            yield Fault(f"{at}.address", f"a meter on {line.protocol} is addressed by {expected}; give just that.")
        if line.protocol == "dlms-wrapper" and meter.address.physical is not None:
            yield Fault(f"{at}.address.physical", f"{meter.address.physical} means nothing on TCP; leave it out.")


def _line_faults(line: Line, place: str) -> Iterator[Fault]:
    if line.faults is None:
        return
    known = {meter.id for meter in line.meters}
    named = [(f"dead[{n}]", outage.meter) for n, outage in enumerate(line.faults.dead)]
    named += [(f"restarts[{n}]", restart.meter) for n, restart in enumerate(line.faults.restarts)]
    for where, meter in named:
        if meter not in known:
            yield Fault(f"{place}.faults.{where}.meter", f'"{meter}" is no meter of the line {line.name}; name one.')
    if line.faults.echo and not isinstance(line, PtyLine):
        yield Fault(f"{place}.faults.echo", "a TCP listener does not echo; only a pty line does.")


def _meter_faults(meter: Meter, meters: dict[str, Meter], at: str) -> Iterator[Fault]:
    registers: set[str] = set()
    for k, channel in enumerate(meter.channels):
        here = f"{at}.channels[{k}]"
        for register in (channel.register, channel.state):
            if register in registers:
                yield Fault(here, f"the register {register} stands twice in the meter {meter.id}; once is right.")
            if register is not None:
                registers.add(register)
        yield from _register_faults(meter, channel, here)
        yield from _digit_faults(meter, channel, here)
        yield from _load_faults(meter, channel, meters, here)
    if not isinstance(meter, ModbusMeter) and meter.tariff is not None:
        yield from _tariff_faults(meter, at)
    if isinstance(meter, ModbusMeter):
        yield from _modbus_faults(meter, at)
    if not isinstance(meter, ModbusMeter) and meter.data_faults is not None:
        yield from _data_faults(meter, meter.data_faults, f"{at}.data_faults")
    if isinstance(meter, DlmsMeter):
        yield from _security_faults(meter, at)
        yield from _mbus_faults(meter, meters, at)


def _modbus_faults(meter: ModbusMeter, at: str) -> Iterator[Fault]:
    found = register_map(meter.map_name)
    names = {item.name for item in (*found.input, *found.holding)}
    for name in meter.unavailable:
        if name not in names:
            yield Fault(f"{at}.unavailable", f'a {meter.map_name} has no "{name}"; it has {", ".join(sorted(names))}.')
    models = found.sunspec.models if found.sunspec is not None else ()
    if meter.sunspec_model is not None and meter.sunspec_model not in models:
        expected = ", ".join(map(str, models)) or "none, it is no SunSpec meter"
        yield Fault(
            f"{at}.sunspec_model", f"{meter.sunspec_model} is no model of a {meter.map_name}; it has {expected}."
        )


def _security_faults(meter: DlmsMeter, at: str) -> Iterator[Fault]:
    for client, security in meter.security.items():
        here = f"{at}.security.{client}"
        for name, obis in (("counter", security.counter), ("association", security.association)):
            if not _is_obis(obis):
                yield Fault(f"{here}.{name}", f'"{obis}" is no OBIS code; expected one like 0-0:43.1.0.')
        if security.mechanism == "low" and client not in meter.passwords:
            yield Fault(f"{here}.mechanism", f"low needs a password; passwords has none for the client {client}.")


def _mbus_faults(meter: DlmsMeter, meters: dict[str, Meter], at: str) -> Iterator[Fault]:
    used: set[int] = set()
    for k, behind in enumerate(meter.mbus):
        here = f"{at}.mbus[{k}]"
        if behind.id in meters:
            yield Fault(f"{here}.id", f'two meters have the id "{behind.id}"; each needs its own.')
        if behind.channel in used:
            yield Fault(f"{here}.channel", f"two meters are on the channel {behind.channel}; each needs its own.")
        used.add(behind.channel)
        yield from _digit_faults(behind, behind.channels[0], f"{here}.channels[0]")
        yield from _load_faults(behind, behind.channels[0], meters, f"{here}.channels[0]")


def _register_faults(meter: Meter, channel: Channel, here: str) -> Iterator[Fault]:
    if isinstance(meter, ModbusMeter):
        if channel.register not in ("import", "export"):
            yield Fault(f"{here}.register", f'a Modbus meter has "import" and "export", not "{channel.register}".')
        if channel.state is not None:
            yield Fault(f"{here}.state", f"a Modbus meter's register is a state itself; leave out {channel.state}.")
        found = register_map(meter.map_name)
        if found.initial_max is not None and channel.initial > found.initial_max:
            yield Fault(
                f"{here}.initial",
                f"{channel.initial} x {found.step_wh} Wh does not leave a float32 its {found.step_wh} Wh; at most "
                f"{found.initial_max}.",
            )
        return
    for name, register in (("register", channel.register), ("state", channel.state)):
        if register is not None and not _is_obis(register):
            yield Fault(f"{here}.{name}", f'"{register}" is no OBIS code; expected one like 1-0:1.29.0.')


def _digit_faults(meter: Meter | MBusMeter, channel: Channel, here: str) -> Iterator[Fault]:
    if shown(channel.initial, meter.digits) != channel.initial:
        yield Fault(f"{here}.initial", f"{channel.initial} has no room in the {meter.digits} digits of {meter.id}.")


def _data_faults(meter: DlmsMeter | Iec62056Meter, faults: DataFaults, at: str) -> Iterator[Fault]:
    step = STEP[meter.commodity]
    for name in ("lost", "invalid", "repeated", "late"):
        rows: Rows = getattr(faults, name)
        for k, end in enumerate(rows.ends):
            if (end - EPOCH) % step:
                yield Fault(
                    f"{at}.{name}.ends[{k}]", f"no interval of {meter.id} ends at {end.isoformat()}; they last {step}."
                )
    last: PowerCut | None = None
    for k, cut in enumerate(faults.power_cuts):
        if last is not None and cut.at < last.back:
            yield Fault(
                f"{at}.power_cuts[{k}].at",
                f"at {cut.at.isoformat()} power is not back yet, it is at {last.back.isoformat()}; give cuts in order.",
            )
        if cut.clock_stops and isinstance(meter, Iec62056Meter):
            yield Fault(f"{at}.power_cuts[{k}].clock_stops", "the clock of a mode C meter does not stop; leave it out.")
        last = cut


def _is_obis(text: str) -> bool:
    try:
        return str(Obis.parse(text)) == text
    except ValueError:
        return False


def _load_faults(meter: Meter | MBusMeter, channel: Channel, meters: dict[str, Meter], here: str) -> Iterator[Fault]:
    load = channel.load
    at = f"{here}.load"
    if isinstance(load, Heating) != (meter.commodity is Commodity.GAS):
        yield Fault(at, f"the load kind heating and the commodity gas go together; {meter.id} has only one of them.")
    if isinstance(load, Inductive | Capacitive):
        names = [other.register for other in meter.channels if not isinstance(other.load, Inductive | Capacitive)]
        if load.of not in names:
            yield Fault(f"{at}.of", f'"{load.of}" is no active register of {meter.id}; expected one of {names}.')
    if isinstance(load, Sum):
        for id in load.of:
            other = meters.get(id)
            if other is None:
                yield Fault(f"{at}.of", f'there is no meter "{id}" in the scenario; name one of its meters.')
            elif other.commodity is not Commodity.ELECTRICITY:
                yield Fault(f"{at}.of", f"{id} is a gas meter; a sum takes electricity meters.")
            elif any(isinstance(c.load, Sum) for c in other.channels):
                yield Fault(f"{at}.of", f"{id} is a sum itself; name the meters behind it.")


def _tariff_faults(meter: DlmsMeter | Iec62056Meter, at: str) -> Iterator[Fault]:
    assert meter.tariff is not None
    hours = meter.tariff.nt_hours
    if len(hours) % 2 or len(set(hours)) != len(hours):
        yield Fault(
            f"{at}.tariff.nt_hours", f"{list(hours)} are not pairs of switching times; expected begin, end, begin ..."
        )
    channel = next((channel for channel in meter.channels if channel.state == TARIFF_STATE), None)
    if channel is None:
        yield Fault(f"{at}.tariff", f"{meter.id} has no channel with the state {TARIFF_STATE} to divide; add it.")
    elif meter.tariff.initial_nt is not None and meter.tariff.initial_nt > channel.initial:
        yield Fault(
            f"{at}.tariff.initial_nt",
            f"{meter.tariff.initial_nt} is more than the total {channel.initial}; expected at most that.",
        )
