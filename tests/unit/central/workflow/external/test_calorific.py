"""Calorific values from tables of all shapes, made up."""

import io
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import msgspec
import pytest
from openpyxl import Workbook

from central.platform.errors import BadInput
from central.readings.gas.calorific import GivenValue
from central.workflow.external.adapter import UnreadableError
from central.workflow.external.calorific import ADAPTER, Settings, read
from central.workflow.external.table_form import TableForm

SETTINGS = Settings(
    areas={"Severní Morava": "SM"},
    column_area="Oblast",
    column_day="Plynárenský den",
    column_value="Spalné teplo (kWh/m3)",
)
HEAD = "Oblast;Plynárenský den;Objem;Spalné teplo (kWh/m3)\n"
CSV = HEAD + "Severní Morava;28.3.2026;12;10,6789\nJih;28.3.2026;7;10,7\nSeverní Morava;29. 3. 2026;13;10,6812\n"
EXPECTED = [
    GivenValue("SM", "day", date(2026, 3, 28), Decimal("10.6789")),
    GivenValue("SM", "day", date(2026, 3, 29), Decimal("10.6812")),
]
HTML = (
    "<!DOCTYPE html><html><body><h1>Spalné teplo</h1><table><tr><th>Oblast<th>Plynárenský\n den<th>"
    "<b>Spalné teplo</b> (kWh/m3)</tr><tr><td>Severní Morava<td>28.3.2026<td>10,6789<tr><td>Severní Morava"
    "<td>29.3.2026<td>10,6812</table></body></html>"
)


def workbook(rows: Sequence[Sequence[object]]) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(list(row))
    octets = io.BytesIO()
    book.save(octets)
    return octets.getvalue()


@pytest.mark.parametrize(
    "octets",
    [
        CSV.encode(),
        CSV.encode("utf-8-sig"),
        CSV.encode("windows-1250"),
        CSV.replace("\n", "\r\n").encode(),
        ("Spalné teplo za měsíc;;;\n;;;\n" + CSV + "\n;;;\n").encode(),
        (
            CSV + "Severní Morava;28.3.2026;12;10,6789\nSeverní Morava;30.3.2026;;-\nSeverní Morava;31.3.2026;;\n"
        ).encode(),
    ],
)
def test_csv_in_any_dress(octets: bytes) -> None:
    assert read(octets, SETTINGS) == EXPECTED


def test_pages_and_workbooks() -> None:
    assert read(HTML.encode(), msgspec.structs.replace(SETTINGS, table=TableForm("html"))) == EXPECTED
    rows: list[list[object]] = [["Spalné teplo"], ["Oblast", "Plynárenský den", "Spalné teplo (kWh/m3)"]]
    rows += [["Severní Morava", date(2026, 3, 28), 10.6789], ["Severní Morava", "29.3.2026", "10,6812"]]
    sheet = msgspec.structs.replace(SETTINGS, table=TableForm("xlsx"))
    assert read(workbook(rows), sheet) == EXPECTED
    with pytest.raises(UnreadableError, match="not a workbook"):
        read(workbook(rows)[:-200], sheet)
    with pytest.raises(UnreadableError, match="a page"):
        read(HTML.encode(), sheet)


def test_megajoules_and_means_of_months_of_one_area() -> None:
    settings = Settings(areas={"": "SM"}, unit="MJ/m3")
    values = read(b"day;value\n2026-02;38,50\n01/2026;38,4\n", settings)
    assert values == [
        GivenValue("SM", "month", date(2026, 2, 1), Decimal("10.694444")),
        GivenValue("SM", "month", date(2026, 1, 1), Decimal("10.666667")),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("<html><body>Chyba 500</body></html>", "a page"),
        ("", "no header"),
        (HEAD, "no rows"),
        (CSV.replace("Oblast", "Kraj"), "no header with the columns oblast"),
        (CSV.replace("Objem", "Oblast"), "twice"),
        (CSV[:-14], "ends before"),
        (CSV.replace("28.3.2026;12", "31.2.2026;12"), "neither a gas day nor a month"),
        (CSV.replace("28.3.2026;12", "28.3.0026;12"), "neither a gas day nor a month"),
        (CSV.replace("10,6789", "38,44"), "divided by 3.6"),
        (CSV.replace("10,6789", "abc"), "not a number"),
        (CSV.replace("29. 3. 2026", "28.3.2026"), "says two things"),
        (CSV + '"Severní', "told apart"),
        (CSV + "\0", "octets 0"),
        (";\n" * 51 + CSV, "no header"),
    ],
)
def test_what_is_no_table_is_unreadable(content: str, said: str) -> None:
    with pytest.raises(UnreadableError, match=said):
        read(content.encode(), SETTINGS)


def test_a_header_may_stand_below_titles_and_octets_of_no_encoding_are_no_text() -> None:
    assert read((";\n" * 48 + CSV).encode(), SETTINGS) == EXPECTED
    with pytest.raises(UnreadableError, match="no text in UTF-8 nor in windows-1250"):
        read(CSV.encode("windows-1250") + b"\x98", SETTINGS)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"areas": {}},
        {"areas": {}, "column_area": "Oblast"},
        {"areas": {"A": "B"}},
        {"areas": {"": "B"}, "unit": "J"},
        {"areas": {"": "a\0"}},
        {"areas": {"": "\ud800"}},
    ],
)
def test_bad_settings(given: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        ADAPTER.settings_of(given)
