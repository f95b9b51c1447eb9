"""EDIFACT like MSCONS: our own small tolerant reader of what such messages have in common.

Read: LOC+172 (metering point), LIN, PIA+5 (OBIS), QTY (220 true, 67 substitute, Z18 provisional; the mapping may name
more), DTM+163/164 (begin and end of an interval), DTM+9 or 7 or 163 alone (instant of a state). Everything else is
stepped over. "Like", because the profile of a market is more than this and is not checked. Source: UN/EDIFACT syntax
(ISO 9735) and public descriptions of MSCONS D.04B.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np

from central.platform.errors import BadInput
from central.readings.transfer.decimals import parse_decimals
from central.readings.transfer.mapping import FLAGS, MsconsMapping
from central.readings.transfer.series import Parsed, Problems, SeriesFacts, nothing
from central.readings.transfer.stamps import Wall, instants, parse_stamp, zone_of
from shared.quantities import Kind

MOST_SEGMENTS: Final = 5_000_000
_FORMATS: Final = {"203": "%Y%m%d%H%M", "303": "%Y%m%d%H%M"}
_UNITS: Final = {
    "KWH": ("Wh", 3),
    "MWH": ("Wh", 6),
    "WHR": ("Wh", 0),
    "KVR": ("varh", 3),
    "K3": ("varh", 3),
    "MTQ": ("m3", 0),
}
_CONTROL: Final = re.compile(r"[\0-\4]")
_ZONE_303: Final = re.compile(r"([+-]?)([0-9]{2})(?::?([0-9]{2}))?")


@dataclass(slots=True)
class _Value:
    line: int
    text: str
    qualifier: str
    unit: str
    begin: Wall | None = None
    end: Wall | None = None
    faulty: bool = False


@dataclass(slots=True)
class _Message:
    location: str = ""
    register: str = ""
    values: dict[str, list[_Value]] = field(default_factory=dict)
    open: _Value | None = None


def read_mscons(content: bytes, mapping: MsconsMapping) -> Parsed:
    """The series of an interchange; keys are LOC, or LOC/PIA where the line has a PIA."""
    problems = Problems()
    state = _Message()
    for line, elements in _segments(content):
        tag = elements[0][0]
        match tag:
            case "UNH" | "LOC" if tag == "UNH" or (len(elements) > 2 and elements[1][0] == "172"):
                state.location = elements[2][0] if tag == "LOC" else ""
                state.register, state.open = "", None
            case "LIN":
                state.register, state.open = "", None
            case "PIA" if len(elements) > 2:
                state.register = elements[2][0]
            case "QTY":
                state.open = _quantity(line, elements, mapping, state, problems)
            case "DTM" if state.open is not None and len(elements) > 1:
                _stamp(line, elements[1], state.open, problems)
            case _:
                pass
    return _parsed(state.values, mapping, problems)


def _segments(content: bytes) -> Iterator[tuple[int, list[list[str]]]]:
    """Segments as (line, elements of components)."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("iso-8859-1")
    if found := _CONTROL.search(text):
        raise BadInput("edifact", f"The file has the octet 0x{ord(found[0]):02x}, which no EDIFACT interchange has.")
    component, element, release, terminator = ":", "+", "?", "'"
    body = text.lstrip()
    line = 1 + text.count("\n", 0, len(text) - len(body))
    if body.startswith("UNA") and len(body) >= 9:
        component, element, release, terminator = body[3], body[4], body[6], body[8]
        body = body[9:]
    if not body.lstrip().startswith(("UNB" + element, "UNH" + element)):
        raise BadInput("edifact", "The file is no EDIFACT interchange: it does not begin with UNA, UNB or UNH.")
    signs = {component, element, release, terminator}
    if len(signs) != 4 or any(sign.isalnum() or sign in "\r\n" for sign in signs):
        raise BadInput("edifact", "The service string advice (UNA) names signs that cannot be told apart.")
    # Released signs stand in as control characters, so that the rest is plain splitting.
    released = {release: "\1", terminator: "\2", element: "\3", component: "\4"}
    if release != " ":
        for sign, stand_in in released.items():
            body = body.replace(release + sign, stand_in)
    back = {ord(stand_in): sign for sign, stand_in in released.items()}
    count = 0
    for raw in body.split(terminator):
        segment = raw.strip()
        if segment:
            count += 1
            if count > MOST_SEGMENTS:
                raise BadInput("size", f"The file has more than {MOST_SEGMENTS} segments; send it in parts.")
            elements = [each.split(component) for each in segment.split(element)]
            if _CONTROL.search(segment):
                elements = [[part.translate(back) for part in each] for each in elements]
            yield line + raw[: len(raw) - len(raw.lstrip())].count("\n"), elements
        line += raw.count("\n")


