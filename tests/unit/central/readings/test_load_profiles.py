"""Load-profile classes: CSV, spreading over metering intervals, shapes and exact splits."""

import io
import re
from datetime import date

import numpy as np
import pytest
from openpyxl import Workbook

from central.platform.errors import BadInput
from central.readings.load_profile_import import ClassDay, read_csv, read_workbook
from central.readings.load_profiles import (
    NORMALISED,
    RECOMPUTED,
    LoadProfiles,
    Series,
    lengths_of,
    on_intervals,
)
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

DAY = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 2))


def test_a_table_of_hours_becomes_days_of_classes() -> None:
    content = "den;hodina;1;4\n02.03.2026;1;0,5;1\n02.03.2026;2;0,25;2\n\n2026-03-03;1;1;0\n"
    assert read_csv(content) == [
        ClassDay("1", date(2026, 3, 2), [0.5, 0.25]),
        ClassDay("4", date(2026, 3, 2), [1.0, 2.0]),
        ClassDay("1", date(2026, 3, 3), [1.0]),
        ClassDay("4", date(2026, 3, 3), [0.0]),
    ]
    assert read_csv("day,hour,DOM1\n2026-03-02,1,0.5\n") == [ClassDay("DOM1", date(2026, 3, 2), [0.5])]


def workbook(*rows: tuple[object, ...]) -> bytes:
    book = Workbook()
    book.active.title = "TDD"
    for row in rows:
        book.active.append(row)
    book.create_sheet("Poznámky").append(("nic",))
    into = io.BytesIO()
    book.save(into)
    return into.getvalue()


def test_a_sheet_is_read_as_the_table_that_it_is() -> None:
    content = workbook(
        ("den", "hodina", 1, "4", None, None),
        (date(2026, 3, 2), 1, 0.5, 1),
        (date(2026, 3, 2), 2.0, 0.25, "2", None, None),
        (),
        ("03.03.2026", "1", 1, 0.00000285388127853),
    )
    expected = [
        ClassDay("1", date(2026, 3, 2), [0.5, 0.25]),
        ClassDay("4", date(2026, 3, 2), [1.0, 2.0]),
        ClassDay("1", date(2026, 3, 3), [1.0]),
        ClassDay("4", date(2026, 3, 3), [0.00000285388127853]),
    ]
    assert read_workbook(content) == expected
    assert read_workbook(content, "TDD") == expected


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"den;hodina;1", "not a workbook"),
        (workbook(), "expected a day"),
        (workbook(("den", "hodina", "1"), (date(2026, 3, 2), 1, "x")), "line 2: the value 'x' is not a number"),
        (workbook(("den", "hodina", "1"), (date(2026, 3, 2), 1, 1, 5)), "line 2: 4 cells where 3 are expected"),
        (workbook(("den", "hodina", "1"), (date(2026, 3, 2), 1)), "line 2: the value '' is not a number"),
    ],
)
def test_a_workbook_that_is_no_such_table_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(BadInput, match=re.escape(says)):
        read_workbook(content)
    with pytest.raises(BadInput, match=r"not a workbook|no sheet 'X'"):
        read_workbook(content, "X")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "expected a day"),
        ("den;hodina\n", "one class a column"),
        ("den;hodina;1;1\n", "named once"),
        ("den;hodina;1\n2026-03-02;1;x\n", "line 2: the value 'x' is not a number"),
        ("den;hodina;1\n2026-03-02;1;-1\n", "line 2: the value '-1' is not a weight"),
        ("den;hodina;1\n2026-03-02;1;nan\n", "line 2: the value 'nan'"),
        ("den;hodina;1\n2026-03-02;1;1e308\n", "line 2: the value '1e308' is not a weight; 0, or 1e-12 to 1e+09"),
        ("den;hodina;1\n2026-03-02;1;5e-324\n", "line 2: the value '5e-324' is not a weight"),
        ("den;hodina;1\n2026-03-02;2;1\n", "line 2: place 2 of 2026-03-02 follows 0"),
        ("den;hodina;1\n2026-13-02;1;1\n2026-03-02;1\n", "2 lines are bad: line 2: the day '2026-13-02'"),
        ("den;hodina;1\n2026-03-02;²;1\n", "the place '²'"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_taken(content: str, says: str) -> None:
    with pytest.raises(BadInput, match=re.escape(says)):
        read_csv(content)


@pytest.mark.parametrize(
    ("commodity", "day", "lengths"),
    [
        (Commodity.ELECTRICITY, date(2026, 3, 28), (24, 96)),
        (Commodity.ELECTRICITY, date(2026, 3, 29), (23, 92)),
        (Commodity.ELECTRICITY, date(2026, 10, 25), (25, 100)),
        (Commodity.GAS, date(2026, 3, 28), (1, 23)),
        (Commodity.GAS, date(2026, 10, 24), (1, 25)),
        (Commodity.GAS, date(2026, 6, 1), (1, 24)),
    ],
)
def test_every_length_of_day(commodity: Commodity, day: date, lengths: tuple[int, int]) -> None:
    metering = MeteringDay(commodity, day)
    assert lengths_of(metering) == lengths
    for length in lengths:
        starts, weights = on_intervals(metering, [1.0] * length)
        assert len(starts) == len(weights) == metering.length
        assert weights.sum() == pytest.approx(length)
        assert int(starts[-1]) == int(metering.instant(metering.length - 1).timestamp() * 1000)


def profiles() -> LoadProfiles:
    starts, hours = on_intervals(DAY, list(range(24)))
    flat = np.full(48, 2.0)
    return LoadProfiles(
        Commodity.ELECTRICITY, {("1", NORMALISED): Series(starts, hours), ("1", RECOMPUTED): Series(starts[:48], flat)}
    )


def test_the_recomputed_series_comes_first_and_kinds_are_never_mixed() -> None:
    starts = int(DAY.start.timestamp() * 1000) + np.arange(96, dtype=np.int64) * 900_000
    known = profiles()
    assert known.shape("1", starts[:48]).tolist() == [2.0] * 48
    assert known.shape("1", starts[40:56])[:4].tolist() == [2.5] * 4  # hour 10 of the normalised one, in quarters
    assert known.shape("1", starts[:48], (NORMALISED,))[:8].tolist() == [0.0] * 4 + [0.25] * 4
    assert np.isnan(known.shape("1", np.append(starts, starts[-1] + 900_000))).all()
    assert np.isnan(known.shape("2", starts)).all()


def test_a_register_difference_is_split_exactly() -> None:
    starts = int(DAY.start.timestamp() * 1000) + np.arange(96, dtype=np.int64) * 900_000
    parts = profiles().split(1_000, "1", starts, (NORMALISED,))
    assert parts is not None
    assert int(parts.sum()) == 1_000
    # 276 = 0 + 1 + ... + 23: the last hour has 1000 x 23 / 276 = 83.3
    assert int(parts[92:].sum()) in (83, 84)
    assert profiles().split(1_000, "9", starts) is None
