"""What a concentrator should run, from what the registry says of it: pure.

A plan is the body of a configuration in which keys stand as `{"key": {meter, field, version}}`: it may be shown and
compared, and says when a key is another one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from central.network.configuration_body import problems, rules_broken
from shared.device_templates import merged
from shared.metering_day import day_of
from shared.quantities import Commodity

GIVEN: Final = ("buses", "edge", "number", "templates", "mqtt", "outbox", "control", "page")
"""Fields of a configuration that a concentrator's settings may not give: generated, or the local file's."""


@dataclass(frozen=True, slots=True)
class PlannedMeter:
    """A meter as the registry has it on a line; `device` is its template's, `keys` versions by field."""

    id: str
    serial: str
    commodity: str
    address: Mapping[str, Any]
    template: str
    device: Mapping[str, Any]
    check_serial: bool
    overrides: Mapping[str, Any]
    since: datetime | None
    keys: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PlannedBus:
    """A line and its meters."""

    name: str
    protocol: str
    link: Mapping[str, Any]
    phase_ms: int
    meters: Sequence[PlannedMeter]


def plan(buses: Sequence[PlannedBus], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The plan; buses without meters are left out, so that a port is not opened for nobody."""
    return {
        **settings,
        "buses": [
            {
                "name": bus.name,
                "protocol": bus.protocol,
                "link": dict(bus.link),
                "phase_ms": bus.phase_ms,
                "devices": [device(meter) for meter in sorted(bus.meters, key=lambda each: each.id)],
            }
            for bus in sorted(buses, key=lambda each: each.name)
            if bus.meters
        ],
    }


def device(meter: PlannedMeter) -> dict[str, Any]:
    """One meter: its template, what it has of its own, and over both what was overridden for it."""
    own: dict[str, Any] = {"address": dict(meter.address)}
    if meter.device.get("profile") and meter.since is not None:
        # From the metering day of the mounting on: the concentrator reads whole days.
        day = day_of(Commodity(meter.commodity), meter.since)
        own["profile"] = {"since": day.start.isoformat()}
    if meter.check_serial:
        own["identity"] = {"serial": meter.serial}
    whole = merged(merged(meter.device, own), meter.overrides)
    if isinstance(whole.get("security"), dict):
        keys = {
            field.removeprefix("security."): {"key": {"meter": meter.id, "field": field, "version": version}}
            for field, version in sorted(meter.keys.items())
        }
        whole = {**whole, "security": {**whole["security"], **keys}}
    return {"id": meter.id, **whole}


def with_keys(data: Any, given: Callable[[str, str, int], Any]) -> Any:
    """The plan with `given(meter, field, version)` in the place of each key."""
    if isinstance(data, dict):
        if set(data) == {"key"} and isinstance(data["key"], dict):
            key = data["key"]
            return given(key["meter"], key["field"], key["version"])
        return {name: with_keys(value, given) for name, value in data.items()}
    if isinstance(data, list):
        return [with_keys(each, given) for each in data]
    return data


def wrong_in(found: Mapping[str, Any], concentrator: str) -> list[str]:
    """What the concentrator would refuse, each with the bus and the meter where it is."""
    body = with_keys({**found, "edge": concentrator, "number": 1}, lambda *_: {"sealed": "AA=="})
    return [_named(each, found) for each in sorted(problems(body)) or rules_broken(body)]


def _named(problem: str, found: Mapping[str, Any]) -> str:
    """`at buses[0].devices[1].address: ...` said with the names of the bus and of the meter."""
    place, _, said = problem.removeprefix("at ").partition(": ")
    steps = place.replace("[", ".").replace("]", "").split(".")
    if steps[:1] != ["buses"] or len(steps) < 2:
        return problem
    bus = found["buses"][int(steps[1])]
    if steps[2:3] != ["devices"] or len(steps) < 4:
        return f"at {'.'.join(steps[2:]) or 'the whole'} of the bus {bus['name']}: {said}"
    meter = bus["devices"][int(steps[3])]["id"]
    return f"at {'.'.join(steps[4:]) or 'the whole'} of {meter} on the bus {bus['name']}: {said}"


def differences(before: Any, after: Any, place: str = "") -> Iterator[dict[str, Any]]:
    """Places in which two plans differ; lists of things with an id or a name are compared by it."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            here = f"{place}.{name}".lstrip(".")
            yield from differences(before.get(name, _ABSENT), after.get(name, _ABSENT), here)
    elif _is_named(before) and _is_named(after):
        yield from differences(_by_name(before), _by_name(after), place)
    elif before != after:
        yield {
            "place": place,
            "before": None if before is _ABSENT else before,
            "after": None if after is _ABSENT else after,
        }


_ABSENT: Final = object()


def _is_named(data: Any) -> bool:
    return isinstance(data, list) and all(
        isinstance(each, dict) and ("id" in each or "devices" in each) for each in data
    )


def _by_name(data: list[dict[str, Any]]) -> dict[str, Any]:
    return {str(each.get("id", each.get("name"))): each for each in data}
