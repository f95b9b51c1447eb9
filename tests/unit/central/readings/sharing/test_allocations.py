"""What an export allocates: the portal's two layouts, whole days only, and what EDC never writes."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from central.platform.errors import BadInput
from central.readings.sharing.allocations import Allocation, of_computed, of_export
from central.readings.sharing.export import read_export
from central.readings.sharing.groups import HeldKey
from central.readings.sharing.portal import write_portal
from central.readings.sharing.shared_energy import MOST_CELLS, Shared, require_bound
from central.readings.sharing.static import share
from shared.identifiers import make_ean18
from shared.metering_day import PRAGUE, days_between
from shared.quantities import Commodity

ROOF, FLAT, SHOP = (make_ean18(f"859182400900{number:05d}") for number in (1, 2, 3))
DAYS = days_between(Commodity.ELECTRICITY, date(2026, 10, 25), date(2026, 10, 27))
"""The first one has 100 quarter-hours."""
KEYS = [
    HeldKey(ROOF, FLAT, 5000, date(2026, 10, 1), None),
    HeldKey(ROOF, SHOP, 5000, date(2026, 10, 26), None),
]


def shared() -> Shared:
    offset = np.array([0, 100, 196])
    produced, demanded = np.full((1, 196), 100), np.full((2, 196), 60)
    given = np.zeros((1, 2, 196), np.int64)
    given[:, :, :100] = share(produced[:, :100], demanded[:, :100], [[5000, 0]], 5)
    given[:, :, 100:] = share(produced[:, 100:], demanded[:, 100:], [[5000, 5000]], 5)
    return Shared([ROOF], [FLAT, SHOP], DAYS, offset, produced, demanded, given, [])


def exported(layout: str) -> bytes:
    return "".join(write_portal(shared(), layout)).encode()  # type: ignore[arg-type]  # the two layouts


def totals(allocations: Sequence[Allocation]) -> dict[tuple[str, str, date], int]:
    return {(each.ean, each.role, each.day): sum(each.units) for each in allocations}


def test_both_layouts_allocate_what_was_computed() -> None:
    ours = totals(of_computed(shared(), KEYS))
    assert ours == {
        (ROOF, "producer", DAYS[0].date): 100 * 60,
        (ROOF, "producer", DAYS[1].date): 96 * 100,
        (FLAT, "consumer", DAYS[0].date): 100 * 60,
        (FLAT, "consumer", DAYS[1].date): 96 * 50,
        (SHOP, "consumer", DAYS[1].date): 96 * 50,
    }
    for layout in ("all", "pairs"):
        taken, left = of_export(read_export(exported(layout)))
        assert left == []
        assert totals(taken) == ours | {(SHOP, "consumer", DAYS[0].date): 0}


def test_the_two_layouts_as_the_portal_writes_them() -> None:
    members, pairs = list(write_portal(shared(), "all")), list(write_portal(shared(), "pairs"))
    assert members[0] == (
        f"Datum;Cas od;Cas do;IN-{ROOF}-D;OUT-{ROOF}-D;IN-{FLAT}-O;OUT-{FLAT}-O;IN-{SHOP}-O;OUT-{SHOP}-O\r\n"
    )
    assert members[1] == "25.10.2026;00:00;00:15;1,00;0,40;-0,60;0,00;-0,60;-0,60\r\n"
    assert members[196] == "26.10.2026;23:45;00:00;1,00;0,00;-0,60;-0,10;-0,60;-0,10\r\n"
    assert pairs[0] == f"Datum;Cas od;Cas do;{ROOF}-{FLAT};{ROOF}-{SHOP}\r\n"
    assert (pairs[1], pairs[196]) == ("25.10.2026;00:00;00:15;0,60;0,00\r\n", "26.10.2026;23:45;00:00;0,50;0,50\r\n")
    assert [line[:16] for line in (members[9], members[13])] == ["25.10.2026;02:00"] * 2, "the hour that comes twice"


def test_a_key_holds_up_to_its_end_which_is_no_day_of_it() -> None:
    ended = [HeldKey(ROOF, FLAT, 5000, date(2026, 10, 1), DAYS[1].date), KEYS[1]]
    assert {(ean, day) for ean, role, day in totals(of_computed(shared(), ended)) if role == "consumer"} == {
        (FLAT, DAYS[0].date),
        (SHOP, DAYS[1].date),
    }


def test_a_day_that_is_there_in_part_only_is_left_out_and_told() -> None:
    lines = exported("pairs").splitlines(keepends=True)
    taken, left = of_export(read_export(b"".join([lines[0], *lines[3:]])))
    assert {each.day for each in taken} == {DAYS[1].date}
    assert [(each.ean, each.role, each.day, each.missing) for each in left] == [
        (ROOF, "producer", DAYS[0].date, 2),
        (FLAT, "consumer", DAYS[0].date, 2),
        (SHOP, "consumer", DAYS[0].date, 2),
    ]


def row(*cells: str) -> str:
    return ";".join(cells) + "\n"


HEADER = row("Datum", "Cas od", "Cas do", f"{ROOF}-{FLAT}")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HEADER + row("24.10.2026", "12:00", "12:15", "0,101"), "finer than 0.01 kWh"),
        (HEADER + row("24.10.2026", "12:05", "12:20", "0,10"), "begins no quarter-hour"),
        (HEADER + row("24.10.2026", "12:00", "12:15", "0,10") * 2, "2 values at 2026-10-24 12:00"),
        (HEADER + row("24.10.2026", "12:00", "12:15", "-0,10"), "would share -0.1 kWh at 2026-10-24 12:00"),
        (HEADER + row("24.10.2026", "12:00", "12:15", "99999999,00"), "would share 99999999 kWh"),
        (HEADER + row("24.10.2026", "12:00", "12:15", "21474836,48"), "from 0 to 21474836 kWh"),
        (HEADER.replace(FLAT, f"{FLAT};IN-{FLAT}-O") + row("24.10.2026", "12:00", "12:15", "1", "-1"), "mixes columns"),
        (row("Datum", "Cas od", "Cas do", f"IN-{FLAT}-O") + row("24.10.2026", "12:00", "12:15", "-1"), "only"),
        (row("Datum", "Cas od", "Cas do", f"OUT-{FLAT}-O") + row("24.10.2026", "12:00", "12:15", "-1"), "only"),
        (HEADER, "cannot be read"),
    ],
)
def test_what_edc_never_writes_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        of_export(read_export(text.encode()))


def test_the_most_that_a_quarter_hour_can_have_is_taken() -> None:
    text = HEADER + "".join(
        row(f"{at:%d.%m.%Y}", f"{at:%H:%M}", "", "21474836,47")
        for at in (datetime(2026, 10, 24, tzinfo=PRAGUE) + timedelta(minutes=15 * place) for place in range(96))
    )
    taken, left = of_export(read_export(text.encode()))
    assert (left, {max(each.units) for each in taken}) == ([], {2**31 - 1})


def test_the_example_of_the_portal_is_read_with_consumption_below_zero() -> None:
    """Production positive, consumption negative, decimal commas, a delimiter at the end: shared is IN - OUT."""
    names = [f"IN-{ROOF}-D", f"OUT-{ROOF}-D", f"IN-{FLAT}-O", f"OUT-{FLAT}-O"]
    start = datetime(2025, 2, 4, 23, tzinfo=UTC)
    lines = ["Datum;Cas od;Cas do;" + ";".join(names) + ";"]
    for place in range(96):
        begin, end = ((start + timedelta(minutes=15 * n)).astimezone(PRAGUE) for n in (place, place + 1))
        lines.append(f"{begin:%d.%m.%Y};{begin:%H:%M};{end:%H:%M};0,03;0,01;-0,74;-0,72;")
    taken, left = of_export(read_export(("\ufeff" + "\r\n".join(lines)).encode()))
    assert left == []
    assert totals(taken) == {
        (ROOF, "producer", date(2025, 2, 5)): 192,
        (FLAT, "consumer", date(2025, 2, 5)): 192,
    }


def test_a_group_without_members_writes_empty_rows() -> None:
    nobody = Shared(
        [], [], DAYS, np.array([0, 100, 196]), *(np.zeros((0, 196), np.int64),) * 2, np.zeros((0, 0, 196), np.int64), []
    )
    lines = list(write_portal(nobody, "all"))
    assert (lines[0], lines[1], len(lines)) == ("Datum;Cas od;Cas do\r\n", "25.10.2026;00:00;00:15\r\n", 197)


def test_more_than_fits_into_memory_is_refused_with_what_fits() -> None:
    require_bound("SK-1", 1, 999, 100)
    with pytest.raises(BadInput, match=r"100 producers and 900 consumers in these 31 days; ask for at most 2 days"):
        require_bound("SK-1", 100, 900, 31)
    assert MOST_CELLS >= 100 * 900 * 2 * 100
