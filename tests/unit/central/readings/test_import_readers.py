"""Files of each format become series; whatever the octets are, nothing but a fault with a sentence comes of them."""

import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from central.market.interval_import import install_reader
from central.platform.errors import BadInput
from central.readings.calendar import from_ms
from central.readings.transfer.mapping import mapping_of
from central.readings.transfer.readers import read_file, shipped_mappings
from central.readings.transfer.series import Parsed
from shared.quantities import Flag, Kind

install_reader()
WIDE = {
    "format": "csv",
    "layout": "wide",
    "time": {"columns": ["Datum", "Čas"], "format": "%d.%m.%Y %H:%M"},
    "unit": "Wh",
    "exponent": 3,
}
LONG = {
    "format": "csv",
    "layout": "long",
    "time": {"columns": ["t"]},
    "key": ["ean", "obis"],
    "value": "v",
    "quality": "q",
    "qualities": {"M": "measured", "P": "provisional", "N": "substitute", "-": "missing"},
    "delimiter": ",",
    "decimal_sign": ".",
}
MIDNIGHT = datetime(2026, 2, 28, 23, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
EAN, OTHER = "859182400941700019", "859182400941700026"


def read(content: str | bytes, body: dict[str, Any]) -> Parsed:
    return read_file(content.encode() if isinstance(content, str) else content, mapping_of(body))


def values(parsed: Parsed) -> dict[tuple[str, datetime], float]:
    return {
        (parsed.keys[key], from_ms(at)): whole + nano / 1e9
        for key, at, whole, nano in zip(
            parsed.key.tolist(), parsed.at_ms.tolist(), parsed.whole.tolist(), parsed.nano.tolist(), strict=True
        )
    }


def faults(parsed: Parsed) -> list[tuple[int | None, str, str]]:
    return [(each.line, each.column, each.value) for each in parsed.problems.named]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("tail", ["", ";", ";;"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "windows-1250", "utf-16"])
def test_a_wide_table_in_its_encoding(end: str, tail: str, encoding: str) -> None:
    lines = ["Datum;Čas;Hala č. 1;B", "01.03.2026;00:00;0,25;-1", "01.03.2026;00:15;;7", ""]
    content = end.join(line + tail if line else line for line in lines).encode(encoding)
    parsed = read(content, {**WIDE, "encoding": encoding.removesuffix("-sig")})
    assert values(parsed) == {
        ("Hala č. 1", MIDNIGHT): 0.25,
        ("B", MIDNIGHT): -1,
        ("B", MIDNIGHT + QUARTER): 7,
    }
    assert (parsed.empty, parsed.problems.count) == (1, 0)


def test_a_long_table_with_qualities_and_quotes() -> None:
    content = (
        'ean,obis,t,v,q\n"1",A+,2026-03-01T00:00,1.5,M\n1,A+,2026-03-01T00:15,2,N\n\n'
        "1,A+,2026-03-01T00:30,3,P\n2,A-,2026-03-01T00:00:00+01:00,,-\n1,A+,2026-03-01T00:45,4,?\n"
    )
    parsed = read(content, LONG)
    assert values(parsed) == {("1/A+", MIDNIGHT + n * QUARTER): value for n, value in enumerate((1.5, 2, 3))}
    assert parsed.flags.tolist() == [0, Flag.SUBSTITUTED, Flag.DATA_INVALID]
    assert faults(parsed) == [(7, "v", "?")]


def test_every_fault_names_its_line_and_column() -> None:
    content = "Datum;Čas;A;B\n01.03.2026;00:00;x;1\n01.13.2026;00:15;1;1\n01.03.2026;00:30;1\n01.03.2026;00:45;1;1.5\n"
    parsed = read(content, WIDE)
    assert sorted(faults(parsed), key=str) == sorted(
        [
            (2, "A", "x"),
            (3, "Datum Čas", "01.13.2026 00:15"),
            (4, "", "3 fields"),
            (5, "B", "1.5"),
        ],
        key=str,
    )
    assert len(parsed) == 2


def test_columns_without_a_header_are_numbered() -> None:
    body = {**WIDE, "header_row": None, "time": {"columns": ["1"], "format": "%Y%m%d%H%M"}, "ignore": ["3"]}
    parsed = read("202603010000;5;text\n202603010015;6;text\n", body)
    assert values(parsed) == {("2", MIDNIGHT): 5, ("2", MIDNIGHT + QUARTER): 6}


def test_rows_before_the_header_are_stepped_over_and_rules_say_what_series_are() -> None:
    body = {
        **WIDE,
        "header_row": 3,
        "first_row": 5,
        "quality": " kvalita",
        "qualities": {"": "measured", "N": "substitute"},
        "rules": [{"match": "Jalov*", "unit": "varh", "sign": -1}, {"match": "Stav", "kind": "state", "exponent": 0}],
    }
    content = "Export\nHala\nDatum;Čas;Jalová;Jalová kvalita;Stav\n;;kvarh;;kWh\n01.03.2026;00:00;5;N;100\n"
    parsed = read(content, body)
    facts = dict(zip(parsed.keys, parsed.facts, strict=True))
    assert set(facts) == {"Jalová", "Stav"}
    assert (facts["Jalová"].unit, facts["Jalová"].sign, facts["Jalová"].exponent) == ("varh", -1, 3)
    assert (facts["Stav"].kind, facts["Stav"].step_ms, facts["Stav"].exponent) == (Kind.STATE, 0, 0)
    assert dict(zip(parsed.key.tolist(), parsed.flags.tolist(), strict=True)) == {0: Flag.SUBSTITUTED, 1: 0}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"Datum;\xff\xfe", "encoding"),
        (b"a;b\n1;2\n", "column"),
        (b"Datum;\xc4\x8cas;\xc4\x8cas;A\n", "column"),
        (b"Datum;\xc4\x8cas\n", "column"),
        (b'Datum;\xc4\x8cas;A\n"01.03.2026;x', "csv"),
        (b"Datum;\xc4\x8cas;A\n\0", "csv"),
        (b"x;" * 6000 + b"\n", "columns"),
    ],
)
def test_what_is_no_such_table_says_so(content: bytes, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(content, WIDE)
    assert caught.value.code == code


def test_an_empty_file_is_a_fault() -> None:
    assert read(b"", WIDE).problems.count == 1


def workbook(rows: list[list[Any]]) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def test_a_workbook_with_stamps_numbers_and_texts() -> None:
    body = {**WIDE, "format": "xlsx", "time": {"columns": ["Čas"]}}
    start = datetime(2026, 3, 1)  # noqa: DTZ001 - cells have no zone
    content = workbook(
        [
            ["Čas", "A", "B"],
            [start, 0.1 + 0.2, "1,5"],
            [start + QUARTER, 7, None],
            [None, None, None],
            ["2026-03-01 00:30", 1e-7, 2.5],
        ]
    )
    assert values(read(content, body)) == {
        ("A", MIDNIGHT): 0.3,
        ("B", MIDNIGHT): 1.5,
        ("A", MIDNIGHT + QUARTER): 7,
        ("A", MIDNIGHT + 2 * QUARTER): 1e-7,
        ("B", MIDNIGHT + 2 * QUARTER): 2.5,
    }
    with pytest.raises(BadInput, match="no sheet 'Jiný'"):
        read(content, {**body, "sheet": "Jiný"})


def zipped(parts: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, part in parts.items():
            packed.writestr(name, part)
    return target.getvalue()


def test_a_workbook_that_unpacks_to_too_much_or_has_entities_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    body = {**WIDE, "format": "xlsx"}
    monkeypatch.setattr("central.platform.rows_of_files.MOST_UNPACKED", 1_000_000)
    bomb = zipped({"xl/worksheets/sheet1.xml": b"0" * 1_000_001})
    entities = zipped({"xl/workbook.xml": b"<?xml version='1.0'?>" + b" " * 70_000 + b"<!DOCTYPE x>"})
    for content, code in ((bomb, "xlsx_size"), (entities, "xlsx"), (b"PK\3\4", "xlsx"), (b"", "xlsx")):
        with pytest.raises(BadInput) as caught:
            read(content, body)
        assert caught.value.code == code


def test_both_layouts_of_the_edc_portal() -> None:
    members = (
        f"\ufeffDatum;Cas od;Cas do;IN-{EAN}-D;OUT-{EAN}-D;IN-{OTHER}-O;OUT-{OTHER}-O;\r\n"
        "05.02.2025;11:00;11:15;0,03;0,03;-0,74;-0,71;\r\n"
    )
    parsed = read(members, {"format": "edc"})
    signs = {key: facts.sign for key, facts in zip(parsed.keys, parsed.facts, strict=True)}
    assert signs == {f"IN-{EAN}-D": 1, f"OUT-{EAN}-D": 1, f"IN-{OTHER}-O": -1, f"OUT-{OTHER}-O": -1}
    at = datetime(2025, 2, 5, 10, tzinfo=UTC)
    assert values(parsed)[f"IN-{OTHER}-O", at] == -0.74
    pairs = f"Datum;Cas od;Cas do;{EAN}-{OTHER}\n05.02.2025;11:00;11:15;0,5\n"
    assert values(read(pairs, {"format": "edc"})) == {(f"{EAN}-{OTHER}", at): 0.5}
    for column, code in (("IN-1-D", "edc_column"), (f"IN-{EAN[:-1]}0-D", "ean")):
        with pytest.raises(BadInput) as caught:
            read(pairs.replace(f"{EAN}-{OTHER}", column), {"format": "edc"})
        assert caught.value.code == code


MSCONS = (
    "UNA:+.? '\n"
    "UNB+UNOC:3+SENDER:14+RECEIVER:14+260301:0600+1'\n"
    "UNH+1+MSCONS:D:04B:UN:2.4c'BGM+7+1+9'DTM+137:202603010600?+00:303'\n"
    f"NAD+DP'LOC+172+{EAN}'DTM+163:202603010000?+01:303'DTM+164:202603020000?+01:303'\n"
    "LIN+1'PIA+5+1-1?:1.29.0:SRW'\n"
    "QTY+220:1.5'DTM+163:202603010000?+01:303'DTM+164:202603010015?+01:303'\n"
    "QTY+67:2'DTM+163:202603010015?+01:303'DTM+164:202603010030?+01:303'\n"
    "QTY+Z18:3:KWH'DTM+163:202602282330:203'DTM+164:202602282345:203'\n"
    "LIN+2'PIA+5+1-1?:1.8.0:SRW'QTY+220:12345.678:KWH'DTM+9:202603010000?+01:303'\n"
    "UNT+20+1'UNZ+1+1'\n"
)


def test_edifact_like_mscons() -> None:
    parsed = read(MSCONS.replace("Z18:3:KWH", "Z18:3"), {"format": "mscons", "unit": "Wh"})
    profile, state = f"{EAN}/1-1:1.29.0", f"{EAN}/1-1:1.8.0"
    assert values(parsed) == {
        **{(profile, MIDNIGHT + n * QUARTER): value for n, value in enumerate((1.5, 2, 3))},
        (state, MIDNIGHT): 12345.678,
    }
    assert parsed.flags.tolist() == [0, Flag.SUBSTITUTED, Flag.DATA_INVALID, 0]
    assert [facts.kind for facts in parsed.facts] == [Kind.INTERVAL, Kind.STATE]
    assert parsed.line.tolist() == [6, 7, 8, 9]
    assert parsed.problems.count == 0


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("QTY+220:1.5'", "QTY+221:1.5'", (6, "QTY", "221")),
        ("QTY+220:1.5'", "QTY+220:1,5'", (6, "QTY", "1,5")),
        ("QTY+220:1.5'", "QTY'", (6, "QTY", "QTY")),
        ("QTY+220:1.5'DTM+163:202603010000", "QTY+220:1.5'DTM+163:202613010000", (6, "DTM+163", "202613010000+01:303")),
        ("DTM+164:202603010015", "DTM+164:202603010030", (6, "DTM+164", "1.5")),
        (f"LOC+172+{EAN}'", "", (6, "QTY", "1.5")),
    ],
)
def test_faults_of_edifact_name_their_line(old: str, new: str, fault: tuple[int, str, str]) -> None:
    parsed = read(MSCONS.replace("Z18:3:KWH", "Z18:3").replace(old, new), {"format": "mscons"})
    assert fault in faults(parsed)


