"""CDSDATA as series of an imported file: the one reader of interval data (121) and states (122), for readings too.

Readings stand below the market and know no message: the format brings its reader to them (`install_reader`).
"""

from datetime import datetime, time
from decimal import Decimal
from typing import Final

import numpy as np

from central.market.cdsdata import IntervalData
from central.market.contents import read_any
from central.market.errors import MarketError
from central.market.format_package import FormatPackage, load_package
from central.market.payloads.meter_states import MeterStates
from central.market.xml import XmlLimits
from central.platform.errors import BadInput
from central.readings.calendar import to_ms
from central.readings.transfer.files import MOST_OCTETS
from central.readings.transfer.mapping import FLAGS, CdsdataMapping
from central.readings.transfer.readers import register_reader
from central.readings.transfer.series import NANO, Parsed, Problems, SeriesFacts, nothing
from shared.metering_day import PRAGUE
from shared.quantities import Kind, Quality

PACKAGE: Final = "sandbox-2026"
_LARGEST: Final = 2**62
_FLAGS: Final = np.array(
    [FLAGS["substitute"] if quality > Quality.PROVISIONAL else FLAGS[quality.name.lower()] for quality in Quality],
    np.int32,
)
"""Flags of the wire by quality: an estimated, substitute or edited value of others was not measured."""
_STATE_FLAGS: Final = {"estimated": FLAGS["substitute"], "agreed": FLAGS["substitute"]}
"""By kind of reading; one that was read has none."""


def read_cdsdata(content: bytes, _mapping: CdsdataMapping) -> Parsed:
    """The series of a message; BadInput where it cannot be understood.

    Keys are `<OPM>/<direction>` of interval data, `<OPM>/<meter>/<register>` of states.
    """
    package = load_package(PACKAGE)
    try:
        payload = read_any(package, content, XmlLimits(size_bytes=MOST_OCTETS)).payload
    except MarketError as error:
        raise BadInput(error.code, error.message) from None
    if isinstance(payload, IntervalData):
        return _intervals(payload)
    if isinstance(payload, MeterStates):
        return _states(package, payload)
    raise BadInput("format", "The message holds neither interval data (121) nor meter states (122).")


def _intervals(message: IntervalData) -> Parsed:
    keys: list[str] = []
    facts, numbers, values, flags, starts = [], [], [], [], []
    for location in message.locations:
        for profile in location.profiles:
            keys.append(f"{location.opm}/{profile.direction}")
            step_ms = int(profile.days[0].day.step.total_seconds() * 1000) if profile.days else 0
            facts.append(SeriesFacts(Kind.INTERVAL, step_ms, profile.unit, profile.exponent))
            for day in profile.days:
                if any(abs(value) >= _LARGEST for value in day.values):
                    raise BadInput("number", f"A value of {keys[-1]} on {day.day.date} has too many digits.")
                count = len(day.values)
                numbers.append(np.full(count, len(keys) - 1, np.int32))
                values.append(np.array(day.values, np.int64))
                starts.append(to_ms(day.day.start) + step_ms * np.arange(count, dtype=np.int64))
                flags.append(np.zeros(count, np.int32) if day.quality is None else _FLAGS[np.array(day.quality)])
    if not numbers:
        return nothing(Problems())
    if len(set(keys)) != len(keys):
        raise BadInput("doubled_location", "A supply point stands more than once in the message; one version of each.")
    whole = np.concatenate(values)
    zeros = np.zeros(len(whole), np.int64)  # a message has no lines to name
    parts = (np.concatenate(starts), whole, zeros, np.concatenate(flags), zeros)
    return Parsed(keys, facts, np.concatenate(numbers), *parts)


def _states(package: FormatPackage, message: MeterStates) -> Parsed:
    """States as they were at the begin of their day (assumed: the message names no hour), before the multiplier."""
    places: dict[str, int] = {}
    facts: list[SeriesFacts] = []
    rows: list[tuple[int, int, int, int, int]] = []
    for location in message.locations:
        for state in location.meters:
            key = f"{location.opm}/{state.meter}/{state.register}"
            unit = package.units[state.unit]
            if key not in places:
                places[key] = len(places)
                facts.append(SeriesFacts(Kind.STATE, 0, unit.base, unit.exponent))
            elif (facts[places[key]].unit, facts[places[key]].exponent) != (unit.base, unit.exponent):
                raise BadInput("mixed_units", f"The states of {key} are in different units.")
            whole, nano = _parts(state.state, key)
            begin = to_ms(datetime.combine(state.day, time(), PRAGUE))
            rows.append((places[key], begin, whole, nano, _STATE_FLAGS.get(state.kind or "", 0)))
    if not rows:
        return nothing(Problems())
    columns = np.array(rows, np.int64).T
    zeros = np.zeros(len(rows), np.int64)
    of_series, at, whole, nano, flags = columns
    return Parsed(list(places), facts, of_series.astype(np.int32), at, whole, nano, flags.astype(np.int32), zeros)


def _parts(state: Decimal, key: str) -> tuple[int, int]:
    """Whole and billionths; BadInput beyond what a register holds."""
    scaled = state.scaleb(9)
    if abs(state) >= _LARGEST // NANO or scaled != int(scaled):
        raise BadInput("number", f"A state of {key} is {str(state)[:40]}: it has too many digits.")
    sign = -1 if scaled < 0 else 1
    whole, nano = divmod(abs(int(scaled)), NANO)
    return sign * whole, sign * nano


def install_reader() -> None:
    """Let imports read CDSDATA; whoever runs imports calls this once."""
    register_reader("cdsdata", read_cdsdata)
