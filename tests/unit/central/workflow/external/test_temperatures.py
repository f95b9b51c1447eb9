"""Temperatures and load-profile classes from files, made up."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from central.platform.errors import BadInput
from central.workflow.external import load_profiles, temperatures
from central.workflow.external.adapter import UnreadableError

SETTINGS = temperatures.Settings(zones={"Brno": "BRNO"}, column_zone="Zóna", column_normal="normal")
TABLE = "Zóna;day;actual;normal\nBrno;28.3.2026;-1,5;4,2\nPraha;28.3.2026;2;4\nBrno;29.3.2026;\N{MINUS SIGN}0,3;\n"


@pytest.mark.parametrize(
    "octets",
    [
        TABLE.encode(),
        TABLE.encode("utf-8-sig"),
        TABLE.replace("\N{MINUS SIGN}", "-").encode("windows-1250"),
        (TABLE + "Brno;30.3.2026;;4,4\nBrno;28.3.2026;-1,50;4,20\n").encode(),
    ],
)
def test_temperatures_of_the_zones_that_are_named(octets: bytes) -> None:
    first, second = temperatures.read(octets, SETTINGS)
    assert (first.series, first.key) == ("temperature.BRNO", "2026-03-28")
    assert first.content == {"actual": Decimal("-1.5"), "normal": Decimal("4.2")}
    assert first.begins == datetime(2026, 3, 27, 23, tzinfo=UTC)
    assert second.begins == datetime(2026, 3, 28, 23, tzinfo=UTC)  # the day that summer time begins on
    assert second.content == {"actual": Decimal("-0.3")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<html>", "a page"),
        (TABLE.replace("actual", "t"), "no header"),
        (TABLE.replace("-1,5", "99"), "no temperature"),
        (TABLE.replace("-1,5", "abc"), "no temperature"),
        (TABLE.replace("28.3.2026;-", "30.2.2026;-"), "not a day"),
        (TABLE + "Brno;28.3.2026;-1,4;4,2\n", "says two things"),
        (TABLE[:30], "ends before|no rows"),
    ],
)
def test_what_is_no_table_of_temperatures_is_unreadable(text: str, said: str) -> None:
    with pytest.raises(UnreadableError, match=said):
        temperatures.read(text.encode(), SETTINGS)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"zones": {}},
        {"zones": {"Brno": "BRNO"}},
        {"zones": {"": "a b"}},
        {"zones": {"\0": "A"}, "column_zone": "z"},
    ],
)
def test_bad_zones(given: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        temperatures.ADAPTER.settings_of(given)


PROFILES = load_profiles.Settings("electricity", "normalised")
HOURS = "Den;Hodina;TDD4;TDD5\n" + "".join(f"29.03.2026;{hour};0,{hour:02};1\n" for hour in range(1, 24))


@pytest.mark.parametrize("octets", [HOURS.encode(), HOURS.encode("utf-8-sig")])
def test_series_of_a_short_day(octets: bytes) -> None:
    days = load_profiles.read(octets, PROFILES)
    assert [(each.name, each.day, len(each.values)) for each in days] == [
        ("TDD4", date(2026, 3, 29), 23),
        ("TDD5", date(2026, 3, 29), 23),
    ]
    assert days[0].values[1] == 0.02


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"<!doctype html><html></html>", "a page"),
        (b"", "first line"),
        (HOURS.replace(";0,05;", ";x;").encode(), "not a number"),
        (HOURS.replace(";5;", ";4;").encode(), "follows"),
        (HOURS[:-4].encode(), "cells"),
        (HOURS.replace("TDD5", "TDD4").encode(), "named once"),
        (b"\0\1", "octets 0"),
    ],
)
def test_what_are_no_series_is_unreadable(octets: bytes, said: str) -> None:
    with pytest.raises(UnreadableError, match=said):
        load_profiles.read(octets, PROFILES)


def test_settings_of_series_must_say_what_they_are() -> None:
    with pytest.raises(BadInput):
        load_profiles.ADAPTER.settings_of({"commodity": "electricity"})
    with pytest.raises(BadInput):
        load_profiles.ADAPTER.settings_of({"commodity": "water", "kind": "normalised"})
