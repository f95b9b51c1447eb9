"""Times of low tariff from tables, made up."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from central.platform import audit
from central.readings.registers.tariff_mask import SwitchingTimes
from central.workflow.external import switching_times
from central.workflow.external.adapter import Origin, UnreadableError
from central.workflow.external.switching_times import Settings, Times, read
from central.workflow.external.table_form import TableForm

HEAD = "code;days;times;from;to\n"
SETTINGS = Settings(column_until="to")
SINCE = date(2026, 1, 1)


def table(*rows: str) -> bytes:
    return (HEAD + "".join(f"{row}\n" for row in rows)).encode()


def minutes(hours: float) -> int:
    return round(hours * 60)


@pytest.mark.parametrize(
    ("days", "kinds"),
    [
        ("Po-Pá", [1, 2, 3, 4, 5]),
        ("po – pá", [1, 2, 3, 4, 5]),
        ("1-5", [1, 2, 3, 4, 5]),
        ("pracovní dny", [1, 2, 3, 4, 5]),
        ("So, Ne, svátek", [6, 7, 8]),
        ("víkend+8", [6, 7, 8]),
        ("Denně", [1, 2, 3, 4, 5, 6, 7]),
        ("Út Čt", [2, 4]),
    ],
)
def test_kinds_of_day(days: str, kinds: list[int]) -> None:
    read_times = read(table(f"A1B2;{days};0:00-5:20;1.1.2026;"), SETTINGS)
    assert sorted(each.day_kind for each in read_times) == kinds
    assert {each.low for each in read_times} == {((0, minutes(5) + 20),)}


def test_several_times_in_a_cell_or_in_rows_meet_and_end_with_the_day() -> None:
    rows = ("A1B2;So;12:30-15:00, 22.10 - 23:59;1.1.2026;31.12.2026", "A1B2;So;15:00-16:00;2026-01-01;2026-12-31")
    low = ((750, 960), (1330, 1440))
    assert read(table(*rows), SETTINGS) == [Times("A1B2", 6, low, SINCE, date(2027, 1, 1))]
    cells = "Povel;Den;Sazba NT;Od\nA1B2;Ne;00:00:00-06:00:00 a 20:00-24:00;1.1.2026\n".encode("windows-1250")
    names = Settings(column_code="povel", column_days="den", column_times="sazba nt", column_since="od")
    assert read(cells, names) == [Times("A1B2", 7, ((0, 360), (1200, 1440)), SINCE, None)]


def test_only_named_commands_under_our_codes_and_days_without_low_tariff() -> None:
    settings = Settings(codes={"A1B2": "D25d"}, column_until="to")
    rows = ("A1B2;Po;;1.1.2026;", "A1B3;nonsense;also;1.1.2026;")
    assert read(table(*rows), settings) == [Times("D25d", 1, (), SINCE, None)]
    with pytest.raises(UnreadableError):
        read(table("A1B2;Po;nonsense;1.1.2026;"), settings)
    assert read(table("X;Po;0:00-1:00;1.1.2026;"), settings) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>Omlouv\xc3\xa1me se</html>", "a page"),
        (b"", "no header"),
        (HEAD.encode(), "no rows"),
        (table("A;Po;0:00-5:00;1.1.2026;")[:-12], "ends before"),
        (table("A;Po;22:00-06:00;1.1.2026;"), "over midnight"),
        (table("A;Po;0:00-25:00;1.1.2026;"), "no time within a day"),
        (table("A;Po;0:61-2:00;1.1.2026;"), "no time within a day"),
        (table("A;Po;0:00-5:00;32.1.2026;"), "no time of validity"),
        (table("A;Po;0:00-5:00;2.1.2026;1.1.2026"), "no time of validity"),
        (table("A;Po;0:00-5:00;2.1.2026;nikdy"), "no time of validity"),
        (table("A;Pátek;0:00-5:00;1.1.2026;"), "no kinds of day"),
        (table("A;Pá-Po;0:00-5:00;1.1.2026;"), "no kinds of day"),
        (table("A;9;0:00-5:00;1.1.2026;"), "no kinds of day"),
        (table("A;;0:00-5:00;1.1.2026;"), "no kind of day"),
        (table(";Po;0:00-5:00;1.1.2026;"), "command is missing"),
        (table("A;Po;0:00-5:00 4:00-6:00;1.1.2026;"), "overlap"),
    ],
)
def test_what_is_no_table_is_unreadable(content: bytes, said: str) -> None:
    with pytest.raises(UnreadableError, match=said):
        read(content, SETTINGS)


def test_a_page_with_a_table() -> None:
    page = (
        "<html><table><tr><td>code<td>days<td>times<td>from<td>to</tr>"
        "<tr><td>A<td>Po<td>0:00-5:00<td>1.1.2026<td></tr></table></html>"
    )
    settings = Settings(table=TableForm("html"), column_until="to")
    assert read(page.encode(), settings) == [Times("A", 1, ((0, 300),), SINCE, None)]


LOW = ((0, 480),)
HELD = SwitchingTimes(1, LOW, date(2026, 2, 1), date(2026, 5, 1))


@pytest.mark.parametrize(
    ("kind", "low", "since", "until", "outcome"),
    [
        (1, LOW, date(2026, 2, 1), date(2026, 5, 1), "same"),
        (1, ((60, 480),), date(2026, 2, 1), date(2026, 5, 1), "left"),
        (1, LOW, date(2026, 2, 1), None, "left"),
        (1, LOW, date(2026, 4, 30), None, "left"),
        (1, LOW, date(2026, 1, 1), date(2026, 2, 2), "left"),
        # before, behind, and on another kind of day nothing is said yet
        (1, LOW, date(2026, 1, 1), date(2026, 2, 1), "added"),
        (1, LOW, date(2026, 5, 1), None, "added"),
        (2, LOW, date(2026, 2, 1), date(2026, 5, 1), "added"),
    ],
)
def test_what_says_otherwise_than_a_schedule_is_left_to_a_person(
    kind: int, low: tuple[tuple[int, int], ...], since: date, until: date | None, outcome: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    made: list[Any] = []
    monkeypatch.setattr(switching_times, "find_schedules", lambda _: [{"code": "A", "times": [HELD]}])
    monkeypatch.setattr(switching_times, "create_schedule", lambda _, code, __: made.append(code))
    monkeypatch.setattr(switching_times, "add_times", lambda _, *said: made.append(said))
    monkeypatch.setattr(audit, "record", lambda *_: None)
    origin = Origin("hdo", 1, "https://hdo.example/times", datetime(2026, 3, 1, tzinfo=UTC))
    nothing: Any = None
    counts = switching_times.keep(nothing, [Times("A", kind, low, since, until)], Settings(), origin)
    assert made == ([("A", [kind], low, since, until)] if outcome == "added" else [])
    assert (counts.records, counts.added, len(counts.left)) == (1, outcome == "added", outcome == "left")
    if outcome == "left":
        assert f"The schedule A has other times from {since} on: not stored" in counts.left[0]
        unknown = switching_times.keep(nothing, [Times("B", kind, low, since, until)] * 2, Settings(), origin)
        assert (made, unknown.added, unknown.left) == (["B", ("B", [kind], low, since, until)], 1, ())
