"""What an entry takes without exempt points: exact over exponents, only on the days of an exemption."""

from datetime import date, timedelta

import numpy as np

from central.readings.profiles import Profiles
from central.settlement.exempt import Exempt, without_exempt
from central.settlement.facts import ChannelFacts
from shared.metering_day import MeteringDay
from shared.quantities import MISSING_VALUE, Commodity

FIRST, SECOND = date(2026, 3, 2), date(2026, 3, 3)
ENTRY = ChannelFacts(1, "A+", "interval", "Wh", 3, ())


def profiles(*rows: list[int]) -> Profiles:
    values = np.array(rows, np.int32)
    days = [MeteringDay(Commodity.ELECTRICITY, day) for day in (FIRST, SECOND)]
    versions = np.ones((len(rows), 2), np.int32)
    offset = np.array([0, 96, 192])
    return Profiles(list(range(1, len(rows) + 1)), days, offset, values, np.zeros(values.shape, np.int16), versions)


def test_exempt_points_are_taken_away_on_their_days() -> None:
    entry, shop = [10] * 192, [2_500] * 192
    shop[100] = MISSING_VALUE
    less, exponent = without_exempt(profiles(entry, shop), ENTRY, [Exempt(2, 0, SECOND, SECOND + timedelta(days=1))])
    assert (exponent, less.channels) == (0, [1])
    # 10 kWh less 2,500 Wh from the second day on; a hole in the shop is a hole
    assert less.values[0, :96].tolist() == [10_000] * 96
    assert sorted(set(less.values[0, 96:].tolist())) == [MISSING_VALUE, 7_500]
    assert less.values[0, 100] == MISSING_VALUE


def test_what_does_not_fit_is_missing_and_nothing_wraps() -> None:
    less, _ = without_exempt(profiles([3_000_000] * 192, [0] * 192), ENTRY, [Exempt(2, 0, FIRST, SECOND)])
    assert set(less.values[0].tolist()) == {MISSING_VALUE}
