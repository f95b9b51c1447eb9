"""Interval data of a CDSDATA message as series of an imported file: the one reader of the format, for readings too.

Readings stand below the market and know no message: the format brings its reader to them (`install_reader`).
"""

from typing import Final

import numpy as np

from central.market.cdsdata_reader import read_interval_data
from central.market.errors import MarketError
from central.market.format_package import load_package
from central.market.xml import XmlLimits
from central.platform.errors import BadInput
from central.readings.calendar import to_ms
from central.readings.transfer.files import MOST_OCTETS
from central.readings.transfer.mapping import FLAGS, CdsdataMapping
from central.readings.transfer.readers import register_reader
from central.readings.transfer.series import Parsed, Problems, SeriesFacts, nothing
from shared.quantities import Kind, Quality

PACKAGE: Final = "sandbox-2026"
_FLAGS: Final = np.array(
    [FLAGS["substitute"] if quality > Quality.PROVISIONAL else FLAGS[quality.name.lower()] for quality in Quality],
    np.int32,
)
"""Flags of the wire by quality: an estimated, substitute or edited value of others was not measured."""


def read_cdsdata(content: bytes, _mapping: CdsdataMapping) -> Parsed:
    """The series of a message, keys `<OPM>/<direction>`; BadInput where it cannot be understood."""
    try:
        message = read_interval_data(load_package(PACKAGE), content, XmlLimits(size_bytes=MOST_OCTETS))
    except MarketError as error:
        raise BadInput(error.code, error.message) from None
    keys: list[str] = []
    facts, numbers, values, flags, starts = [], [], [], [], []
    for location in message.locations:
        for profile in location.profiles:
            keys.append(f"{location.opm}/{profile.direction}")
            step_ms = int(profile.days[0].day.step.total_seconds() * 1000) if profile.days else 0
            facts.append(SeriesFacts(Kind.INTERVAL, step_ms, profile.unit, profile.exponent))
            for day in profile.days:
                if any(abs(value) >= 2**62 for value in day.values):
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


def install_reader() -> None:
    """Let imports read CDSDATA; whoever runs imports calls this once."""
    register_reader("cdsdata", read_cdsdata)
