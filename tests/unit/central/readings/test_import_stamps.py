"""Stamps of files as instants: formats, zones, ends of intervals, the two clock changes."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.platform.errors import BadInput
from central.readings.calendar import to_ms
from central.readings.transfer.stamps import Wall, instants, parse_stamp, pattern_of, zone_of
from shared.metering_day import PRAGUE, MeteringDay
from shared.quantities import Commodity

CZECH = "%d.%m.%Y %H:%M"
NAIVE = datetime(1970, 1, 1)  # noqa: DTZ001 - wall clocks are counted from here


def wall_ms(text: str) -> int:
    return (datetime.fromisoformat(text) - NAIVE) // timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("text", "text_format", "expected"),
    [
        ("01.03.2026 00:15", CZECH, "2026-03-01T00:15"),
        ("1.3.2026 0:15", CZECH, "2026-03-01T00:15"),
        ("28.02.2026 24:00", CZECH, "2026-03-01T00:00"),
        ("2026-03-01T00:15", "iso", "2026-03-01T00:15"),
        ("2026-03-01 00:15:00", "iso", "2026-03-01T00:15"),
        ("260301.0015", "%y%m%d.%H%M", "2026-03-01T00:15"),
    ],
)
def test_a_stamp_is_read_by_its_format(text: str, text_format: str, expected: str) -> None:
    assert parse_stamp(text, text_format) == Wall(wall_ms(expected), False)


@pytest.mark.parametrize("text", ["30.02.2026 00:00", "1.3.2026 24:15", "1.3.2026", "", "x", "01.03.9026 00:00"])
def test_what_is_no_stamp_is_none(text: str) -> None:
    assert parse_stamp(text, CZECH) is None
    assert parse_stamp(text, "iso") is None


def test_an_offset_beats_the_zone() -> None:
    instant = datetime(2026, 3, 1, 0, 15, tzinfo=UTC)
    assert parse_stamp("2026-03-01T01:15:00+01:00", "iso") == Wall(to_ms(instant), True)


@pytest.mark.parametrize("text_format", ["%d.%m.%Y", "%d.%m.%Y %H %H", "%d %m %y %Y %H", "%q", "%", "d.m.Y H"])
def test_a_format_that_says_too_little_is_refused(text_format: str) -> None:
    with pytest.raises(BadInput, match="time format"):
        pattern_of(text_format)


@pytest.mark.parametrize("name", ["Mars/Base", "+15:00", "", "../etc/passwd", "Europe/Prague\0"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="no time zone"):
        zone_of(name)


def resolve(
    texts: list[str], *, ends: bool = False, repeated: str = "order", step_ms: int = 900_000, series: int = 1
) -> tuple[list[int], dict[str, list[bool]]]:
    walls = np.tile(np.array([wall_ms(text) for text in texts], np.int64), series)
    count = len(walls)
    found, faults = instants(
        walls,
        np.zeros(count, np.bool_),
        np.repeat(np.arange(series), len(texts)),
        np.full(count, step_ms, np.int64),
        zone=PRAGUE,
        ends=ends,
        repeated=repeated,
    )
    return found.tolist(), {name: mask.tolist() for name, mask in faults.items()}


@pytest.mark.parametrize("commodity", list(Commodity))
@pytest.mark.parametrize("day", [date(2026, 3, 28), date(2026, 3, 29), date(2026, 10, 24), date(2026, 10, 25)])
@pytest.mark.parametrize("ends", [False, True])
def test_a_whole_day_in_local_time_comes_back(commodity: Commodity, day: date, ends: bool) -> None:
    whole = MeteringDay(commodity, day)
    instants_ = [whole.instant(index) for index in range(whole.length)]
    shown = [(each + (whole.step if ends else timedelta())).astimezone(PRAGUE) for each in instants_]
    texts = [each.replace(tzinfo=None).isoformat() for each in shown]
    found, faults = resolve(texts, ends=ends, step_ms=int(whole.step.total_seconds() * 1000), series=2)
    assert found == [to_ms(each) for each in instants_] * 2
    assert not any(faults["gap"])


def test_a_repeated_hour_that_ends_twice_with_three_o_clock_is_understood() -> None:
    # As the interval says it: 01:45-02:00, then twice 02:00-02:15 ... 02:45-03:00.
    hour = ["02:15", "02:30", "02:45", "03:00"]
    found, _ = resolve([f"2026-10-25T{text}" for text in ["02:00", *hour, *hour, "03:15"]], ends=True)
    start = to_ms(datetime(2026, 10, 24, 23, 45, tzinfo=UTC))
    assert found == [start + n * 900_000 for n in range(10)]


def test_stamps_that_no_clock_shows_are_named() -> None:
    _, faults = resolve(["2026-03-29T01:45", "2026-03-29T02:00", "2026-03-29T02:45", "2026-03-29T03:00"])
    assert faults["gap"] == [False, True, True, False]
    found, faults = resolve(["2026-03-29T02:00", "2026-03-29T02:15"], ends=True)
    assert faults["gap"] == [False, True]
    assert found[0] == to_ms(datetime(2026, 3, 29, 0, 45, tzinfo=UTC))


@pytest.mark.parametrize(("repeated", "hours"), [("first", [0, 0]), ("second", [1, 1]), ("order", [0, 1])])
def test_the_repeated_hour_is_told_as_the_mapping_says(repeated: str, hours: list[int]) -> None:
    found, faults = resolve(["2026-10-25T02:30", "2026-10-25T02:30"], repeated=repeated)
    first = to_ms(datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    assert found == [first + hour * 3_600_000 for hour in hours]
    assert not any(faults["repeated"])
    assert resolve(["2026-10-25T02:30"], repeated="refuse")[1]["repeated"] == [True]


@given(st.integers(0, 20_000), st.booleans())
def test_outside_clock_changes_an_instant_is_what_the_zone_says(number: int, ends: bool) -> None:
    at = datetime(2026, 4, 1, tzinfo=UTC) + number * timedelta(minutes=15)
    if at >= datetime(2026, 10, 24, 22, tzinfo=UTC):
        return
    local = at.astimezone(PRAGUE).replace(tzinfo=None)
    found, _ = resolve([local.isoformat()], ends=ends)
    assert found == [to_ms(at) - (900_000 if ends else 0)]
