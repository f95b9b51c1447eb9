"""Time stamps: season digits, meters on standard time, the nights on which clocks change."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.iec62056.errors import DecodeError
from shared.iec62056.stamps import MeterTime, StampForm, decode_stamp, encode_stamp


@pytest.mark.parametrize(
    ("text", "kept", "expected"),
    [
        ("1260701120000", MeterTime.SEASON, "2026-07-01T10:00Z"),
        ("0260701120000", MeterTime.SEASON, "2026-07-01T11:00Z"),
        ("2260701120000", MeterTime.SEASON, "2026-07-01T12:00Z"),
        ("12607011200", MeterTime.SEASON, "2026-07-01T10:00Z"),
        ("2607011200", MeterTime.SEASON, "2026-07-01T10:00Z"),
        ("260701120030", MeterTime.LOCAL, "2026-07-01T10:00:30Z"),
        ("0260701120000", MeterTime.LOCAL, "2026-07-01T10:00Z"),
        ("0260701120000", MeterTime.STANDARD, "2026-07-01T11:00Z"),
        ("0260701120000", MeterTime.UTC, "2026-07-01T12:00Z"),
        ("0260101240000", MeterTime.SEASON, "2026-01-01T23:00Z"),
        # The hour that comes twice, told apart by the season digit.
        ("1261025024500", MeterTime.SEASON, "2026-10-25T00:45Z"),
        ("0261025024500", MeterTime.SEASON, "2026-10-25T01:45Z"),
    ],
)
def test_instants(text: str, kept: MeterTime, expected: str) -> None:
    assert decode_stamp(text).instant(kept) == datetime.fromisoformat(expected)


def test_the_doubled_hour_is_told_apart_by_the_row_before() -> None:
    stamp = decode_stamp("261025024500")
    assert stamp.instant(MeterTime.LOCAL) == datetime(2026, 10, 25, 0, 45, tzinfo=UTC)
    after = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert stamp.instant(MeterTime.LOCAL, after) == datetime(2026, 10, 25, 1, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "3260701120000",
        "126070112000",
        "2613011200",
        "2602300000",
        "26070125000",
        "26070112000x",
        "0" * 14,
        "-260701120000",
    ],
)
def test_what_is_no_stamp(text: str) -> None:
    with pytest.raises(DecodeError):
        decode_stamp(text)


@given(st.integers(0, 35_000_000), st.sampled_from(MeterTime), st.sampled_from(StampForm))
def test_what_is_written_is_read(minutes: int, kept: MeterTime, form: StampForm) -> None:
    instant = datetime(2001, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    text = encode_stamp(instant, kept, form)
    found = decode_stamp(text).instant(kept)
    doubtful = kept is MeterTime.LOCAL or (kept is MeterTime.SEASON and form[0] != "s")
    assert found == instant or (doubtful and found == instant - timedelta(hours=1))
    assert len(text) == len(form)


@given(st.text(st.characters(codec="ascii"), max_size=16))
def test_no_text_does_harm(text: str) -> None:
    try:
        decode_stamp(text).instant(MeterTime.SEASON)
    except DecodeError as error:
        assert str(error)