def test_what_is_no_edifact_says_so() -> None:
    for content in (b"", b"x", b"UNA++++++UNB+", b"UNB+\0"):
        with pytest.raises(BadInput):
            read(content, {"format": "mscons"})


def _mutations(seed: bytes) -> st.SearchStrategy[bytes]:
    """The seed with a stretch replaced by anything."""

    @st.composite
    def mutated(draw: Callable[..., Any]) -> bytes:
        first = draw(st.integers(0, len(seed)))
        last = draw(st.integers(first, min(len(seed), first + 20)))
        return seed[:first] + bytes(draw(st.binary(max_size=12))) + seed[last:]

    return st.one_of(st.binary(max_size=300), mutated())


CSV_SEED = b"ean,obis,t,v,q\n1,A+,2026-03-01T00:00,1.5,M\n1,A+,2026-10-25T02:15,2,N\n"
CDSDATA_SEED = b'<CDSDATA xmlns="http://www.ote-cr.cz/schema/market/data" id="1" message-code="121"/>'
SEEDS = [
    (LONG, CSV_SEED),
    (WIDE, "Datum;Čas;A\n01.03.2026;00:00;1,5\n".encode()),
    ({**WIDE, "encoding": "utf-16"}, "Datum;Čas;A\n01.03.2026;00:00;1,5\n".encode("utf-16")),
    ({"format": "mscons"}, MSCONS.encode()),
    ({"format": "edc"}, f"Datum;Cas od;Cas do;IN-{EAN}-D\n05.02.2025;11:00;11:15;0,03\n".encode()),
    ({"format": "cdsdata"}, CDSDATA_SEED),
    ({**WIDE, "format": "xlsx"}, workbook([["Datum", "Čas", "A"], ["01.03.2026", "00:00", 1.5]])),
]


@pytest.mark.parametrize(
    ("body", "seed"), SEEDS, ids=[str(body["format"]) + str(n) for n, (body, _) in enumerate(SEEDS)]
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_comes_is_read_or_refused(body: dict[str, Any], seed: bytes, data: st.DataObject) -> None:
    content = data.draw(_mutations(seed))
    try:
        parsed = read(content, body)
    except BadInput as error:
        assert error.code and error.message
        return
    count = len(parsed.key)
    assert all(len(column) == count for column in (parsed.at_ms, parsed.whole, parsed.nano, parsed.flags, parsed.line))
    assert count == 0 or 0 <= parsed.key.min() <= parsed.key.max() < len(parsed.keys) == len(parsed.facts)


def test_every_shipped_mapping_can_be_read() -> None:
    assert {"rozvodna-iso", "rozvodna-cs", "edc", "cdsdata", "mscons"} <= set(shipped_mappings())
