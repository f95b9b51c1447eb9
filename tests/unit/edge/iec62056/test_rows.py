"""From texts to the configuration's terms: units, exponents, nights on which clocks change, rows in doubt."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config import ProfileConfig, ProfileRegister, StateRegister
from edge.drivers.port import ProfileDay
from edge.errors import DeviceGarbledError
from edge.iec62056.rows import profile_day, state_value
from shared.clock import EPOCH
from shared.iec62056.data_sets import data_sets
from shared.iec62056.profile_text import ColumnHead, format_part, profile_parts
from shared.iec62056.stamps import MeterTime, encode_stamp
from shared.metering_day import MeteringDay
from shared.quantities import Commodity, Flag, Unit

READOUT = (
    "1.8.0*01(0001000.000*kWh)\r\n1-0:1.8.0(0001234.567*kWh)\r\n1.8.1(0000234.567*kWh)\r\n2.8.0(7)\r\n"
    "3.8.0(0.5*kvarh)\r\n4.8.0(1*kvarh)\r\n4.8.0(2*kvarh)\r\n1-1:9.8.0(1*kVAh)\r\n"
)
STEP = timedelta(minutes=15)


def register(obis: str, unit: Unit = Unit.WH, exponent: int = 0) -> StateRegister:
    return StateRegister(unit=unit, register=obis, exponent=exponent, obis=obis)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (register("1-0:1.8.0"), 1_234_567),
        (register("1-0:1.8.1"), 234_567),
        (register("1-0:1.8.0.1"), 1_000_000),
        (register("1-0:1.8.0", exponent=-3), 1_234_567_000),
        (register("1-0:3.8.0", Unit.VARH, 2), 5),
    ],
)
def test_states(wanted: StateRegister, expected: int) -> None:
    assert state_value(data_sets(READOUT), wanted) == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (register("1-0:1.8.2"), "is not among what the meter sent"),
        (register("1-0:2.8.0"), "is in no unit, but the configuration says Wh"),
        (register("1-0:3.8.0"), "is in kvarh, but the configuration says Wh"),
        (register("1-0:1.8.0", exponent=3), r"which is no whole number of 10\^3"),
        (register("1-0:4.8.0", Unit.VARH), "different values for 1-0:4.8.0"),
        (register("1-0:9.8.0", Unit.VAH), "is not among"),
    ],
)
def test_states_that_are_not_given_out(wanted: StateRegister, expected: str) -> None:
    with pytest.raises(DeviceGarbledError, match=expected):
        state_value(data_sets(READOUT), wanted)


def test_a_value_without_code_answers_only_a_question_for_one_register() -> None:
    sets = data_sets("(0001234.567*kWh)")
    assert state_value(sets, register("1-0:1.8.0"), unnamed=True) == 1_234_567
    with pytest.raises(DeviceGarbledError, match="is not among"):
        state_value(sets, register("1-0:1.8.0"))
    with pytest.raises(DeviceGarbledError, match="is not among"):
        state_value(data_sets("2.8.0(1*kWh)"), register("1-0:1.8.0"), unnamed=True)


def profile(obis: str = "1-0:1.29.0", unit: Unit = Unit.WH, exponent: int = 0) -> ProfileConfig:
    wanted = ProfileRegister(obis=obis, unit=unit, register="a", exponent=exponent)
    return ProfileConfig(obis="1-0:99.1.0", step_s=900, registers=[wanted], since=datetime(2026, 1, 1, tzinfo=UTC))


def electricity(day: date) -> MeteringDay:
    return MeteringDay(Commodity.ELECTRICITY, day)


def part(end: datetime, values: list[str], kept: MeterTime = MeterTime.SEASON, **changes: Any) -> str:
    settings = {"status": 0, "period_s": 900, "columns": [ColumnHead("1.29.0", "kWh")], **changes}
    return format_part("P.01", encode_stamp(end, kept), rows=[[value] for value in values], **settings)


def read(text: str, day: MeteringDay, kept: MeterTime = MeterTime.SEASON, **settings: Any) -> ProfileDay:
    return profile_day(profile_parts(text, "P.01"), settings.pop("profile", profile()), day, kept, **settings)


def starts(found: ProfileDay) -> list[datetime]:
    return [EPOCH + timedelta(milliseconds=start) for start in found.start_ms]


@pytest.mark.parametrize("kept", MeterTime)
@pytest.mark.parametrize("day", [date(2026, 3, 1), date(2026, 3, 29), date(2026, 10, 25)])
@pytest.mark.parametrize("begins", [False, True])
def test_whole_days_whatever_the_clock_keeps(kept: MeterTime, day: date, begins: bool) -> None:
    wanted = electricity(day)
    values = [f"0.{n:03d}" for n in range(wanted.length)]
    text = part(wanted.start if begins else wanted.start + STEP, values, kept)
    found = read(text, wanted, kept, stamps_begin=begins)
    assert starts(found) == [wanted.instant(n) for n in range(wanted.length)]
    assert found.columns == {"a": list(range(wanted.length))}
    assert not any(flags & ~Flag.DST for flags in found.flags)


def test_a_second_header_in_the_doubled_hour_follows_the_row_before() -> None:
    day = electricity(date(2026, 10, 25))
    second = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)  # 02:15 for the second time
    text = part(day.start + STEP, ["0.001"] * 12, MeterTime.LOCAL) + part(second, ["0.002"], MeterTime.LOCAL)
    found = read(text, day, MeterTime.LOCAL)
    assert starts(found)[-2:] == [second - 2 * STEP, second - STEP]
    assert found.columns["a"][-1] == 2
    assert not found.flags[-1] & Flag.CLOCK_INVALID


def test_a_header_in_the_doubled_hour_that_nothing_tells_apart_is_in_doubt() -> None:
    day = electricity(date(2026, 10, 25))
    found = read(part(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), ["0.001"], MeterTime.LOCAL), day, MeterTime.LOCAL)
    assert found.flags[0] & Flag.CLOCK_INVALID


def test_holes_statuses_repeats_and_other_days() -> None:
    day = electricity(date(2026, 3, 1))
    text = (
        part(day.start, ["9.999", "0.001"])  # the last row of the day before, the first of this
        + part(day.start + 3 * STEP, ["0.003", "-----"], status=0x40)
        + part(day.start + 3 * STEP, ["0.004"], status=0x20)
        + part(day.end + STEP, ["8.888"])
    )
    found = read(text, day)
    assert starts(found) == [day.instant(0), day.instant(2), day.instant(3)]
    assert found.columns == {"a": [1, 3, None]}
    assert found.flags == [0, Flag.POWER_DOWN | Flag.INCOMPLETE, Flag.POWER_DOWN]


def test_rows_off_the_grid_have_no_place() -> None:
    day = electricity(date(2026, 3, 1))
    text = part(day.start + timedelta(minutes=20), ["0.001", "0.002"]) + part(day.start + 3 * STEP, ["0.003"])
    assert read(text, day).columns == {"a": [3]}


@pytest.mark.parametrize(
    ("head", "value", "wanted", "expected"),
    [
        (ColumnHead("1.5.0", "kW"), "0.004", profile("1-0:1.5.0"), 1),
        (ColumnHead("1.5", "kW"), "0.18374", profile("1-0:1.5.0", exponent=-3), 45_935),
        (ColumnHead("1-0:3.5.0", "kvar"), "1.000", profile("1-0:3.5.0", Unit.VARH), 250),
        (ColumnHead("1.5.0", "kW"), "0.004", profile("1-0:1.5.0", Unit.W), 4),
        (ColumnHead("1-1:1.29", "kWh"), "0.04088", profile("1-1:1.29.0", exponent=-2), 4088),
    ],
)
def test_energy_and_mean_power(head: ColumnHead, value: str, wanted: ProfileConfig, expected: int) -> None:
    day = electricity(date(2026, 3, 1))
    assert read(part(day.end, [value], columns=[head]), day, profile=wanted).columns == {"a": [expected]}


@pytest.mark.parametrize(
    ("text", "wanted", "expected"),
    [
        (part(electricity(date(2026, 3, 1)).end, ["1"], period_s=1800), profile(), "captures every 1800 s"),
        (part(electricity(date(2026, 3, 1)).end, ["1"]), profile("1-0:2.29.0"), "does not capture 1-0:2.29.0"),
        (part(electricity(date(2026, 3, 1)).end, ["1"]), profile(unit=Unit.VARH), "in kWh, but the configuration"),
        (part(electricity(date(2026, 3, 1)).end, ["0.0001"]), profile(), "no whole number"),
        (
            part(electricity(date(2026, 3, 1)).end, ["0.001"], columns=[ColumnHead("1.5.0", "kW")]),
            profile("1-0:1.5.0"),
            r"no whole number of 10\^0 Wh; set its exponent to -2",
        ),
        (part(electricity(date(2026, 3, 3)).end, ["1"]), profile(), "not an answer to the question"),
    ],
)
def test_a_meter_that_is_not_as_configured_is_told(text: str, wanted: ProfileConfig, expected: str) -> None:
    with pytest.raises(DeviceGarbledError, match=expected):
        read(text, electricity(date(2026, 3, 1)), profile=wanted)


def test_a_register_that_is_captured_twice_is_nobodys() -> None:
    heads = [ColumnHead("1-0:1.29.0", "kWh"), ColumnHead("1-0:1.29.0", "kWh")]
    text = format_part("P.01", "1260301001500", 0, 900, heads, [["1", "2"]])
    with pytest.raises(DeviceGarbledError, match="captures more than once"):
        read(text, electricity(date(2026, 3, 1)))


@given(st.lists(st.tuples(st.integers(0, 95), st.integers(1, 8)), max_size=6), st.sampled_from(MeterTime))
def test_every_row_lies_where_the_meter_stamped_it(runs: list[tuple[int, int]], kept: MeterTime) -> None:
    day = electricity(date(2026, 3, 10))
    text = ""
    expected: set[int] = set()
    for first, length in sorted(runs):
        places = range(first, min(first + length, day.length))
        expected |= set(places)
        text += part(day.instant(first) + STEP, [f"0.{place:03d}" for place in places], kept)
    found = read(text, day, kept)
    assert [day.index(start) for start in starts(found)] == sorted(expected)
    assert found.columns["a"] == sorted(expected)
