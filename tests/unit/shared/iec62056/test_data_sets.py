"""Data sets, codes, numbers and units as real meters write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.identifiers import Obis
from shared.iec62056.data_sets import DataSet, Number, Value, data_sets, full_code, names, number, reduced_code, unit_of
from shared.iec62056.errors import DecodeError
from shared.quantities import Unit

IMPORT = Obis.parse("1-0:1.8.0")


def test_a_readout() -> None:
    text = (
        "F.F(00000000)\r\n0.9.1(1102345)\r\n1-0:1.8.0*255(0001234.567*kWh)\r\n1.6.1(0.123*kW)(2603011530)\r\n"
        "1.8.0*01(0001000.000*kWh)\r\nP.01(1260301001500)\r\n(0.1)(0.2)\r\n!\r\n"
    )
    assert data_sets(text) == [
        DataSet("F.F", (Value("00000000"),)),
        DataSet("0.9.1", (Value("1102345"),)),
        DataSet("1-0:1.8.0*255", (Value("0001234.567", "kWh"),)),
        DataSet("1.6.1", (Value("0.123", "kW"), Value("2603011530"))),
        DataSet("1.8.0*01", (Value("0001000.000", "kWh"),)),
        DataSet("P.01", (Value("1260301001500"), Value("0.1"), Value("0.2"))),
    ]


def test_values_after_a_spoilt_line_belong_to_nobody() -> None:
    assert data_sets("1.8.0(1*kWh\r\n(2*kWh)\r\n2.8.0(3*kWh)") == [DataSet("2.8.0", (Value("3", "kWh"),))]
    assert data_sets("1.8.0(1*kWh)2.8.0(2*kWh)")[1] == DataSet("2.8.0", (Value("2", "kWh"),))
    assert data_sets("(42*kWh)") == [DataSet("", (Value("42", "kWh"),))]


@pytest.mark.parametrize(
    ("code", "obis", "expected"),
    [
        ("1.8.0", "1-0:1.8.0", True),
        ("1-0:1.8.0", "1-0:1.8.0", True),
        ("1-0:1.8.0*255", "1-0:1.8.0", True),
        ("1-1:1.8.0", "1-0:1.8.0", False),
        ("1.8", "1-0:1.8.0", True),
        ("1.8.1", "1-0:1.8.0", False),
        ("1.8.0*01", "1-0:1.8.0", False),
        ("1.8.0&01", "1-0:1.8.0", False),
        ("1.8.0*01", "1-0:1.8.0.1", True),
        ("1-1:1.29", "1-1:1.29.0", True),
        ("21.8.0", "1-0:1.8.0", False),
        ("C.1.0", "0-0:96.1.0", True),
        ("P.01", "1-0:99.1.0", True),
        ("F.F", "0-0:97.97.0", False),
        ("", "1-0:1.8.0", False),
        ("1.8.0.0", "1-0:1.8.0", False),
        ("99999.8.0", "1-0:1.8.0", False),
    ],
)
def test_which_code_means_which_register(code: str, obis: str, expected: bool) -> None:
    assert names(code, Obis.parse(obis)) is expected


def test_codes_of_registers() -> None:
    assert (reduced_code(IMPORT), full_code(IMPORT)) == ("1.8.0", "1-0:1.8.0")
    assert reduced_code(Obis.parse("1-0:99.2.0")) == "P.02"
    assert reduced_code(Obis.parse("0-0:96.1.0")) == "C.1.0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0001234.567", Number(1_234_567, -3)),
        ("42", Number(42, 0)),
        ("-0.10", Number(-10, -2)),
        ("+7.", Number(7, 0)),
    ],
)
def test_numbers_are_exact(text: str, expected: Number) -> None:
    assert number(text) == expected


@pytest.mark.parametrize("text", ["", "-", "1,5", "1e3", "0x10", "1.2.3", ".5", " 1", "9" * 19, "---", "nan"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(DecodeError, match="is no number"):
        number(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kWh", (Unit.WH, 3)),
        ("KWH", (Unit.WH, 3)),
        ("kVArh", (Unit.VARH, 3)),
        ("kvar", (Unit.VAR, 3)),
        ("MWh", (Unit.WH, 6)),
        ("m3", (Unit.M3, 0)),
        ("", (Unit.ONE, 0)),
    ],
)
def test_units(text: str, expected: tuple[Unit, int]) -> None:
    assert unit_of(text) == expected


def test_an_unknown_unit() -> None:
    with pytest.raises(DecodeError, match="'kWx' is no unit"):
        unit_of("kWx")


@given(st.text(st.characters(codec="ascii"), max_size=120))
def test_no_text_does_harm(text: str) -> None:
    for each in data_sets(text):
        assert each.values
        names(each.code, IMPORT)
        assert all(value.text in text for value in each.values)
