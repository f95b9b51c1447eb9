"""Check 7: every row of its table, which bases it walks, the price of the item, and the attribute that it keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pytest

from central.checks.frame import MISSING, Frame
from central.checks.own_values import own_component
from central.checks.rate_values import PaysBy, Regulated, values_by_rate
from central.checks.received_items import ALL, FOREIGN
from central.checks.standard.breaker import BreakerAndRate, Compared, is_walked, keys_of, priced
from central.checks.tariff_changes import changes_of, facts_of, said_of, telling
from central.checks.verdict import Result
from central.market.received_tariffs import ReceivedTariff
from central.settlement.service_tables import PRICED
from central.tariffs.load import SHIPPED, load_file
from central.tariffs.package import Package
from tests.unit.central.checks.columns import bases, frame, told

CHECK = BreakerAndRate()
RATES = ("C25d", "D02d", "D25d")
ITEM = PaysBy("electricity", "CEZ", "NN", "D25d", 3, Decimal(25))
MARCH = (date(2026, 3, 1), date(2026, 4, 1))
LIST = ("contract_item", "component", "value", "first", "end_", "price")
NO_LISTS = frame([], LIST)
AMPERES = Decimal(25)


@cache
def package() -> Package:
    return load_file(SHIPPED / "cz-electricity-2026.json")


def price_of(code: int) -> Decimal:
    if code == 12:
        payment = package().breaker_price("D25d", "CEZ", 3, AMPERES, MARCH[0])
        assert payment is not None
        return payment.monthly
    component = {13: "energy_vt", 14: "energy_nt"}[code]
    return package().require_price(component, MARCH[0], operator="CEZ", rate="D25d").value


def energy(code: int = 13, **more: Any) -> dict[str, Any]:
    return {"rate": code, "price": price_of(code), **more}


def breaker(**more: Any) -> dict[str, Any]:
    return {"rate": 12, "unit": "měs", "price_unit": "Kč/měs", "price": price_of(12), **more}


def record(
    rate: str | None = "D25d",
    phases: int | None = 3,
    amperes: Decimal | None = AMPERES,
    valid: tuple[date, date] = MARCH,
    message: int = 70,
) -> ReceivedTariff:
    return ReceivedTariff("859182400900000010", *valid, rate, phases, amperes, message, f"DUF/{message}")


def read(
    walked: Frame,
    records: Sequence[ReceivedTariff],
    pays: PaysBy = ITEM,
    lists: Frame = NO_LISTS,
    own: Sequence[int] = (),
) -> Compared:
    """What `BreakerAndRate.read` gives of one item and its point."""
    regulated = Regulated(frame([], ("contract_item", "first", "end_", "combination")), {5: pays}, [package()])
    combination = np.full(len(walked), 5, dtype=np.int64)
    return Compared(
        walked,
        facts_of(combination, regulated, RATES),
        keys_of(walked, combination, own_component(walked, combination, regulated)),
        said_of({1: records} if records else {}, RATES),
        priced(values_by_rate(regulated, combination, walked["rate"]), lists),
        np.array(own, dtype=np.int64),
        RATES,
    )


def judge(
    basis: Mapping[str, Any], records: Sequence[ReceivedTariff], which: str = ALL, **more: Any
) -> list[tuple[Result, str]]:
    walked = bases(basis)
    found = told(CHECK, CHECK.verdict(walked, read(walked, records, **more), {"which": which}))
    return [(each.result, each.text.en) for each in found]


@pytest.mark.parametrize(
    ("records", "expected", "said"),
    [
        ([], Result.INFO, "no record of breaker or rate of the point in the interval from 2026-03-01 to 2026-03-31"),
        # records that end as the interval begins, or begin as it ends
        ([record(valid=(date(2026, 1, 1), MARCH[0])), record(valid=(MARCH[1], date(2026, 5, 1)))], Result.INFO,
         "no record"),
        ([record(amperes=Decimal(32))], Result.ERROR, "breaker 3x25 A and the rate D25d; by DUF (message 70) breaker "
                                                      "3x32 A and rate D25d hold from 2026-03-01"),
        ([record(amperes=Decimal("25.5"))], Result.ERROR, "3x25.5 A"),
        ([record(phases=1)], Result.ERROR, "breaker 1x25 A"),
        ([record(rate="C25d")], Result.ERROR, "rate C25d hold"),
        ([record(rate=None, amperes=Decimal(32))], Result.ERROR, "breaker 3x32 A and rate – hold"),
        # one of several differs, on a day of the interval
        ([record(valid=(date(2026, 2, 1), date(2026, 3, 31))),
          record(rate="D02d", valid=(date(2026, 3, 31), date(2026, 5, 1)), message=71)], Result.ERROR,
         "(message 71) breaker 3x25 A and rate D02d hold from 2026-03-31"),
    ],
)  # fmt: skip
def test_partial_step_alone(records: list[ReceivedTariff], expected: Result, said: str) -> None:
    [(result, text)] = judge(energy(), records)
    assert result is expected
    assert said in text


@pytest.mark.parametrize(
    "given",
    [
        record(),
        record(rate=None),
        record(phases=None, amperes=None),
        record(valid=(date(2025, 1, 1), date(2027, 1, 1))),
    ],
)
def test_final_step_after_all_agree(given: ReceivedTariff) -> None:
    for basis in (energy(), energy(14), breaker()):
        (first, partial), (second, final) = judge(basis, [given])
        assert (first, second) == (Result.OK, Result.OK)
        assert "breaker 3x25 A and the rate D25d agree with DUF (message 70, from 2026-03-01)" in partial
        assert "agrees with the contract item (breaker 3x25 A, rate D25d)" in final


@pytest.mark.parametrize(
    ("basis", "expected", "said"),
    [
        (energy(price=price_of(13) + Decimal("0.000001")), Result.ERROR, f"it is {price_of(13)} from 2026-01-01"),
        (breaker(price=price_of(12) - Decimal("0.01")), Result.ERROR, "Kč/měs does not agree with the contract item"),
        # a price of a kilowatt-hour is a thousandth of that of a megawatt-hour
        (energy(price=price_of(13) / 1000, unit="kWh", price_unit="Kč/kWh"), Result.OK, "Kč/kWh agrees"),
        (energy(price=price_of(13), unit="kWh", price_unit="Kč/kWh"), Result.ERROR, "does not agree"),
        (energy(unit="m³", price_unit="Kč/m³"), Result.WARNING, "have no unit in common"),
        (energy(unit="?", price_unit="?"), Result.WARNING, "have no unit in common"),
        (energy(price=None), Result.WARNING, "have no unit in common"),
        (energy(first=date(2027, 3, 1), end_=date(2027, 4, 1)), Result.WARNING, "has no value for breaker 3x25 A"),
    ],
)
def test_final_step(basis: dict[str, Any], expected: Result, said: str) -> None:
    ever = record(valid=(date(2025, 1, 1), date(2028, 1, 1)))
    found = judge(basis, [ever])
    assert [result for result, _ in found] == [Result.OK, expected]
    assert said in found[1][1]


def test_the_final_step_takes_what_the_item_says() -> None:
    larger = PaysBy("electricity", "CEZ", "NN", "D25d", 3, Decimal(200))
    found = judge(breaker(), [record(amperes=Decimal(200))], pays=larger)
    payment = package().breaker_price("D25d", "CEZ", 3, Decimal(200), MARCH[0])
    assert payment is not None
    assert found[1][0] is Result.ERROR
    assert f"it is {payment.monthly.normalize():f} from 2026-01-01" in found[1][1]


def test_supply_is_priced_by_the_own_price_list_of_the_item() -> None:
    rows = [
        (1, PRICED.index("vt"), 1, date(2026, 1, 1), date(2026, 3, 16), Decimal(2000)),
        (1, PRICED.index("vt"), 2, date(2026, 3, 16), date(2027, 1, 1), Decimal(2100)),
        (1, PRICED.index("fixed"), 3, date(2026, 1, 1), date(2027, 1, 1), Decimal(100)),
    ]
    lists = frame([dict(zip(LIST, row, strict=True)) for row in rows], LIST)
    vt = {"service": 1, "rate": 2, "price": Decimal(2000)}
    first = judge({**vt, "end_": date(2026, 3, 16)}, [record()], lists=lists)
    assert [result for result, _ in first] == [Result.OK, Result.OK]
    # over both values it cannot be right
    whole = judge(vt, [record()], lists=lists)
    assert whole[1][0] is Result.ERROR
    assert "it is 2100 from 2026-03-16" in whole[1][1]
    fixed = {"service": 1, "rate": 1, "unit": "měs", "price_unit": "Kč/měs", "price": Decimal(100)}
    assert judge(fixed, [record()], lists=lists)[1][0] is Result.OK
    assert judge({**vt, "rate": 3}, [record()], lists=lists)[1][0] is Result.WARNING


def test_only_items_of_a_foreign_operator_where_that_is_asked() -> None:
    assert judge(energy(), [record()], FOREIGN, own=[1]) == []
    assert len(judge(energy(), [record()], FOREIGN, own=[2])) == 2
    assert len(judge(energy(), [record()], ALL, own=[1])) == 2


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ([], [12, 13, 14]),
        ([(1, date(2026, 1, 1), date(2027, 1, 1))], [1, 2, 3, 12, 13, 14]),
        ([(1, date(2026, 3, 31), date(2027, 1, 1))], [1, 2, 3, 12, 13, 14]),
        ([(1, date(2026, 4, 1), date(2027, 1, 1)), (1, date(2025, 1, 1), date(2026, 3, 1))], [12, 13, 14]),
        ([(2, date(2026, 1, 1), date(2027, 1, 1))], [12, 13, 14]),
    ],
)
def test_rates_walked(listed: list[tuple[int, date, date]], expected: list[int]) -> None:
    names = ("contract_item", "first", "end_")
    lists = frame([dict(zip(names, row, strict=True)) for row in listed], names)
    given = bases(*({"rate": rate} for rate in (1, 2, 3, 5, 7, 9, 12, 13, 14, 15, 1001)))
    assert given["rate"][is_walked(given, lists)].tolist() == expected


def test_nothing_to_judge() -> None:
    walked = bases()
    compared = read(walked, [record()])
    assert told(CHECK, CHECK.verdict(walked, compared, {"which": ALL})) == []
    assert len(changes_of(walked, compared.items, compared.said)) == 0


def changes(records: Sequence[ReceivedTariff], *rows: Mapping[str, Any]) -> list[tuple[int, ...]]:
    walked = bases(*rows)
    compared = read(walked, records)
    found = changes_of(walked, compared.items, compared.said)
    return list(zip(*(found.columns[name].tolist() for name in found.columns), strict=True))


def test_the_attribute_of_items() -> None:
    day = (MARCH[0] - date(1970, 1, 1)).days
    two = (energy(), breaker(), energy(contract_item=2, supply_point=2))
    assert changes([], *two) == []
    assert changes([record()], *two) == [(1, 0, day, 2, 3, 25_000_000)]
    assert changes([record(rate=None)], energy()) == [(1, 0, day, MISSING, 3, 25_000_000)]
    later = [record(valid=(MARCH[0], date(2026, 3, 10))), record("D02d", valid=(date(2026, 3, 10), MARCH[1]))]
    assert changes(later, *two) == [(1, 1, day + 9, 1, 3, 25_000_000)]
    mended = [record("D02d", valid=(MARCH[0], date(2026, 3, 10))), record(valid=(date(2026, 3, 10), MARCH[1]))]
    assert changes(mended, energy()) == [(1, 1, day, 1, 3, 25_000_000)]
    both = [record("D02d", valid=(MARCH[0], date(2026, 3, 10))), record("C25d", valid=(date(2026, 3, 10), MARCH[1]))]
    assert changes(both, energy(), energy(14)) == [(1, 1, day, 0, 3, 25_000_000)]


def test_the_earliest_that_differs_is_told() -> None:
    said = frame([{"first": day} for day in (3, 2, 1, 4)], ("first",))
    places, others = np.array([0, 0, 0, 1]), np.arange(4)
    differs = np.array([True, True, False, False])
    assert telling(places, others, differs, said).tolist() == [1, 3]
