"""Quotes: the worked bills through the door for people, and a sentence for everything that is wrong."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from central.workflow.quote import load_packages, quote, spread
from central.workflow.quote_input import QuoteError, quote_input, read_quote

PACKAGES = load_packages()
VN: dict[str, Any] = {
    "commodity": "electricity",
    "prices": "CEZ",
    "level": "VN",
    "period": ["2026-01-01", "2026-02-01"],
    "reserved_capacity_year_kw": 300,
    "reserved_capacity_month_kw": 50,
    "max_quarter_hour_kw": 372,
    "reserved_input_kw": 400,
    "energy_mwh": "118.456",
    "reactive_delivery_mvarh": "2.310",
}
NN: dict[str, Any] = {
    "commodity": "electricity",
    "prices": "EGD",
    "level": "NN",
    "period": ["2026-01-01", "2026-02-01"],
    "rate": "C25d",
    "breaker": "3x63",
    "energy_vt_mwh": "1.842",
    "energy_nt_mwh": "0.655",
}
GAS: dict[str, Any] = {
    "commodity": "gas",
    "prices": "GASNET",
    "period": ["2026-01-01", "2026-02-01"],
    "volume_m3": 1850,
    "volume_coefficient": "1.0005",
    "calorific_value_kwh_m3": "10.6512",
}


def quoted(given: dict[str, Any]) -> dict[str, Any]:
    return quote(read_quote(json.dumps(given).encode()), PACKAGES)


def by_rate(result: dict[str, Any]) -> dict[int, tuple[str, str, str]]:
    return {line["rate"]: (line["quantity"], line["unit_price"], line["amount"]) for line in result["lines"]}


@pytest.mark.parametrize(
    ("given", "net", "vat", "gross"),
    [
        (VN, "132227.69", "27767.81", "159995.50"),
        ({**VN, "reserved_input_kw": 360}, "136455.03", "28655.56", "165110.59"),
        (NN, "7727.67", "1622.81", "9350.48"),
        # 19.715 MWh fall into the band 15-25: 19.715 x 200.12 + 140.10
        (GAS, "4085.47", "857.95", "4943.42"),
    ],
)
def test_worked_bills(given: dict[str, Any], net: str, vat: str, gross: str) -> None:
    result = quoted(given)
    assert (result["net"], result["vat"], result["gross"]) == (net, vat, gross)
    assert all(line["why"] for line in result["lines"])


def test_a_component_with_legal_price_0_is_listed() -> None:
    assert by_rate(quoted(VN))[8] == ("0.400", "0", "0.00")
    assert by_rate(quoted(NN))[8] == ("189", "0", "0.00")


def test_gas_takes_the_band_of_the_given_annual_consumption() -> None:
    assert by_rate(quoted({**GAS, "annual_mwh": "30"}))[1002] == ("1", "197.27", "197.27")


def test_part_of_a_month_is_paid_by_days() -> None:
    lines = by_rate(quoted({**NN, "period": ["2026-01-01", "2026-01-13"]}))
    assert lines[12] == ("0.387097", "1446", "559.74")
    assert lines[9] == ("0.387097", "12.87", "4.98")
    assert lines[13] == ("1.842", "3100.85", "5711.77")


def test_several_months_are_one_line_at_low_voltage_and_monthly_capacity_above() -> None:
    assert by_rate(quoted({**NN, "period": ["2026-01-01", "2026-07-01"]}))[12] == ("6", "1446", "8676.00")
    result = quoted({**VN, "period": ["2026-01-01", "2026-03-01"], "max_quarter_hour_kw": [372, 340]})
    amounts = [line["amount"] for line in result["lines"] if line["rate"] == 6]
    assert amounts == ["75769.50", "75769.50"]
    assert [line["amount"] for line in result["lines"] if line["rate"] == 17] == ["9300.16"]
    (energy,) = [line for line in result["lines"] if line["rate"] == 7]
    assert (energy["quantity"], energy["amount"]) == ("118.456", "12582.40")


def test_two_months_with_their_own_values_are_two_quotes() -> None:
    both = quoted(
        {
            **VN,
            "period": ["2026-01-01", "2026-03-01"],
            "max_quarter_hour_kw": [372, 340],
            "energy_mwh": ["100", "18.456"],
        }
    )
    january = quoted({**VN, "energy_mwh": "100"})
    february = quoted(
        {
            **VN,
            "period": ["2026-02-01", "2026-03-01"],
            "max_quarter_hour_kw": 340,
            "energy_mwh": "18.456",
            "reactive_delivery_mvarh": 0,
        }
    )
    apart = Decimal(january["net"]) + Decimal(february["net"])
    # lines over both months are rounded once
    assert abs(Decimal(both["net"]) - apart) <= Decimal("0.03")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"commodity": "steam"}, "Field commodity is"),
        ({"commodity": None}, "Field commodity is missing"),
        ({"level": "XX"}, "expected one of VVN, VN, NN"),
        ({"prices": "NOBODY"}, "There are: CEZ"),
        ({"prices": 5}, "Field prices is 5"),
        ({"period": ["2026-01-01"]}, "expected two days"),
        ({"period": ["2026-02-01", "2026-01-01"]}, "not after its first day"),
        ({"period": ["2026-02-30", "2026-03-01"]}, 'expected one like "2026-01-01"'),
        ({"period": ["0001-01-01", "2026-03-01"]}, "from 1990 on"),
        ({"period": ["1999-01-01", "1999-02-01"]}, "no package with the price list CEZ holds that day"),
        ({"period": ["2026-01-01", "2999-02-01"]}, "at most 120"),
        ({"energy_mwh": "many"}, "expected a number"),
        ({"energy_mwh": -1}, "between 0 and"),
        ({"energy_mwh": 1e300}, "between 0 and"),
        ({"energy_mwh": True}, "expected a number"),
        ({"energy_mwh": [1, 2]}, "give one for each"),
        ({"max_quarter_hour_kw": None}, "expected a number"),
        ({"loss_coefficient": 7}, "between 1 and 2"),
        ({"rezervace": 5}, "Field 'rezervace' is not one of a quote of electricity at VN"),
        ({"level": "NN", "rate": "C25d"}, "is not one of a quote of electricity at NN"),
    ],
)
def test_a_wrong_field_is_a_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(QuoteError) as caught:
        quoted({**VN, **change})
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"breaker": "63"}, '"3x63"'),
        ({"breaker": "3x0"}, '"3x63"'),
        ({"breaker": None}, '"3x63"'),
        ({"rate": "C99d"}, "has no such rate"),
        ({"rate": "C02d"}, "Field energy_mwh is missing: rate C02d"),
        ({"energy_mwh": 1}, "Field energy_mwh does not belong to rate C25d"),
    ],
)
def test_a_wrong_field_at_low_voltage_is_a_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(QuoteError) as caught:
        quoted({**NN, **change})
    assert sentence in str(caught.value)


@pytest.mark.parametrize("name", ["volume_coefficient", "calorific_value_kwh_m3"])
@pytest.mark.parametrize("value", [0, "0.000", [0]])
def test_a_volume_is_not_made_into_nothing(name: str, value: Any) -> None:
    with pytest.raises(QuoteError, match=f"Field {name} is .*; expected more than 0"):
        quoted({**GAS, name: value})


@pytest.mark.parametrize("name", ["energy_mwh", "max_quarter_hour_kw", "level", "prices", "period"])
def test_a_missing_field_is_a_sentence(name: str) -> None:
    with pytest.raises(QuoteError, match=name):
        quoted({key: value for key, value in VN.items() if key != name})


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{",
        b'{"a": NaN}',
        b'{"a": 1, "a": 2}',
        b'"x"',
        b"[" * 100_000,
        b'{"a":1e999999999999}',
    ],
)
def test_what_is_not_an_input_is_a_sentence(octets: bytes) -> None:
    with pytest.raises(QuoteError) as caught:
        read_quote(octets)
    assert str(caught.value).endswith((".", "quantities."))


@examples(micro=st.integers(0, 10**12), lengths=st.lists(st.integers(1, 400), min_size=1, max_size=24))
def test_what_is_spread_sums_to_the_whole(micro: int, lengths: list[int]) -> None:
    value = Decimal(micro).scaleb(-6)
    shares = spread(value, lengths)
    assert sum(shares) == value
    assert min(shares) >= 0


@examples(
    value=st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists), name=st.sampled_from(list(VN))
)
def test_no_value_of_a_field_breaks_it(value: Any, name: str) -> None:
    try:
        result = quote(quote_input({**VN, name: value}), PACKAGES)
    except QuoteError as error:
        assert str(error)
    else:
        assert Decimal(result["gross"]) == Decimal(result["net"]) + Decimal(result["vat"])


def test_the_command_prints_json_or_a_sentence_with_status_2(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(VN), encoding="utf-8")
    bad.write_text(json.dumps({**VN, "level": "XX"}), encoding="utf-8")
    runs = [
        subprocess.run(
            [sys.executable, "-c", "from deploy.cli import main; main()", "quote", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        for path in (good, bad, tmp_path / "none.json")
    ]
    assert [run.returncode for run in runs] == [0, 2, 2]
    assert json.loads(runs[0].stdout)["gross"] == "159995.50"
    assert "Field level is" in runs[1].stderr
    assert runs[1].stdout == ""
