"""Energy of a network by points: hand-computed examples."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.workflow.reports import cells as rules
from central.workflow.reports.definition import require_newest
from central.workflow.reports.energy import Energy, Point, SettledPart, network_energy, settled_energy

D = Decimal
FIRST, END = date(2026, 3, 1), date(2026, 4, 1)
WHOLE = [(FIRST, END)]


def part(first: date, end: date, mwh: str | None) -> SettledPart:
    return SettledPart(first, end, None if mwh is None else D(mwh))


@pytest.mark.parametrize(
    ("parts", "needed", "mwh", "why"),
    [
        ([part(FIRST, END, "0.396657")], WHOLE, D("0.396657"), ""),
        # nothing was consumed: zero, not unknown
        ([part(FIRST, END, "0")], WHOLE, D(0), ""),
        # a change of customer on the 11th
        ([part(FIRST, date(2026, 3, 11), "1"), part(date(2026, 3, 11), END, "2.5")], WHOLE, D("3.5"), ""),
        # the correction is newer and counts instead
        ([part(FIRST, END, "1.1"), part(FIRST, END, "0.9")], WHOLE, D("1.1"), ""),
        # a year's bill of 3.65 MWh, 31 days of 365
        ([part(date(2025, 7, 1), date(2026, 7, 1), "3.65")], WHOLE, D("0.31"), "by days"),
        # a monthly bill counts before the older yearly one, which gives the other 21 days: 0.2 + 21 x 0.01
        (
            [part(FIRST, date(2026, 3, 11), "0.2"), part(date(2025, 7, 1), date(2026, 7, 1), "3.65")],
            WHOLE,
            D("0.41"),
            "by days",
        ),
        ([], WHOLE, None, "31 days are not settled, the first 2026-03-01"),
        ([part(FIRST, date(2026, 3, 30), "1")], WHOLE, None, "2 days are not settled, the first 2026-03-30"),
        # connected on the 16th only
        ([part(date(2026, 3, 16), END, "0.5")], [(date(2026, 3, 16), END)], D("0.5"), ""),
        # suspended all the time: nothing is needed
        ([], [], D(0), ""),
        ([part(FIRST, END, None)], WHOLE, None, "its settlement of 2026-03-01 to 2026-04-01 has no energy"),
    ],
)
def test_energy_of_settled_points(
    parts: list[SettledPart], needed: list[tuple[date, date]], mwh: Decimal | None, why: str
) -> None:
    found = settled_energy(parts, needed, FIRST, END)
    assert found.mwh == mwh
    assert found.by_days is (why == "by days")
    assert found.why == ("" if why == "by days" else why)


@given(st.integers(1, 30), st.integers(0, 10**9), st.integers(0, 10**9))
def test_two_tenures_of_a_month_sum_to_the_whole(day: int, left: int, right: int) -> None:
    middle = date(2026, 3, 1 + day)
    parts = [SettledPart(FIRST, middle, D(left).scaleb(-6)), SettledPart(middle, END, D(right).scaleb(-6))]
    assert settled_energy(parts, WHOLE, FIRST, END).mwh == D(left + right).scaleb(-6)


def point(ean: str, kind: str = "consumption", level: str = "NN", category: str = "business", **said: object) -> Point:
    values = {"own": False, "taken": None, "delivered": None, **said}
    return Point(ean, kind, level, category, **values)  # type: ignore[arg-type]  # by name


SITE = [
    point("E", "entry", "VN", taken=Energy(D(100)), delivered=Energy(D(1))),
    point("V", "production", "VN", taken=Energy(D("0.5")), delivered=Energy(D(10))),
    point("A", level="VN", taken=Energy(D(60)), delivered=Energy(D(2))),
    point("B", taken=Energy(D(20))),
    point("H", category="household", taken=Energy(D("12.123456"))),
    point("O", taken=Energy(D(3)), own=True),
]


def rows(points: list[Point]) -> dict[str, Decimal | None]:
    form = require_newest("lds_consumption")
    filled = rules.fill(form, rules.empty(form), network_energy(points))
    return {row: cell.value for (row, _), cell in filled.items()}


def test_the_report_of_a_network_with_losses() -> None:
    # 100 + 12 came in; 60.5 + 20 + 12.12346 + 1 + 3 went out: 15.37654 were lost
    assert rows(SITE) == {
        "01": D(100), "02": D(12), "03": D(0), "04": D("60.5"), "05": D(20), "06": D("12.12346"), "07": D(0),
        "08": D(1), "09": D(3), "11": D("15.37654"),
    }  # fmt: skip


def test_what_is_not_there_is_zero_and_what_is_silent_is_not_known() -> None:
    without = rows([SITE[0], SITE[2]])
    assert (without["02"], without["05"], without["06"], without["09"]) == (D(2), D(0), D(0), D(0))
    assert without["11"] == D(41)
    silent = rows([*SITE, point("S", taken=Energy(None, "2 quarter-hours have no value"))])
    assert (silent["05"], silent["06"], silent["11"]) == (None, D("12.12346"), None)
    assert rows([SITE[2]])["01"] is None, "a network without an entry point has no input that is known"


@pytest.mark.parametrize(
    ("missing", "key", "sentence"),
    [
        (point("E", "entry", "VN"), "entry.taken", "1 point, of 1 of which the energy is not known: E: it has no"),
        (point("V", "production"), "generators.delivered", "V: it has no interval channel"),
        (point("B", taken=Energy(None, "31 days are not settled")), "consumption.business", "B: 31 days are not"),
    ],
)
def test_a_point_without_energy_is_named(missing: Point, key: str, sentence: str) -> None:
    found = network_energy([missing])[key, "energy"]
    assert found.value is None
    assert sentence in found.text
    assert found.details["lacking_points"][0]["ean"] == missing.ean
