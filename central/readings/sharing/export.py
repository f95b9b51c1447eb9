"""What an export of EDC's portal holds: columns in 0.01 kWh over instants, whichever of its two layouts it has."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from central.platform.errors import BadInput
from central.readings.transfer.edc_reader import read_edc
from central.readings.transfer.mapping import EdcMapping
from central.readings.transfer.series import Parsed
from shared.metering_day import day_of
from shared.quantities import Commodity

MOST_DAYS: Final = 400
_NANO_A_UNIT: Final = 10_000_000
"""0.01 kWh in 10^-9 kWh."""


@dataclass(frozen=True, slots=True)
class Export:
    """The file as it was read, with its days (half-open); the values of column c stand at `order[bounds[c]:...]`."""

    parsed: Parsed
    first: date
    end: date
    order: NDArray[np.intp]
    bounds: NDArray[np.intp]

    def column(self, place: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        """Instants in ms, units of 0.01 kWh, and how many values are finer; production and consumption positive."""
        chosen = self.order[self.bounds[place] : self.bounds[place + 1]]
        sign = self.parsed.facts[place].sign
        whole, nano = sign * self.parsed.whole[chosen], sign * self.parsed.nano[chosen].astype(np.int64)
        return self.parsed.at_ms[chosen], whole * 100 + nano // _NANO_A_UNIT, int((nano % _NANO_A_UNIT != 0).sum())


def read_export(content: bytes) -> Export:
    """BadInput where it cannot be read or goes over too many days."""
    parsed = read_edc(content, EdcMapping(format="edc"))
    if parsed.problems.count or len(parsed) == 0:
        named = "; ".join(str(problem) for problem in parsed.problems.named[:5]) or "It has no values."
        raise BadInput("edc_export", f"The export cannot be read. {named}")
    first, last = (
        day_of(Commodity.ELECTRICITY, datetime.fromtimestamp(int(at) / 1000, UTC)).date
        for at in (parsed.at_ms.min(), parsed.at_ms.max())
    )
    end = last + timedelta(days=1)
    if (end - first).days > MOST_DAYS:
        raise BadInput("edc_export", f"The export goes from {first} to {last}; at most {MOST_DAYS} days are taken.")
    # sorted once: looking for each column's values in all of them takes columns x values
    order = np.argsort(parsed.key, kind="stable")
    bounds = np.searchsorted(parsed.key[order], np.arange(len(parsed.keys) + 1))
    return Export(parsed, first, end, order, bounds)
