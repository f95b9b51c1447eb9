"""Published numbers of other years, quoted by the packages that ship."""

import pytest

from central.settlement.case import cases_of
from central.settlement.formulas import ALL_FORMULAS
from central.settlement.formulas_maximum import excess_price
from central.settlement.model import Line, TariffPoint
from central.settlement.price_parts import applicable_rules
from central.workflow.quote import load_packages, quote
from central.workflow.quote_input import quote_input
from tests.unit.central.settlement.packages import part, quantities

PACKAGES = load_packages()


@pytest.mark.parametrize(
    ("maximum", "sums"),
    [
        # the lower of T1 0.4 x 190133 + M x 19013 and T2 0.4 x 22743 + M x 227429
        ("372", ("76053.20", "7072.84")),
        ("30", ("9097.20", "6822.87")),
    ],
)
def test_minima_of_the_structure_of_2027(maximum: str, sums: tuple[str, str]) -> None:
    result = quote(
        quote_input(
            {
                "commodity": "electricity",
                "prices": "CEZ",
                "level": "VN",
                "period": ["2027-01-01", "2027-02-01"],
                "reserved_input_kw": "400",
                "max_quarter_hour_kw": maximum,
                "energy_mwh": "10",
            }
        ),
        PACKAGES,
    )
    chosen = [line for line in result["lines"] if line["inputs"]["formula"].startswith("lower_tariff")]
    assert tuple(line["amount"] for line in chosen) == sums
    assert {line["mark"] for line in chosen} != {"documented"}


def test_may_2021_by_component() -> None:
    """Not every price of 2021 is documented: the components that are give what was published."""
    given = quantities(
        reserved_capacity_year_kw="30",
        max_quarter_hour_kw="12",
        energy_mwh="4.770",
        reactive_delivery_mvarh="2.589",
        reserved_input_kw="210",
    )
    (book,) = [package for package in PACKAGES if package.name == "cz-electricity-2021"]
    cases = cases_of([part("2021-05-01", "2021-06-01", TariffPoint("CEZ", "VN"), given, book)])
    rules = {rule.component: rule for rule in applicable_rules(cases[0])}

    def billed(component: str) -> list[str]:
        rule = rules[component]
        return [str(line.amount) for line in ALL_FORMULAS[rule.formula](rule, cases) if isinstance(line, Line)]

    assert billed("unsolicited_reactive") == ["1139.16"]
    assert billed("reserved_capacity_year") == ["5310.93"]
    assert billed("excess_reserved_capacity") == billed("excess_reserved_input") == []
    assert excess_price(rules["excess_reserved_capacity"], cases[0])[1] * 1000 == 354062
    assert excess_price(rules["excess_reserved_input"], cases[0])[1] * 1000 == 791684