def _quantity(
    line: int, elements: list[list[str]], mapping: MsconsMapping, state: _Message, problems: Problems
) -> _Value | None:
    parts = elements[1] if len(elements) > 1 else []
    if len(parts) < 2:
        problems.add(line, "QTY", "+".join(map(":".join, elements)), "QTY+quality:value")
        return None
    if not state.location:
        problems.add(line, "QTY", parts[1], "a LOC+172 with the metering point before it")
        return None
    value = _Value(line, parts[1].strip(), parts[0], parts[2].strip() if len(parts) > 2 else "")
    if value.qualifier not in mapping.qualities:
        problems.add(line, "QTY", value.qualifier, f"a quality: {', '.join(sorted(mapping.qualities))}")
        value.faulty = True
    if value.unit and value.unit not in _UNITS:
        problems.add(line, "QTY", value.unit, f"a unit: {', '.join(sorted(_UNITS))}")
        value.faulty = True
    key = f"{state.location}/{state.register}" if state.register else state.location
    state.values.setdefault(key, []).append(value)
    return value


def _stamp(line: int, parts: list[str], value: _Value, problems: Problems) -> None:
    if parts[0] not in ("163", "164", "9", "7"):
        return
    wall = _wall(parts[1] if len(parts) > 1 else "", parts[2] if len(parts) > 2 else "203")
    if wall is None:
        problems.add(line, f"DTM+{parts[0]}", ":".join(parts[1:]), "an instant in format 203 or 303")
        value.faulty = True
    elif parts[0] == "164":
        value.end = wall
    else:
        value.begin = wall


@lru_cache(maxsize=100_000)
def _wall(text: str, code: str) -> Wall | None:
    if code not in _FORMATS or len(text) < 12:
        return None
    wall = parse_stamp(text[:12], _FORMATS[code])
    rest = text[12:]
    if wall is None or not rest:
        return wall
    zone = _ZONE_303.fullmatch(rest)
    if zone is None or code != "303":
        return None
    minutes = int(zone[2]) * 60 + int(zone[3] or 0)
    if minutes > 14 * 60:
        return None
    return Wall(wall.ms - (-minutes if zone[1] == "-" else minutes) * 60_000, True)


def _parsed(values: dict[str, list[_Value]], mapping: MsconsMapping, problems: Problems) -> Parsed:
    import pyarrow as pa

    keys = list(values)
    flat = [(place, value) for place, key in enumerate(keys) for value in values[key]]
    if not flat:
        return nothing(problems)
    facts = [_facts(key, values[key], mapping, problems) for key in keys]
    for place, value in flat:
        if value.faulty:
            continue
        step = facts[place].step_ms
        if value.begin is None:
            problems.add(value.line, "QTY", value.text, "DTM+163 (or 9, 7 of a state) after it")
            value.faulty = True
        elif step and value.end is not None and value.end.ms - value.begin.ms != step:
            problems.add(value.line, "DTM+164", value.text, f"an interval of {step // 1000} s")
            value.faulty = True
    kept = [(place, value, value.begin) for place, value in flat if not value.faulty and value.begin is not None]
    number, whole, nano = parse_decimals(pa.array([value.text for _, value, _ in kept], pa.string()))
    key = np.array([place for place, _, _ in kept], np.int64)
    line = np.array([value.line for _, value, _ in kept], np.int64)
    flags = np.array([FLAGS.get(mapping.qualities[value.qualifier], -1) for _, value, _ in kept], np.int64)
    bad = np.flatnonzero(~number & (flags >= 0))
    problems.add_many(line[bad], ["QTY"] * len(bad), [kept[n][1].text for n in bad.tolist()], "a decimal number")
    at_ms, faults = instants(
        np.array([begin.ms for *_, begin in kept], np.int64),
        np.array([begin.utc for *_, begin in kept], np.bool_),
        key,
        np.array([facts[place].step_ms for place, _, _ in kept], np.int64),
        zone=zone_of(mapping.zone),
        ends=False,
        repeated="order",
    )
    gap = np.flatnonzero(faults["gap"])
    problems.add_many(line[gap], ["DTM"] * len(gap), ["local time"] * len(gap), f"a time that {mapping.zone} has")
    keep = number & (flags >= 0) & ~faults["gap"]
    arrays = (whole[keep], nano[keep], flags[keep].astype(np.int32), line[keep])
    empty = int(np.count_nonzero(flags < 0))
    return Parsed(keys, facts, key[keep].astype(np.int32), at_ms[keep], *arrays, empty, problems)


def _facts(key: str, values: list[_Value], mapping: MsconsMapping, problems: Problems) -> SeriesFacts:
    """What the mapping says, the message's own unit before it; values without an end are states."""
    facts = mapping.facts(key)
    units = {value.unit for value in values}
    if len(units) > 1:
        problems.add(values[0].line, "QTY", ", ".join(sorted(units)), f"one unit for all values of {key}")
    unit = _UNITS.get(next(iter(units)))
    state = facts.kind is Kind.STATE or all(value.end is None for value in values)
    return SeriesFacts(
        Kind.STATE if state else facts.kind,
        0 if state else facts.step_ms,
        unit[0] if unit else facts.unit,
        unit[1] if unit else facts.exponent,
        facts.sign,
    )
