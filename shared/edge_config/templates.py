"""Device templates: a device that names one takes its fields, and overrides them. Pure, on the decoded JSON.

A device is laid over its template as by JSON merge patch (RFC 7396): objects field by field, lists and values as a
whole, null takes a field away. Templates of the configuration itself come before shipped ones
(shared/device_templates).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from shared.device_templates import merged

OWN: Final = frozenset({"id", "template"})
"""What a device says itself, always."""


@dataclass(slots=True)
class Expanded:
    """The configuration without templates, what was wrong on the way, and where each device's fields come from."""

    data: Any
    problems: list[str] = field(default_factory=list)
    origins: dict[str, tuple[str, frozenset[str]]] = field(default_factory=dict)
    """By the device's place: template, and the fields that are the template's alone."""

    def origin(self, place: str) -> str:
        """` (from the template 'x')` for a place whose value a template gave, else nothing."""
        for device, (name, fields) in self.origins.items():
            if place.startswith(f"{device}."):
                first = place[len(device) + 1 :].split(".")[0].split("[")[0]
                return f" (from the template {name!r})" if first in fields else f" (over the template {name!r})"
        return ""


def expand(data: Any, shipped: Mapping[str, Mapping[str, Any]], known: frozenset[str]) -> Expanded:
    """`data` with every device laid over its template; `known` are the fields that a device may have.

    What has not the shape of a configuration is left as it is, for those who check shapes.
    """
    found = Expanded(data)
    if not isinstance(data, dict):
        return found
    own = data.get("templates", {})
    if not isinstance(own, dict):
        found.problems.append(f"at templates: a {type(own).__name__} is no object; give templates by name.")
        return found
    for name, template in own.items():
        found.problems += _wrong(name, template, known)
    templates = {**shipped, **own}
    buses = data.get("buses")
    if isinstance(buses, list):
        expanded = [_bus(bus, f"buses[{b}]", templates, found) for b, bus in enumerate(buses)]
        found.data = {**data, "buses": expanded}
    return found


def _wrong(name: str, template: Any, known: frozenset[str]) -> list[str]:
    place = f"at templates.{name}"
    if not isinstance(template, dict):
        return [f"{place}: a template is an object with fields of a device."]
    return [
        f"{place}.{each}: a template has no field {each!r}; it may have {', '.join(sorted(known - OWN))}."
        for each in template
        if each not in known - OWN
    ]


def _bus(bus: Any, place: str, templates: Mapping[str, Any], found: Expanded) -> Any:
    if not isinstance(bus, dict) or not isinstance(bus.get("devices"), list):
        return bus
    devices = [_device(device, f"{place}.devices[{d}]", templates, found) for d, device in enumerate(bus["devices"])]
    return {**bus, "devices": devices}


def _device(device: Any, place: str, templates: Mapping[str, Any], found: Expanded) -> Any:
    name = device.get("template") if isinstance(device, dict) else None
    if not isinstance(name, str):
        return device
    template = templates.get(name)
    if template is None:
        there = ", ".join(sorted(templates)) or "none"
        found.problems.append(f"at {place}.template: there is no template {name!r}; there are {there}.")
        return device
    if not isinstance(template, dict):
        return device
    found.origins[place] = name, frozenset(template) - frozenset(device)
    return merged(template, device)
