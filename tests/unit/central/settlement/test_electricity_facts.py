"""What decides electricity beside reserved capacity: power given at low voltage, no capacity, unmetered takes."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from central.settlement.cuts import Held
from central.settlement.facts import PointFacts, facts_of
from central.settlement.measured import RegisterPeriod, StateReading
from central.settlement.model import TariffPoint
from central.settlement.price_parts import price_parts
from central.settlement.quantities import Measured, quantities_document
from central.settlement.settle import settle_point
from shared.quantities import Commodity
from tests.unit.central.settlement.packages import (
    changed,
    of_component,
    part,
    quantities,
    told,
)
from tests.unit.central.settlement.test_facts import BOOKS, END, FIRST, parts, record
from tests.unit.central.settlement.test_settle import (
    NOW,
    PEAK,
    ChannelFacts,
    electricity,
    facts,
    interval,
    item,
    settled,
)

VN, NN = TariffPoint("CEZ", "VN"), TariffPoint("CEZ", "NN", "C02d", 3, Decimal(25))
MARCH = ("2026-03-01", "2026-04-01")
REGISTER = ChannelFacts(7, "JT", "state", "Wh", 3, ())
GIVEN = interval(8, "A-")


def low_voltage(*channels: ChannelFacts, output_kw: str | None) -> PointFacts:
    agreed = {} if output_kw is None else {"reserved_output_kw": Decimal(output_kw)}
    counted = item("CEZ", rate="C02d", breaker_phases=3, breaker_amps=25)
    return facts(Commodity.ELECTRICITY, "NN", counted, [REGISTER, *channels], agreed)


def counted(point: PointFacts, measured: Measured) -> Measured:
    """With 100 kWh on the register."""
    start, end = point.instant(FIRST), point.instant(END)
    states = [StateReading(1, start, 1000, 3, 1), StateReading(1, end, 1100, 3, 2)]
    return replace(measured, states={(7, start): [RegisterPeriod(7, start, end, *states, 1)]})


def test_output_above_what_is_reserved_is_billed_at_low_voltage() -> None:
    point = low_voltage(GIVEN, output_kw="8")
    outcome = settled(settle_point(point, counted(point, electricity((8, 900_000, 2_600))), NOW))
    (line,) = [line for line in outcome.lines if line.component == "excess_reserved_output"]
    assert (line.code, *told(line)) == (2001, "2", "1131", "2262.00")  # power in steps of 1 kW
    assert [source["channel"] for source in outcome.measurements(line)] == [8]
    document = quantities_document(outcome.tenure.spans, outcome.parts)
    assert document["max_quarter_hour_output_kw"] == "10.4"
    assert document["max_quarter_hour_output_at"] == PEAK.isoformat()
    assert "maximum 10 kW, rezervováno 8 kW" in line.why


@pytest.mark.parametrize(
    ("channels", "output_kw", "finding"),
    [((GIVEN,), None, False), ((), "8", True), ((), None, False)],
    ids=["nothing reserved: not even read", "reserved and not metered", "neither"],
)
def test_output_at_low_voltage_that_is_not_evaluated(
    channels: tuple[ChannelFacts, ...], output_kw: str | None, finding: bool
) -> None:
    point = low_voltage(*channels, output_kw=output_kw)
    outcome = settled(settle_point(point, counted(point, Measured()), NOW))
    assert not [line for line in outcome.lines if line.component == "excess_reserved_output"]
    texts = [each.text for each in outcome.findings if each.component == "excess_reserved_output"]
    assert texts == (
        ["Překročení rezervovaného výkonu: čtvrthodinový výkon se v místě neměří, překročení se nevyhodnocuje."]
        if finding
        else []
    )


def test_months_of_output_are_apart_at_low_voltage() -> None:
    reserved: dict[str, Any] = {"agreed": {"reserved_output_kw": [Held(None, None, Decimal(8))]}}
    whole = facts_of(record(**reserved), FIRST, date(2026, 5, 1), BOOKS)
    assert parts(whole) == [(FIRST, date(2026, 5, 1))]  # without a meter of what is given no month counts
    cut = facts_of(record(**reserved, channels=(GIVEN,)), FIRST, date(2026, 5, 1), BOOKS)
    assert parts(cut) == [(FIRST, END), (END, date(2026, 5, 1))]


WITHOUT = quantities(max_quarter_hour_kw="120", reserved_input_kw="400", energy_mwh="10")


def test_the_whole_maximum_exceeds_where_no_capacity_is_agreed() -> None:
    priced = price_parts([part(*MARCH, VN, WITHOUT)])
    (line,) = of_component(priced, "excess_reserved_capacity")
    assert told(line) == ("120", "422.7345", "50728.14")
    assert line.mark == "assumed"
    assert any("za rezervovanou se bere nula" in each.text for each in line.assumptions)
    (finding,) = [each for each in priced.findings if each.component == "excess_reserved_capacity"]
    assert finding.text == (
        "Překročení rezervované kapacity: v měsíci 03/2026 není nic rezervováno; překročením je celé maximum 120 kW "
        "(předpoklad)."
    )
    assert finding.mark == "assumed"


@pytest.mark.parametrize("way", ["told", None])
def test_a_package_may_only_tell_that_no_capacity_is_agreed(way: str | None) -> None:
    def switch(content: dict[str, Any]) -> None:
        for each in content["rules"]:
            if each["component"] == "excess_reserved_capacity":
                each["parameters"].pop("reserved_if_none")
                each["parameters"].update({} if way is None else {"reserved_if_none": way})

    priced = price_parts([part(*MARCH, VN, WITHOUT, changed(switch))])
    assert not of_component(priced, "excess_reserved_capacity")
    texts = [each.text for each in priced.findings]
    assert "Překročení rezervované kapacity: nic není rezervováno, překročení se nevyhodnocuje." in texts


def test_zero_stands_only_for_a_whole_month_without_capacity() -> None:
    agreed = {**WITHOUT, "reserved_capacity_year_kw": Decimal(110)}
    priced = price_parts([part("2026-03-01", "2026-03-11", VN, WITHOUT), part("2026-03-11", "2026-04-01", VN, agreed)])
    (line,) = of_component(priced, "excess_reserved_capacity")
    assert told(line)[0] == "10"
    assert line.mark == "documented"


def test_an_exempt_point_and_a_single_component_price_know_no_capacity() -> None:
    for point in (replace(VN, capacity_exempt=True), replace(VN, tariff_choice="single_component")):
        priced = price_parts([part(*MARCH, point, WITHOUT)])
        assert not of_component(priced, "excess_reserved_capacity")


def test_without_capacity_and_without_power_nothing_is_told() -> None:
    idle = {**WITHOUT, "max_quarter_hour_kw": Decimal(0)}
    priced = price_parts([part(*MARCH, VN, idle)])
    assert not [each for each in (*priced.lines, *priced.findings) if each.component == "excess_reserved_capacity"]
