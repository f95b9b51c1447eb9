"""A price decision's workbook (synthetic, in the layout that is assumed) against a package."""

import io
import zipfile
from typing import Any

import msgspec
import pytest
from openpyxl import load_workbook

from central.platform.errors import BadInput
from central.tariffs import workbook
from central.tariffs.diff import differences
from central.tariffs.workbook import proposed, read_mapping, read_workbook, shipped_mapping
from tests.unit.central.settlement.packages import ELECTRICITY
from tests.unit.central.tariffs.price_decision import LABELS, Change, written

SAMPLE = written()


def test_the_prices_of_the_package_in_a_workbook_differ_in_nothing() -> None:
    prices = read_workbook(SAMPLE, shipped_mapping())
    assert list(prices.low) == list(ELECTRICITY.content["rates"])
    assert [each for each in differences(ELECTRICITY, proposed(ELECTRICITY, prices)) if each.kind != "package"] == []


def test_one_other_cell_is_one_difference_and_the_outcome_is_not_signed() -> None:
    def dearer(low: Any, high: Any) -> None:
        cell = next(cell for row in low.iter_rows() for cell in row if cell.value == LABELS["VT"])
        cell.offset(column=1).value = "9 999,90"
        high.cell(row=3, column=5).value = 1.5

    made = proposed(ELECTRICITY, read_workbook(written(dearer), shipped_mapping()))
    found = [each for each in differences(ELECTRICITY, made) if each.kind != "package"]
    assert {(each.component, each.after) for each in found} == {("energy_vt", "9999.9"), ("use_of_networks", "1.5")}
    assert all(each.kind == "price" and each.keys["operator"] == "CEZ" for each in found)
    assert (made.file.signature, made.version) == (None, f"{ELECTRICITY.version}-workbook")
    assert ELECTRICITY.content["version"] == ELECTRICITY.version, "the package itself is left alone"


def label(low: Any, row: int, text: str) -> None:
    low.cell(row=row, column=1).value = text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda low, high: setattr(low, "title", "Jiný"), "no sheet 'NN'"),
        (lambda low, high: label(low, 5, "poplatek"), "Sheet NN, row 5: 'poplatek' has prices and no known words"),
        (lambda low, high: label(low, 5, "vysoký i nízký"), "has prices and the words of VT, NT"),
        (lambda low, high: label(low, 6, low.cell(row=5, column=1).value), "given twice for one rate"),
        (lambda low, high: label(low, 4, "Sazba"), "stands below no rate"),
        (lambda low, high: low.append(["D02d znovu"]), "the rate D02d stands there twice"),
        (lambda low, high: low.append(["D99d nová"]), "names the rate D99d and gives no price"),
        (lambda low, high: setattr(low.cell(row=5, column=2), "value", "zdarma"), "'zdarma' is no price"),
        (lambda low, high: setattr(low.cell(row=5, column=2), "value", -1), "'-1' is no price"),
        (lambda low, high: low.delete_rows(1, low.max_row), "no header with operators"),
        (lambda low, high: high.delete_rows(2), "no header with level"),
        (lambda low, high: high.delete_rows(3, high.max_row), "or no prices"),
        (lambda low, high: setattr(high.cell(row=3, column=1), "value", "Kdosi"), "'Kdosi' is no operator"),
        (lambda low, high: setattr(high.cell(row=3, column=3), "value", None), "CEZ at VVN has no price rk_rocni"),
        (lambda low, high: setattr(high.cell(row=4, column=2), "value", "VVN"), "CEZ at VVN is given twice"),
        (lambda low, high: setattr(high.cell(row=2, column=4), "value", "roční"), "no header with level"),
    ],
)
def test_what_is_not_understood_is_named_by_sheet_and_row(change: Change, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        read_workbook(written(change), shipped_mapping())


def test_an_unknown_band_of_breakers_is_named() -> None:
    prices = read_workbook(written(lambda low, high: label(low, 5, "jistič libovolný")), shipped_mapping())
    with pytest.raises(BadInput, match="The breaker band jistič libovolný is not understood"):
        proposed(ELECTRICITY, prices)


def test_bombs_and_what_is_no_workbook_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as parts:
        for number in range(5):
            parts.writestr(f"xl/{number}.xml", b" " * 100_000_000)
    with pytest.raises(BadInput, match="unpacks to more than 400 MB"):
        read_workbook(packed.getvalue(), shipped_mapping())
    for octets in (b"", b"PK\x03\x04", b"<html>", SAMPLE[: len(SAMPLE) // 2]):
        with pytest.raises(BadInput, match="not a workbook"):
            read_workbook(octets, shipped_mapping())
    monkeypatch.setattr(workbook, "LARGEST", 1000)
    with pytest.raises(BadInput, match="at most 1000 are taken"):
        read_workbook(SAMPLE, shipped_mapping())
    monkeypatch.undo()
    monkeypatch.setattr(workbook, "MOST_ROWS", 10)
    with pytest.raises(BadInput, match="more than 10 rows"):
        read_workbook(SAMPLE, shipped_mapping())


def test_another_layout_is_another_mapping() -> None:
    book = load_workbook(io.BytesIO(SAMPLE))
    book["NN"].title = "List1"
    del book["VVN a VN"]
    octets = io.BytesIO()
    book.save(octets)
    content = msgspec.to_builtins(shipped_mapping())
    content["high"] = None
    content["low"]["sheet"] = "List1"
    prices = read_workbook(octets.getvalue(), read_mapping(msgspec.json.encode(content)))
    assert (len(prices.low), prices.high) == (len(ELECTRICITY.content["rates"]), {})
    assert [each for each in differences(ELECTRICITY, proposed(ELECTRICITY, prices)) if each.kind != "package"] == []


def test_two_prices_of_one_column_are_refused() -> None:
    content = msgspec.to_builtins(shipped_mapping())
    content["high"]["prices"]["rk_mesicni"] = content["high"]["prices"]["rk_rocni"]
    with pytest.raises(BadInput, match="two columns of the mapping are one"):
        read_workbook(SAMPLE, read_mapping(msgspec.json.encode(content)))


@pytest.mark.parametrize(
    "octets", [b"", b"[]", b"{}", b'{"operators": {}}', b'{"operators": {"CEZ": []}}', b"\xff", b"[" * 5000]
)
def test_a_mapping_of_another_shape_is_refused(octets: bytes) -> None:
    with pytest.raises(BadInput, match="mapping of the workbook cannot be read"):
        read_mapping(octets)
