"""Calorific values from CSV: what is read, and that every bad line is named."""

from datetime import date
from decimal import Decimal

import pytest

from central.readings.gas.calorific import GivenValue
from central.readings.gas.calorific_csv import parse


@pytest.mark.parametrize(
    "content",
    [
        "area;day;value\nGN1;2026-03-28;10,6512\nGN1;2026-03;10,6\n",
        "\ufeffarea,day,value\nGN1,2026-03-28,10.6512\n\nGN1,2026-03,10.6\n",
        "Value;Area;Day\n10.6512;GN1;28.3.2026\n10,6;GN1;2026-03\n",
    ],
)
def test_days_and_months_in_the_usual_spellings(content: str) -> None:
    values, errors = parse(content.encode())
    assert errors == []
    assert list(values) == [
        GivenValue("GN1", "day", date(2026, 3, 28), Decimal("10.6512")),
        GivenValue("GN1", "month", date(2026, 3, 1), Decimal("10.6")),
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("GN1;2026-02-30;10,5", "neither a date"),
        ("GN1;yesterday;10,5", "neither a date"),
        ("GN1;2026-03-01;ten", "not a number"),
        ("GN1;2026-03-01;38,3", "MJ/m3 are divided by 3.6"),
        ("GN1;2026-03-01;NaN", "not a number"),
        ("GN1;2026-03-01;1_0", "not a number"),
        ("GN1;2026-03-01;-10", "must be between"),
        ("GN1;2026-03-01;10,1234567", "more than 6 decimals"),
        (";2026-03-01;10,5", "area is missing"),
        ("GN1;2026-03-01", "3 fields are expected, 2"),
        ("GN1;2026-03-02;10,5", "stands on line 2 already"),
    ],
)
def test_a_bad_line_is_named(line: str, words: str) -> None:
    _, errors = parse(f"area;day;value\nGN1;2026-03-02;10,5\n{line}\nGN1;2026-03-04;10,5\n".encode())
    assert [error.line for error in errors] == [3]
    assert words in errors[0].text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "must have a header"),
        (b"area;day\n", "the header must name"),
        (b"area;day;value\n", "no values"),
        (b"\xff\xfe", "UTF-8"),
        (b'area;day;value\n"GN1;2026-03-02;10,5\n', "not a CSV"),
    ],
)
def test_a_file_that_is_none(content: bytes, words: str) -> None:
    _, errors = parse(content)
    assert words in errors[0].text
