"""CDSDATA 121: golden file, exact decimals, round trips, and what is refused."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from central.market.cdsdata import (
    IntervalData,
    Location,
    Profile,
    ProfileDay,
    Series,
    compose_series,
    write_interval_data,
)
from central.market.cdsdata_reader import read_interval_data
from central.market.errors import InboundError, OutboundError
from central.market.format_package import FORMATS_FOLDER, load_package
from central.market.interval_text import spelled
from shared.metering_day import days_between
from shared.quantities import MISSING_VALUE, Commodity, Quality
from tests.unit.central.market.examples import AUTUMN, ORDINARY, POINT, SPRING, envelope, message

PACKAGE = load_package("sandbox-2026")
GOLDEN = FORMATS_FOLDER / "sandbox" / "samples" / "121.xml"


def test_golden_file_of_a_day_of_92_quarter_hours() -> None:
    written = write_interval_data(PACKAGE, message(SPRING))
    assert written == GOLDEN.read_bytes()
    root = etree.fromstring(written)
    assert PACKAGE.schema("CDSDATA").validate(root)
    name = "{http://www.ote-cr.cz/schema/cds/data}"
    taken, reactive = root.iter(f"{name}Profile")
    assert (taken.get("date-time-from"), taken.get("date-time-to")) == ("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z")
    assert [data.get("period") for data in taken] == [str(period) for period in range(1, 93)]
    assert [data.get("value") for data in taken][:4] == ["0.000", "0.001", "0.002", "0.003"]
    assert [data.get("status") for data in taken][:4] == [None, None, "S", None]
    assert (reactive.get("value-type"), reactive.get("unit")) == ("R12", "KVARH")


@pytest.mark.parametrize(("day", "length"), [(SPRING, 92), (ORDINARY, 96), (AUTUMN, 100)])
def test_days_of_every_length_come_back(day: object, length: int) -> None:
    sent = message(day)
    read = read_interval_data(PACKAGE, write_interval_data(PACKAGE, sent))
    assert len(read.locations[0].profiles[0].days[0].values) == length
    assert read.locations[0].profiles[0] == replace(
        sent.locations[0].profiles[0], days=read.locations[0].profiles[0].days
    )
    assert read.envelope == sent.envelope


@given(
    values=st.lists(st.integers(0, 2**31 - 1), min_size=92, max_size=92),
    quality=st.lists(st.sampled_from([q for q in Quality if q is not Quality.MISSING]), min_size=92, max_size=92),
    exponent=st.integers(-2, 4),
    direction=st.sampled_from(["A+", "A-", "R+", "R-"]),
)
@settings(max_examples=40)
def test_round_trip_keeps_every_value_and_quality(
    values: list[int], quality: list[Quality], exponent: int, direction: str
) -> None:
    unit = "Wh" if direction.startswith("A") else "varh"
    marks = [int(mark) for mark in quality] if any(quality) else None
    sent = Profile(direction, unit, exponent, [ProfileDay(SPRING, values, marks)])
    content = write_interval_data(PACKAGE, IntervalData(envelope(), [Location(POINT, 7, [sent])]))
    (location,) = read_interval_data(PACKAGE, content).locations
    (read,) = location.profiles
    assert (location.opm, location.version, read.direction, read.unit) == (POINT, 7, direction, unit)
    assert [Decimal(value).scaleb(read.exponent) for value in read.days[0].values] == [
        Decimal(value).scaleb(exponent) for value in values
    ]
    assert read.days[0].quality == marks


def spell(values: list[int], exponent: int) -> list[str]:
    rows = spelled(np.array(values, np.int64), exponent, 5)
    return [bytes(row).replace(b"\0", b"").decode() for row in rows]


@pytest.mark.parametrize(
    ("value", "exponent", "text"),
    [
        (0, -3, "0.000"),
        (1, -3, "0.001"),
        (12345, -3, "12.345"),
        (2147483647, -3, "2147483.647"),
        (2147483647, -6, None),
        (1234500, -6, "1.23450"),
        (12, 0, "12"),
        (12, 2, "1200"),
        (0, 2, "0"),
        (1, -5, "0.00001"),
        (1, -6, None),
        (0, -60, "0.00000"),
        (2**63 - 1, -60, None),
        (9007199254740993, -5, "90071992547.40993"),
        (2**63 - 1, 0, "9223372036854775807"),
    ],
)
def test_decimals_are_exact_or_refused(value: int, exponent: int, text: str | None) -> None:
    if text is None:
        with pytest.raises(OutboundError, match="needs more than 5 decimal places"):
            spell([value], exponent)
    else:
        assert spell([value], exponent) == [text]
        assert Decimal(text) == Decimal(value).scaleb(exponent)


@pytest.mark.parametrize(("value", "exponent"), [(2**63 - 1, 1), (1, 19), (10**18, 2)])
def test_what_has_too_many_digits_is_refused(value: int, exponent: int) -> None:
    with pytest.raises(OutboundError, match="more digits than are sent"):
        spell([0, value], exponent)


@given(st.lists(st.integers(0, 2**63 - 1) | st.integers(0, 10_000), min_size=1, max_size=5), st.integers(-5, 0))
def test_decimals_equal_the_decimal_numbers(values: list[int], exponent: int) -> None:
    texts = spell(values, exponent)
    assert [Decimal(text) for text in texts] == [Decimal(value).scaleb(exponent) for value in values]
    assert all(text == str(Decimal(value).scaleb(exponent)) for text, value in zip(texts, values, strict=True) if value)


@given(st.data())
@settings(max_examples=20)
def test_arrays_are_written_as_days_are(data: st.DataObject) -> None:
    days = days_between(Commodity.ELECTRICITY, SPRING.date - timedelta(days=1), SPRING.date + timedelta(days=1))
    length = sum(day.length for day in days)
    values = np.array(data.draw(st.lists(st.integers(0, 2**31 - 1), min_size=length, max_size=length)), np.int32)
    marks = data.draw(st.none() | st.sampled_from([Quality.MEASURED, Quality.SUBSTITUTE, Quality.EDITED]))
    quality = None if marks is None else np.full(length, marks, np.int16)
    series = Series("A+", "Wh", 0, days[0].date, days[-1].next.date, values, quality)
    borders = [0, days[0].length, length]
    listed = [
        ProfileDay(
            day,
            values[borders[place] : borders[place + 1]].tolist(),
            None if quality is None else quality[borders[place] : borders[place + 1]].tolist(),
        )
        for place, day in enumerate(days)
    ]
    as_days = IntervalData(envelope(), [Location(POINT, 3, [Profile("A+", "Wh", 0, listed)])])
    assert compose_series(PACKAGE, envelope(), POINT, 3, [series]) == write_interval_data(PACKAGE, as_days)


def with_day(day: ProfileDay, **changes: object) -> IntervalData:
    return IntervalData(envelope(), [Location(POINT, 1, [replace(Profile("A+", "Wh", 0, [day]), **changes)])])


ONES = [1] * 92


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (IntervalData(envelope(), []), "has no supply point"),
        (IntervalData(envelope(), [Location("859182400900000010", 1, [])]), "ends with check digit 0, expected 3"),
        (IntervalData(envelope(), [Location(POINT, 1, [])]), "has no profile"),
        (IntervalData(envelope("bad id"), message().locations), "The message id 'bad id' must be"),
        (IntervalData(envelope("a" * 36), message().locations), "must be 1 to 35"),
        (with_day(ProfileDay(SPRING, [1] * 96)), "A\\+ of 859182400900000013 on 2026-03-29 has 96 values, expected 92"),
        (with_day(ProfileDay(SPRING, [1, MISSING_VALUE] + [1] * 90)), "has no value in period 2"),
        (with_day(ProfileDay(SPRING, [1, 1, -5] + [1] * 89)), "has -5 in period 3, expected >= 0"),
        (with_day(ProfileDay(SPRING, ONES, [5] * 92)), "quality 5, which may not be sent"),
        (with_day(ProfileDay(SPRING, ONES, [9] * 92)), "quality 9, which may not be sent"),
        (with_day(ProfileDay(SPRING, ONES, [0])), "has 1 qualities for 92 values"),
        (with_day(ProfileDay(SPRING, ONES), direction="V"), "direction 'V' of 859182400900000013 has no value type"),
        (with_day(ProfileDay(SPRING, ONES), unit="varh"), "is in varh, expected Wh for KWH"),
        (with_day(ProfileDay(SPRING, [1, 2**63] + [1] * 90)), "which is more than is sent"),
        (with_day(ProfileDay(SPRING, ONES), exponent=-4), "needs more than 5 decimal places"),
    ],
)
def test_what_must_not_leave_is_refused(data: IntervalData, sentence: str) -> None:
    with pytest.raises(OutboundError, match=sentence):
        write_interval_data(PACKAGE, data)


GOOD = write_interval_data(PACKAGE, message(SPRING)).decode()


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("schema/cds/data", "schema/cds/dates", "wrong_namespace"),
        ('value-type="A12"', 'value-type="B12"', "unknown_code"),
        ('unit="KWH"', 'unit="EUR"', "unknown_code"),
        ("2026-03-29T22:00:00Z", "2026-03-29T23:00:00Z", "not_a_day"),
        ('resolution="PT15M"', 'resolution="PT60M"', "not_a_day"),
        ("2026-03-28T23:00:00Z", "9999-12-31T23:59:59Z", "bad_instant"),
        ('period="5"', 'period="4"', "doubled_period"),
        ('period="92"', 'period="93"', "bad_period"),
        ('period="92"', 'period="' + "9" * 5000 + '"', "bad_period"),
        ('<Data period="92" value="0.091"/>', "", "missing_period"),
        ('value="0.005"', 'value="1e9"', "bad_number"),
        ('value="0.005"', 'value="NaN"', "bad_number"),
        ('value="0.005"', 'value="."', "bad_number"),
        ('value="0.005"', 'value="' + "1" * 50 + '"', "bad_number"),
        ('status="S"', 'status="?"', "unknown_status"),
        ('version="1"', 'version="one"', "bad_version"),
    ],
)
def test_what_cannot_be_understood_is_refused(old: str, new: str, code: str) -> None:
    assert old in GOOD
    with pytest.raises(InboundError) as refusal:
        read_interval_data(PACKAGE, GOOD.replace(old, new).encode())
    assert refusal.value.code == code


def test_a_prefixed_message_is_read_alike() -> None:
    prefixed = (
        GOOD.replace("<", "<n0:").replace("<n0:/", "</n0:").replace("<n0:?", "<?").replace(" xmlns=", " xmlns:n0=")
    )
    assert read_interval_data(PACKAGE, prefixed.encode()) == read_interval_data(PACKAGE, GOOD.encode())
