"""A channel's energy out of day profiles: missing values, days of the point, surcharges for losses."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from central.readings.profiles import Profiles
from central.settlement.loss import LossTerm
from central.workflow.reports.energy import Energy
from central.workflow.reports.energy_facts import channel_energy, together
from shared.metering_day import days_between
from shared.quantities import MISSING_VALUE, Commodity, Quality

D = Decimal
FIRST, SECOND, END = date(2026, 3, 28), date(2026, 3, 29), date(2026, 3, 30)
"""Saturday with 96 quarter-hours, Sunday with 92."""
BOTH = [(FIRST, END)]


def profiles(*gaps: int, quality: Quality = Quality.MISSING) -> Profiles:
    """A channel with 1,000 in each quarter-hour but those that are missing."""
    days = days_between(Commodity.ELECTRICITY, FIRST, END)
    offset = np.array([0, 96, 188], np.int64)
    values = np.full((1, 188), 1_000, np.int32)
    marks = np.zeros((1, 188), np.int16)
    values[0, list(gaps)] = MISSING_VALUE
    marks[0, list(gaps)] = quality
    return Profiles([1], days, offset, values, marks, np.ones((1, 2), np.int32))


@pytest.mark.parametrize(
    ("gaps", "days", "exponent", "losses", "mwh", "why"),
    [
        ((), BOTH, 0, (), D("0.188"), ""),
        ((), BOTH, 3, (), D(188), ""),
        # connected on Sunday only: what is missing before does not matter
        ((5, 95), [(SECOND, END)], 0, (), D("0.092"), ""),
        ((5, 96), BOTH, 0, (), None, "2 quarter-hours have no value"),
        # 4 % on Saturday, each day rounded once: 96,000 x 1.04 + 92,000
        ((), BOTH, 0, (LossTerm(D(4), FIRST, SECOND),), D("0.19184"), ""),
        ((), [], 0, (), D(0), ""),
    ],
)
def test_energy_of_a_channel(
    gaps: tuple[int, ...],
    days: list[tuple[date, date]],
    exponent: int,
    losses: tuple[LossTerm, ...],
    mwh: Decimal | None,
    why: str,
) -> None:
    chunk = profiles(*gaps)
    found = channel_energy(chunk, 0, [day.date for day in chunk.days], days, exponent, losses)
    assert (found.mwh, found.why) == (mwh, why)


def test_channels_of_a_point_add_up_and_one_that_is_not_known_makes_all_so() -> None:
    assert together([]) is None
    assert together([Energy(D(1)), Energy(D(2))]) == Energy(D(3))
    assert together([Energy(D(1)), Energy(None, "why")]) == Energy(None, "why")


def test_a_surcharge_that_does_not_fit_is_said() -> None:
    chunk = profiles()
    chunk.values[0, 7] = 2**31 - 1
    found = channel_energy(chunk, 0, [day.date for day in chunk.days], BOTH, 0, (LossTerm(D(4), FIRST, END),))
    assert (found.mwh, found.why) == (None, "A value with the surcharge for losses does not fit into 32 bits.")
