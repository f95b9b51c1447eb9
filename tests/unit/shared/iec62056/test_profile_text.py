"""Load profiles in the form that real makes give them (EMH, MetCom), and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.iec62056.data_sets import Number
from shared.iec62056.errors import DecodeError
from shared.iec62056.profile_text import (
    CLOCK_SET,
    POWER_RETURNED,
    ColumnHead,
    error_of,
    flags_of,
    format_part,
    profile_parts,
    status_of,
)
from shared.quantities import Flag

EMH = (
    "P.01(1220823161500)(00000000)(15)(6)(1.5)(kW)(2.5)(kW)(5.5)(kvar)(6.5)(kvar)(7.5)(kvar)(8.5)(kvar)\r\n"
    "(0.18374)(0.00078)(0.00000)(0.00006)(0.00087)(0.02431)\r\n"
    "(0.16832)(0.00000)(0.00000)(0.00000)(0.00000)(0.02686)"
)
METCOM = (
    "P.01(1220823150000)(08)(15)(2)(1-0:1.5.0)(kW)(1-0:2.5.0)(kW)\r\n(0.00000)(0.12683)\r\n(0.00028)(0.06188)\r\n"
    "P.01(1220823153000)(A0)(15)(2)(1-0:1.5.0)(kW)(1-0:2.5.0)(kW)\r\n( )(----)\r\n"
)


def test_an_answer_with_a_wide_status() -> None:
    (part,) = profile_parts(EMH, "P.01")
    assert (part.status, part.period_s, len(part.rows)) == (0, 900, 2)
    assert part.columns[:2] == (ColumnHead("1.5", "kW"), ColumnHead("2.5", "kW"))
    assert part.rows[0][0] == Number(18_374, -5)
    assert part.rows[1][5] == Number(2_686, -5)
    assert part.stamp.season == "1"


def test_parts_and_rows_without_values() -> None:
    first, second = profile_parts(METCOM, "P.01")
    assert first.rows == ((Number(0, -5), Number(12_683, -5)), (Number(28, -5), Number(6_188, -5)))
    assert second.rows == ((None, None),)
    assert flags_of(second.status) == Flag.POWER_DOWN | Flag.CLOCK_ADJUSTED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P.01(ERROR)", "ERROR"),
        ("(ER05)", "ER05"),
        ("P.01(ERROR)\r\n", "ERROR"),
        ("1.8.0(1)", None),
        ("", None),
        ("P.01(ERROR)(1)", None),
    ],
)
def test_errors(text: str, expected: str | None) -> None:
    assert error_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(0.1)", "before any header"),
        ("P.02" + EMH[4:], "expected P.01"),
        ("P.01(1220823161500)(00)", "2 fields"),
        ("P.01(1220823161500)(00)(15)(2)(1.5)(kW)", "names fewer"),
        ("P.01(1220823161500)(00)(0)(1)(1.5)(kW)", "every 0 s"),
        ("P.01(1220823161500)(00)(15)(0)", "0 values"),
        ("P.01(1220823161500)(00)(15)(65)", "number of values"),
        ("P.01(1220823161500)(0x)(15)(1)(1.5)(kW)", "status"),
        ("P.01(99)(00)(15)(1)(1.5)(kW)", "no time stamp"),
        (METCOM.replace("(0.12683)", ""), "not whole"),
        (METCOM.replace("0.12683", "0,12683"), "no number"),
        (METCOM.replace("0.12683", "0.12683*kvar"), "header says kW"),
    ],
)
def test_what_does_not_fit_is_refused(text: str, expected: str) -> None:
    with pytest.raises(DecodeError, match=expected):
        profile_parts(text, "P.01")


def test_flags_and_status() -> None:
    assert flags_of(0) == 0
    assert flags_of(0xFFFF_FF04) == Flag.DATA_INVALID
    assert status_of(Flag.POWER_DOWN | Flag.CLOCK_ADJUSTED | Flag.DST) == POWER_RETURNED | CLOCK_SET


@given(st.lists(st.lists(st.integers(0, 10**6), min_size=3, max_size=3), max_size=20), st.integers(0, 255))
def test_what_is_written_is_read(values: list[list[int]], status: int) -> None:
    heads = [ColumnHead(f"{n}.29.0", "kWh") for n in (1, 2, 3)]
    rows = [[f"{value // 1000}.{value % 1000:03d}" for value in row] for row in values]
    text = format_part("P.01", "1260301001500", status, 900, heads, rows)
    (part,) = profile_parts(text, "P.01")
    assert (part.status, part.columns) == (status, tuple(heads))
    assert [[cell.mantissa for cell in row if cell] for row in part.rows] == values


@given(st.text(st.sampled_from("P.01()2635*kWh \r\n-E"), max_size=80), st.integers(0, len(METCOM)))
def test_no_text_does_harm(noise: str, place: int) -> None:
    try:
        parts = profile_parts(METCOM[:place] + noise + METCOM[place:], "P.01")
    except DecodeError as error:
        assert str(error)
    else:
        assert all(len(row) == len(part.columns) for part in parts for row in part.rows)
