"""What services are billed by: rests of nodes shared so that the shares sum to them, channels, holes."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.network.collections import Node
from central.platform.errors import BadInput
from central.readings.formulas.total import Total
from central.readings.profiles import Profiles
from central.settlement.counting import Counts, Place
from central.settlement.facts import ChannelFacts
from central.settlement.measured import NotMeasuredError, sum_days
from central.settlement.own import Attached, Service
from central.settlement.quantities import Waiting
from shared.metering_day import MeteringDay
from shared.quantities import MISSING_VALUE, Commodity

FIRST, END = date(2026, 3, 2), date(2026, 3, 3)
SERVICE = Service("spolecna", 3001, "Společná spotřeba", "Common use", "MWh", Decimal(21), ())


def counts(rows: dict[int, int], areas: dict[int, str | None]) -> Counts:
    """Channel 1 measures the node, the others stand below it; each takes a constant energy of a quarter-hour."""
    channels = sorted(rows)
    days = [MeteringDay(Commodity.ELECTRICITY, FIRST)]
    values = np.array([[rows[channel]] * 96 for channel in channels], np.int32)
    quality = np.zeros(values.shape, np.int16)
    profiles = Profiles(channels, days, np.array([0, 96]), values, quality, np.ones((len(rows), 1), np.int32))
    places = {
        channel: Place(Commodity.ELECTRICITY, channel, None if (area := areas.get(channel)) is None else Decimal(area))
        for channel in channels
    }
    nodes = [
        Node(channel, f"n{channel}", None if channel == 1 else "n1", channel, None, 1, None, date(2026, 1, 1), date.max)
        for channel in channels
    ]
    return Counts(
        channels={channel: ChannelFacts(channel, "A+", "interval", "Wh", 0, ()) for channel in channels},
        places=places,
        days={Commodity.ELECTRICITY: sum_days(profiles)},
        trees={9: nodes},
        points={channel: channel for channel in channels},
    )


def share(channel: int, by: str, percent: str | None = None) -> Attached:
    part = None if percent is None else Decimal(percent)
    return Attached(channel, SERVICE, "node", collection=9, node="n1", share=by, percent=part)


def test_a_rest_by_energy_area_and_percent_by_hand() -> None:
    # 96 x (1000 - 600 - 300) = 9,600 Wh of rest
    counted = counts({1: 1000, 2: 600, 3: 300}, {2: "70", 3: "130"})
    by_energy = [counted.count(share(channel, "energy"), FIRST, END).quantity for channel in (2, 3)]
    assert by_energy == [6400, 3200]
    assert [counted.count(share(channel, "area"), FIRST, END).quantity for channel in (2, 3)] == [3360, 6240]
    assert counted.count(share(2, "percent", "12.5"), FIRST, END).quantity == 1200
    whole = counted.count(share(2, "whole"), FIRST, END)
    assert whole.quantity == 9600 and whole.unit == "Wh"
    assert [source["channel"] for source in whole.measurements] == [1, 2, 3]


def test_what_cannot_be_shared_says_why() -> None:
    with pytest.raises(NotMeasuredError, match="víc než uzel"):
        counts({1: 100, 2: 60, 3: 50}, {}).count(share(2, "energy"), FIRST, END)
    with pytest.raises(NotMeasuredError, match="nemá plochu"):
        counts({1: 100, 2: 60, 3: 30}, {2: "10"}).count(share(2, "area"), FIRST, END)
    with pytest.raises(NotMeasuredError, match="všechny váhy jsou 0"):
        counts({1: 100, 2: 0, 3: 0}, {}).count(share(2, "energy"), FIRST, END)
    with pytest.raises(NotMeasuredError, match="chybí 96 hodnot"):
        counts({1: MISSING_VALUE, 2: 0}, {}).count(share(2, "whole"), FIRST, END)
    with pytest.raises(NotMeasuredError, match="není v kolekci po celé období"):
        counts({1: 1, 2: 0}, {}).count(share(2, "whole"), date(2025, 12, 31), END)
    with pytest.raises(NotMeasuredError, match="není pod uzlem"):
        counts({1: 100, 2: 60}, {}).count(share(1, "energy"), FIRST, END)


def test_a_node_without_any_channel_is_left_out_alone() -> None:
    bare = [Node(1, "n1", None, None, None, 1, None, date(2026, 1, 1), date.max)]
    with pytest.raises(NotMeasuredError, match="n1 nemá od 2026-03-02 měřicí kanál"):
        Counts(trees={9: bare}).count(share(2, "whole"), FIRST, END)


def test_a_node_that_is_away_for_some_days_is_not_taken_as_whole() -> None:
    counted = counts({1: 1000, 2: 600}, {})
    top, below = counted.trees[9]
    away = replace(top, end=date(2026, 3, 10)), replace(top, first=date(2026, 3, 12))
    broken = replace(counted, trees={9: [*away, below]})
    with pytest.raises(NotMeasuredError, match="není v kolekci po celé období") as caught:
        broken.count(share(2, "whole"), date(2026, 3, 1), date(2026, 4, 1))
    assert caught.value.day == date(2026, 3, 10)


def test_water_below_a_node_of_electricity_is_not_taken_away_from_it() -> None:
    counted = counts({1: 1000, 2: 600, 3: 300}, {})
    water = ChannelFacts(3, "V", "interval", "m3", -3, ())
    mixed = replace(counted, channels={**counted.channels, 3: water})
    with pytest.raises(NotMeasuredError, match="se měří v Wh, pod ním je kanál 3 v m3"):
        mixed.count(share(2, "whole"), FIRST, END)


def test_a_formula_waits_for_its_channels_and_says_when_it_cannot_be_computed_any_more() -> None:
    attached = Attached(1, SERVICE, "formula", formula='"Voda" A+')
    total = Total(Fraction(9600), "Wh", {7: [3]})
    counted = Counts(totals={('"Voda" A+', FIRST, END): total})
    assert counted.count(attached, FIRST, END).quantity == 9600
    waiting = {7: Waiting("edit", "v nichž ruční úprava čeká", FIRST)}
    with pytest.raises(NotMeasuredError, match="kanál 7 má dny, v nichž ruční úprava čeká, první 2026-03-02"):
        replace(counted, waiting=waiting).count(attached, FIRST, END)
    gone = BadInput("formula_channel", 'Line 1, column 1: There is no interval channel "Voda" A+.')
    with pytest.raises(NotMeasuredError, match="nelze spočítat: Line 1, column 1") as caught:
        Counts(totals={('"Voda" A+', FIRST, END): gone}).count(attached, FIRST, END)
    assert caught.value.day == FIRST


@given(st.lists(st.integers(0, 10**5), min_size=1, max_size=8).filter(any), st.integers(0, 10**5))
def test_shares_of_losses_sum_to_the_losses(children: list[int], losses: int) -> None:
    rows = {1: sum(children) + losses} | {place + 2: energy for place, energy in enumerate(children)}
    counted = counts(rows, {})
    shares = [counted.count(share(channel, "energy"), FIRST, END).quantity for channel in rows if channel != 1]
    assert sum(shares, Fraction(0)) == losses * 96
    assert all(part.denominator == 1 for part in shares)
