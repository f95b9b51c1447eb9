"""Columns as fields: Czech forms, defaults, needs, repeated and differing lines; no database."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.network.meter_templates import shipped_meter_templates
from central.platform.errors import BadInput
from central.workflow.registry_import.fields import FIELDS, Writing, read_value, write_value
from central.workflow.registry_import.mapping import SHIPPED, mapping_of
from central.workflow.registry_import.planning import Planned, plan
from central.workflow.registry_import.reading import Problems, read_records
from shared.metering_day import PRAGUE

CZECH, PLAIN = Writing(), Writing(".", "%Y-%m-%d")
POINTS = SHIPPED["supply-points"]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("item.annual_mwh", "1\u00a0234,500", Decimal("1234.500")),
        ("item.annual_mwh", "12", Decimal(12)),
        ("contract.valid_from", "1.3.2026", date(2026, 3, 1)),
        ("contract.valid_from", "2026-03-01T00:00:00", date(2026, 3, 1)),
        ("meter.since", "29.03.2026 10:30", datetime(2026, 3, 29, 10, 30, tzinfo=PRAGUE)),
        ("meter.since", "2026-03-29", datetime(2026, 3, 29, tzinfo=PRAGUE)),
        ("party.ico", "19", "00000019"),
        ("party.iban", "19-2000145399/0800", "CZ6508000000192000145399"),
        ("party.vat_payer", "Ne", False),
        ("party.roles", "supplier, customer", ["customer", "supplier"]),
        ("item.breaker_amps", "25,0", 25),
    ],
)
def test_values_are_read_as_they_are_written_in_czech(name: str, text: str, value: object) -> None:
    assert read_value(FIELDS[name], text, CZECH) == value


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("item.annual_mwh", "1.234,5", "a number such as"),
        ("item.annual_mwh", "-5", "a number such as"),
        ("item.annual_mwh", "1234567890", "a number such as"),
        ("contract.valid_from", "31.2.2026", "a day such as 31.03.2026"),
        ("contract.valid_from", "1.1.1026", "a day from 1990-01-01"),
        ("meter.since", "1.1.2026 25:00", "an instant such as"),
        ("meter.since", "1.1.2026 večer", "an instant such as"),
        ("meter.digits", "19", "a whole number from 1 to 18"),
        ("party.iban", "19-2000145398/0800", "right check digits"),
        ("party.vat_payer", "snad", "ano or ne"),
        ("supply_point.voltage_level", "NNN", "one of VVN, VN, NN"),
        ("supply_point.pressure_level", "NTL", "one of low, medium, high"),
        ("item.breaker_phases", "2", "one of 1, 3"),
        ("party.name", "x" * 501, "at most 500 characters"),
    ],
)
def test_what_cannot_be_read_says_what_was_expected(name: str, text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        read_value(FIELDS[name], text, CZECH)


@given(
    st.decimals(min_value=0, max_value=99_999_999, places=3),
    st.dates(min_value=date(1990, 1, 1), max_value=date(2199, 12, 31)),
    st.booleans(),
    st.sampled_from([CZECH, PLAIN]),
)
def test_what_is_written_is_read_again(number: Decimal, day: date, said: bool, writing: Writing) -> None:
    pairs: list[tuple[str, Any]] = [
        ("item.annual_mwh", number),
        ("item.valid_to", day),
        ("party.vat_payer", said),
        ("meter.since", datetime(day.year, day.month, day.day, 13, 5, tzinfo=PRAGUE)),
    ]
    for name, value in pairs:
        assert read_value(FIELDS[name], write_value(FIELDS[name], value, writing), writing) == value


@given(st.binary(max_size=300))
def test_no_octets_break_the_reader(content: bytes) -> None:
    for name in ("customers", "meters-xlsx"):
        try:
            read_records(content, SHIPPED[name], Problems())
        except BadInput as error:
            assert error.message.endswith((".", "?"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"columns": {"meter.id": {"column": "m"}}}, "has no field 'meter.id'"),
        ({"columns": {"party.name": {"column": "n"}}}, "party.code must have a column"),
        ({"constants": {"party.code": "X"}}, "both a column and a constant"),
        ({"date_format": "%d.%m. %Y"}, "without spaces"),
        ({"delimiter": '"'}, "delimiter"),
    ],
)
def test_mappings_that_cannot_work_are_refused(change: dict[str, Any], said: str) -> None:
    body = {"content": "parties", "columns": {"party.code": {"column": "c"}}}
    with pytest.raises(BadInput, match=said):
        mapping_of(body | change)


def _rows(*rows: dict[str, str]) -> bytes:
    columns = [rule.column for rule in POINTS.columns.values()]
    lines = [";".join(columns), *(";".join(row.get(column, "") for column in columns) for row in rows)]
    return "\n".join(lines).encode()


_POINT = {
    "EAN/EIC": "859182400900000006",
    "název místa": "Hala",
    "objekt": "A",
    "ulice": "Lipová 1",
    "obec": "Čistá",
    "PSČ": "517 45",
    "komodita": "elektřina",
    "provozovatel": "LDS",
    "napětí": "NN",
}
_TERMS = {
    "EAN/EIC": "859182400900000006",
    "číslo smlouvy": "S/1",
    "druh smlouvy": "distribuce",
    "zákazník": "C1",
    "smlouva od": "1.1.2026",
    "ceník": "CEZ",
}


def _planned(*rows: dict[str, str]) -> tuple[Planned, Problems]:
    problems = Problems()
    records = read_records(_rows(*rows), POINTS, problems)
    return plan(records, POINTS, shipped_meter_templates(), problems), problems


def test_rows_of_one_contract_are_its_items_and_a_point_is_met_again() -> None:
    later = {**_TERMS, "položka od": "1.6.2026", "sazba": "C25d"}
    planned, problems = _planned({**_POINT, **_TERMS, "položka do": "1.6.2026"}, {**_POINT, **later})
    assert problems.named == []
    (point,), (contract,) = planned.entries["supply_point"], planned.entries["contract"]
    assert (point.lines, point.spec["category"], point.spec["point_type"]) == ([2, 3], "business", "consumption")
    assert [item["valid_from"] for item in contract.spec["items"]] == [None, date(2026, 6, 1)]


def test_a_row_may_only_name_a_point_that_is_there() -> None:
    planned, problems = _planned(_TERMS)
    assert (planned.entries["supply_point"], problems.named) == ([], [])
    assert planned.entries["contract"][0].spec["items"][0]["supply_point"] == _TERMS["EAN/EIC"]


@pytest.mark.parametrize(
    ("rows", "line", "column", "said"),
    [
        ([{**_POINT, "objekt": ""}], 2, "objekt", "expected the object of the supply point"),
        ([_POINT, {**_POINT, "napětí": "VN"}], 3, "napětí", "VN here and NN on line 2"),
        ([_POINT, _POINT], 3, None, "repeats line 2"),
        ([{**_POINT, **_TERMS, "číslo smlouvy": ""}], 2, "číslo smlouvy", "expected the number of the contract"),
        ([{"EAN/EIC": _POINT["EAN/EIC"]}], 2, None, "only names things"),
    ],
)
def test_faults_of_rows_name_the_line_and_the_column(
    rows: list[dict[str, str]], line: int, column: str | None, said: str
) -> None:
    _, problems = _planned(*rows)
    assert [(each.line, each.column) for each in problems.named] == [(line, column)]
    assert said in problems.named[0].message
