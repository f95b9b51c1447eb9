"""COSEM date-times: deviation, summer time, the two nights that change the clock."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dlms.datetime12 import STATUS_SUMMER_TIME, Stamp, decode_datetime, encode_datetime
from shared.dlms.errors import DecodeError
from shared.metering_day import PRAGUE


def utc(*fields: int) -> datetime:
    return datetime(*fields, tzinfo=UTC)


@pytest.mark.parametrize(
    ("instant", "octets"),
    [
        (utc(2026, 2, 28, 23, 0), "07ea0301070000000" + "0ffc400"),  # 1 March 00:00 CET, Sunday, deviation -60
        (utc(2026, 3, 29, 0, 45), "07ea031d07012d0000ffc400"),  # 01:45 CET
        (utc(2026, 3, 29, 1, 0), "07ea031d0703000000ff8880"),  # 03:00 CEST, an hour of wall time later
        (utc(2026, 10, 25, 0, 30), "07ea0a1907021e0000ff8880"),  # 02:30 CEST
        (utc(2026, 10, 25, 1, 30), "07ea0a1907021e0000ffc400"),  # 02:30 CET
    ],
)
def test_local_time_with_deviation(instant: datetime, octets: str) -> None:
    assert encode_datetime(instant.astimezone(PRAGUE)).hex() == octets
    assert decode_datetime(bytes.fromhex(octets), UTC).instant == instant


def test_utc() -> None:
    octets = encode_datetime(utc(2026, 7, 1, 12, 0))
    assert octets.hex() == "07ea0701030c000000000000"
    assert decode_datetime(octets, PRAGUE).instant == utc(2026, 7, 1, 12)


def test_the_deviation_of_older_books() -> None:
    plus_sixty = bytes.fromhex("07ea03010700000000003c00")
    assert decode_datetime(plus_sixty, UTC, reversed_deviation=True).instant == utc(2026, 2, 28, 23)


@pytest.mark.parametrize(
    ("octets", "instant"),
    [
        ("07ea0301070000000" + "0800000", utc(2026, 2, 28, 23)),
        ("07ea0701030c000000800080", utc(2026, 7, 1, 10)),
        ("07ea0a1907021e0000800080", utc(2026, 10, 25, 0, 30)),  # the status says summer
        ("07ea0a1907021e0000800000", utc(2026, 10, 25, 1, 30)),  # the status says winter
        ("07ea0a1907021e00008000ff", utc(2026, 10, 25, 0, 30)),  # nothing says: the first time
    ],
)
def test_without_deviation_the_zone_and_the_summer_bit_decide(octets: str, instant: datetime) -> None:
    assert decode_datetime(bytes.fromhex(octets), PRAGUE).instant == instant


def test_without_deviation_and_status_the_order_of_rows_decides() -> None:
    octets = bytes.fromhex("07ea0a1907021e00008000ff")
    before = decode_datetime(bytes.fromhex("07ea0a1907020f00008000ff"), PRAGUE, after_ms=None)
    assert decode_datetime(octets, PRAGUE, after_ms=before.ms).instant == utc(2026, 10, 25, 0, 30)
    later = decode_datetime(octets, PRAGUE).ms + 900_000
    assert decode_datetime(octets, PRAGUE, after_ms=later).instant == utc(2026, 10, 25, 1, 30)


@given(st.integers(0, 400_000_000_000), st.booleans())
def test_every_instant_comes_back(hundredths: int, deviation: bool) -> None:
    instant = utc(2000, 1, 1) + timedelta(milliseconds=hundredths * 10)
    octets = encode_datetime(instant.astimezone(PRAGUE), deviation=deviation)
    assert decode_datetime(octets, PRAGUE).instant == instant


def test_unspecified_parts_and_status() -> None:
    stamp = decode_datetime(bytes.fromhex("07ea0301ff0000ffffffc481"), UTC)
    assert stamp.instant == utc(2026, 2, 28, 23)
    assert stamp.status == STATUS_SUMMER_TIME | 0x01
    assert Stamp(0, 0).instant == utc(1970, 1, 1)


@pytest.mark.parametrize(
    "octets",
    [
        "",
        "07ea030107000000",
        "ffff0301070000000" + "0ffc400",  # any year
        "07ea02300700000000ffc400",  # 30 February, day 48
        "07eaff01070000000" + "0ffc400",
        "07ea0301071800" + "0000ffc400",  # hour 24
        "07ea030107ff000000ffc400",
        "07ea03010700000000" + "7fff00",  # deviation of 546 hours
    ],
)
def test_what_names_no_instant(octets: str) -> None:
    with pytest.raises(DecodeError):
        decode_datetime(bytes.fromhex(octets), PRAGUE)


@given(st.binary(min_size=12, max_size=12))
def test_no_octets_raise_anything_else(octets: bytes) -> None:
    try:
        stamp = decode_datetime(octets, PRAGUE)
    except DecodeError:
        return
    assert isinstance(stamp.ms, int)


def test_an_instant_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="no zone"):
        encode_datetime(datetime(2026, 3, 1))  # noqa: DTZ001  # the point of the test


def test_a_quarter_hour_later_is_a_quarter_hour_later_all_through_the_change() -> None:
    instant = utc(2026, 10, 24, 22)
    stamps = [
        decode_datetime(encode_datetime((instant + index * timedelta(minutes=15)).astimezone(PRAGUE)), UTC).ms
        for index in range(101)
    ]
    assert {later - earlier for earlier, later in pairwise(stamps)} == {900_000}
