"""What decides electricity beside reserved capacity: power given at low voltage, no capacity, unmetered takes."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from central.settlement.books import BookInForce
from central.settlement.cuts import Held
from central.settlement.facts import ChannelFacts, PointFacts
from central.settlement.interval_mask import parse_mask
from central.settlement.measured import RegisterPeriod, StateReading, sum_days
from central.settlement.model import TariffPoint
from central.settlement.price_parts import price_parts
from central.settlement.quantities import Measured, quantities_document
from central.settlement.settle import Omitted, settle_point
from central.settlement.spans import facts_of
from central.tariffs.load import PackageInvalidError
from central.tariffs.package import Package
from shared.metering_day import PRAGUE, MeteringDay
from shared.quantities import Commodity
from tests.unit.central.settlement.packages import changed, of_component, part, quantities, told
from tests.unit.central.settlement.test_facts import BOOKS, END, FIRST, TENTH, parts, record
from tests.unit.central.settlement.test_settle import (
    HIGH,
    HIGH_MEASURED,
    NOW,
    PEAK,
    electricity,
    facts,
    interval,
    item,
    omitted,
    settled,
)

VN = TariffPoint("CEZ", "VN")
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
    return replace(measured, states={(7, start, end): [RegisterPeriod(7, start, end, *states, 1)]})


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


MASK = "months:3 working hours:6-10"


def masked(mask: str) -> Package:
    """The package with a power factor of some intervals only, within a band that nothing leaves."""

    def restrict(content: dict[str, Any]) -> None:
        (rule,) = [each for each in content["rules"] if each["component"] == "power_factor"]
        rule["parameters"]["intervals"] = mask

    return changed(restrict)


def test_the_power_factor_is_of_the_intervals_of_its_mask() -> None:
    book = masked(MASK)
    books = [BookInForce(book, Commodity.ELECTRICITY, frozenset(book.file.operators))]
    point = facts_of(HIGH.record, FIRST, END, books)
    assert point is not None
    days = HIGH_MEASURED.days[Commodity.ELECTRICITY].profiles
    values = days.values.copy()
    place = int(days.offset[1])  # Monday 2 March: 16 quarter-hours from 06:00
    values[:, place + 24 : place + 40] += 1000
    values[1, place + 40 :] = 900_000  # what is not evaluated does not show
    values[1, int(days.offset[2]) :] = days.values[1, int(days.offset[2]) :]
    measured = Measured({Commodity.ELECTRICITY: sum_days(replace(days, values=values))})
    outcome = settled(settle_point(point, measured, NOW))
    document = quantities_document(outcome.tenure.spans, outcome.parts)
    working = [day for day in range(2, 32) if date(2026, 3, day).isoweekday() < 6]
    evaluated = {
        name: sum(
            int(values[row, int(days.offset[day - 1]) + index])
            for day in working
            for index in range(days.days[day - 1].length)
            if 6 <= days.days[day - 1].instant(index).astimezone(PRAGUE).hour < 10
        )
        for row, name in ((0, "evaluated_energy_mwh"), (1, "evaluated_reactive_taken_mvarh"))
    }
    assert {name: Decimal(document[name]) * 1_000_000 for name in evaluated} == evaluated
    assert Decimal(document["reactive_taken_mvarh"]) > 50
    (finding,) = [each for each in outcome.findings if each.component == "power_factor"]
    assert f"z intervalů {MASK}" in finding.text
    assert "v neutrálním pásmu" in finding.text
    (source,) = outcome.parts[0].sources["evaluated_energy_mwh"]
    assert (source["channel"], source["intervals"]) == (1, MASK)


def test_without_a_mask_nothing_more_is_measured() -> None:
    outcome = settled(settle_point(HIGH, HIGH_MEASURED, NOW))
    assert not [name for name in outcome.parts[0].quantities if name.startswith("evaluated_")]
    assert not HIGH_MEASURED.days[Commodity.ELECTRICITY].evaluated


@pytest.mark.parametrize(
    ("month", "day", "evaluated"),
    [(3, 29, 12), (10, 25, 20), (3, 2, 16), (3, 1, 16)],
    ids=["23 hours", "25 hours", "Monday", "Sunday"],
)
def test_hours_are_of_local_time(month: int, day: int, evaluated: int) -> None:
    mask = parse_mask("hours:2-6")
    assert mask is not None
    assert int(mask.of([MeteringDay(Commodity.ELECTRICITY, date(2026, month, day))]).sum()) == evaluated


def test_working_days_are_without_holidays_and_months_restrict() -> None:
    mask = parse_mask("working months:4+5")
    assert mask is not None
    days = [date(2026, 4, 2), date(2026, 4, 3), date(2026, 4, 4), date(2026, 4, 6), date(2026, 5, 4), date(2026, 6, 1)]
    counts = [int(mask.of([MeteringDay(Commodity.ELECTRICITY, day)]).sum()) for day in days]
    assert counts == [96, 0, 0, 0, 96, 0]  # Good Friday, Saturday, Easter Monday, June


@pytest.mark.parametrize(
    "text", ["", "6-10", "hours:10-6", "hours:6-25", "months:13", "months:0", "working working", "hours:6-10 hours:1-2"]
)
def test_what_is_no_mask_is_refused_with_the_package(text: str) -> None:
    with pytest.raises(ValueError, match=r"mask|month"):
        parse_mask(text)
    with pytest.raises(PackageInvalidError, match="intervals"):
        masked(text)


def unmetered(rate: str, watts: str | None, *, flat: bool = False, level: str = "NN") -> PointFacts:
    watt = None if watts is None else Decimal(watts)
    return facts(Commodity.ELECTRICITY, level, item("CEZ", rate=rate, unmetered_w=watt, unmetered_flat=flat), [])


@pytest.mark.parametrize(
    ("point", "line"),
    [
        (unmetered("C60d", "95"), ("1", "65.35", "653.50")),
        (unmetered("C60d", "100"), ("1", "65.35", "653.50")),
        (unmetered("C60d", "100.001"), ("1", "65.35", "718.85")),
        (unmetered("C60d_VO", "95"), ("1", "34.74", "347.40")),
        (unmetered("C60d", None, flat=True), ("1", "65.35", "65.35")),
    ],
    ids=["each started 10 W", "just 100 W", "a little more", "public lighting", "flat"],
)
def test_an_unmetered_take_is_billed_without_any_reading(point: PointFacts, line: tuple[str, str, str]) -> None:
    outcome = settled(settle_point(point, Measured(), NOW))
    (payment,) = [each for each in outcome.lines if each.code == 12]
    assert (str(payment.quantity), str(payment.amount)) == (line[0], line[2])
    assert payment.inputs["price"]["value"] == line[1]
    assert {each.component for each in outcome.lines} == {payment.component, "nonnetwork_infrastructure"}
    assert outcome.findings == ()
    assert not outcome.parts[0].quantities


@pytest.mark.parametrize(
    ("point", "sentence"),
    [
        (unmetered("C60d", None), "chybí veličina unmetered_w"),
        (unmetered("C60d_VO", None, flat=True), "chybí veličina unmetered_w"),
        (unmetered("C02d", "95"), "sazba C02d se však měří (JT)"),
        (unmetered("C60d", "95", level="VN"), "Neměřený odběr je jen na hladině NN"),
    ],
    ids=["no power", "public lighting has no flat payment", "a metered rate", "above low voltage"],
)
def test_what_leaves_an_unmetered_take_out(point: PointFacts, sentence: str) -> None:
    left = omitted(settle_point(point, Measured(), NOW))
    assert sentence in left.reason


def test_a_new_power_within_the_month_is_billed_by_days() -> None:
    before, after = item("CEZ", rate="C60d", unmetered_w=Decimal(95)), item("CEZ", rate="C60d", unmetered_w=Decimal(40))
    given = replace(
        unmetered("C60d", "95").record,
        items=[Held(None, TENTH, before), Held(TENTH, None, replace(after, id=6))],
    )
    found = facts_of(given, FIRST, END, BOOKS)
    assert found is not None
    outcome = settle_point(found, Measured(), NOW)
    assert not isinstance(outcome, Omitted)
    payments = [line for each in outcome for line in each.lines if line.code == 12]
    assert [str(line.amount) for line in payments] == ["210.81", "177.08"]  # 10/31 x 653.50, 21/31 x 261.40
