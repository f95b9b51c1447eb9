"""What an entry takes without exempt points: exact over exponents, only on the days of an exemption."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from central.readings.profiles import Profiles
from central.settlement import exempt
from central.settlement.books import BookInForce
from central.settlement.cuts import Held
from central.settlement.exempt import Exempt, read_without_exempt, without_exempt
from central.settlement.facts import ChannelFacts
from central.settlement.measured import sum_days
from central.settlement.own import OwnFacts
from central.settlement.quantities import Measured, measure_parts
from central.settlement.spans import facts_of
from shared.metering_day import MeteringDay
from shared.quantities import MISSING_VALUE, Commodity
from tests.unit.central.settlement.packages import ELECTRICITY
from tests.unit.central.settlement.test_facts import ITEM, VERSION, record

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


def test_an_entry_that_changes_its_channel_is_evaluated_by_each_in_its_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entry: 10 kWh a quarter-hour by channel 1, from the second day 20 kWh by channel 2; a shop behind it 2.5 kWh."""
    end = SECOND + timedelta(days=1)
    channels = {number: ChannelFacts(number, "A+", "interval", "Wh", 3, ()) for number in (1, 2)}
    from_second = {"A+": [Held(SECOND, None, 2)]}
    entry = record(
        items=[Held(None, None, replace(ITEM, contract_kind="purchase"))],
        versions=[Held(None, None, replace(VERSION, level="VN"))],
        channels=(channels[1],),
        own=OwnFacts(channels={ITEM.id: from_second}),
        others={2: channels[2]},
    )
    books = [BookInForce(ELECTRICITY, Commodity.ELECTRICITY, frozenset(ELECTRICITY.file.operators))]
    facts = facts_of(entry, FIRST, end, books)
    assert facts is not None
    taken = profiles([10] * 192, [20] * 192, [2_500] * 192)

    def read_newest(_: Any, commodity: Commodity, wanted: Sequence[int], first: date, until: date) -> Profiles:
        assert (commodity, list(wanted), first, until) == (Commodity.ELECTRICITY, [1, 2, 3], FIRST, end)
        return taken

    monkeypatch.setattr(exempt, "read_newest", read_newest)
    behind = SimpleNamespace(entry=1, channel=3, exponent=0, since=FIRST, until=end)
    connection: Any = SimpleNamespace(execute=lambda statement, asked: [behind])
    rest = read_without_exempt(connection, [facts], FIRST, end)
    parts = measure_parts(facts, Measured({Commodity.ELECTRICITY: sum_days(taken)}, without_exempt=rest))
    told = [
        tuple(str(part.quantities[name]) for name in ("max_quarter_hour_kw", "max_quarter_hour_without_exempt_kw"))
        for part in parts
    ]
    # (10 - 2.5) x 4 and (20 - 2.5) x 4
    assert told == [("40", "30.000"), ("80", "70.000")]
