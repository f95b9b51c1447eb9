"""Points from facts and measurements to lines, and one point's failure left with that point."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from central.readings.gas.calorific import Calorific
from central.readings.gas.coefficient import Conversion
from central.readings.gas.terms import GasTerms
from central.readings.profiles import Profiles
from central.settlement.books import BookInForce
from central.settlement.cuts import Held
from central.settlement.document import digest_of
from central.settlement.facts import (
    ChannelFacts,
    ContractItem,
    ContractTerms,
    Named,
    PointFacts,
    PointRecord,
    PointVersion,
    Problem,
)
from central.settlement.measured import RegisterPeriod, StateReading, sum_days
from central.settlement.own import NOTHING, Condition, OwnFacts
from central.settlement.quantities import Measured, Waiting, quantities_document
from central.settlement.settle import Omitted, Settled, settle_point, settle_points
from central.settlement.spans import facts_of
from shared.metering_day import month_days
from shared.quantities import MISSING_VALUE, Commodity
from tests.unit.central.settlement.packages import ELECTRICITY, GAS, changed

PACKAGES = {"electricity": ELECTRICITY, "gas": GAS}
BOOKS = [BookInForce(book, Commodity(book.commodity), frozenset(book.file.operators)) for book in PACKAGES.values()]
AS_IN_2027 = changed(
    lambda content: content.update(valid=["2026-01-01", "2027-01-01"], version="as-in-2027"),
    "cz-electricity-2027-informative",
)
"""The structure of 2027 as if it held in 2026, the year of the tests."""
FIRST, END = date(2026, 3, 1), date(2026, 4, 1)
NOW = datetime(2026, 4, 1, 6, tzinfo=UTC)
EAN = "859182400941700026"
PEAK = datetime(2026, 3, 12, 9, 15, tzinfo=UTC)
OPERATOR, CUSTOMER = Named(1, "LDS"), Named(2, "C1")


def facts(
    commodity: Commodity,
    level: str | None,
    item: ContractItem,
    channels: Sequence[ChannelFacts],
    agreed: dict[str, Decimal] | None = None,
    gas: dict[int, GasTerms] | None = None,
    own: OwnFacts = NOTHING,
    books: Sequence[BookInForce] = BOOKS,
) -> PointFacts:
    version = PointVersion("Hala", "A", ("Dlouhá 1", "602 00", "Brno"), level, "B", "business", None, OPERATOR, None,
                           "connected")  # fmt: skip
    record = PointRecord(
        id=1,
        ean=EAN,
        commodity=commodity,
        versions=[Held(None, None, version)],
        items=[Held(None, None, item)],
        terms={7: [Held(None, None, ContractTerms(CUSTOMER, CUSTOMER))]},
        agreed={name: [Held(None, None, value)] for name, value in (agreed or {}).items()},
        channels=tuple(channels),
        gas=gas or {},
        own=own,
    )
    found = facts_of(record, FIRST, END, books)
    assert found is not None
    return found


def item(prices: str, **decided: Any) -> ContractItem:
    plain: dict[str, Any] = dict.fromkeys(
        ("since", "until", "rate", "breaker_phases", "breaker_amps", "annual_mwh", "gas_daily_capacity_m3",
         "gas_category")
    )  # fmt: skip
    return ContractItem(
        id=5, contract=7, contract_number="S/1", contract_kind="distribution", prices=prices, **{**plain, **decided}
    )


def interval(identifier: int, direction: str, exponent: int = 0) -> ChannelFacts:
    return ChannelFacts(identifier, direction, "interval", "Wh", exponent, ())


def electricity(*channels: tuple[int, int, int]) -> Measured:
    """A March of channels (id, sum, highest quarter-hour): the highest one is on 12 March at 09:15 UTC."""
    days = month_days(Commodity.ELECTRICITY, 2026, 3)
    offset = np.concatenate([np.zeros(1, np.int64), np.cumsum([day.length for day in days])])
    values = np.zeros((len(channels), int(offset[-1])), np.int32)
    peak = int(offset[11]) + (PEAK - days[11].start) // timedelta(minutes=15)
    for row, (_, total, highest) in enumerate(channels):
        rest, over = divmod(total - highest, values.shape[1] - 1)
        values[row] = rest
        values[row, :over] += 1
        if over > peak:
            values[row, over] += 1
        values[row, peak] = highest
    profiles = Profiles([each[0] for each in channels], days, offset, values, np.zeros_like(values, np.int16),
                        np.ones((len(channels), 31), np.int32))  # fmt: skip
    return Measured({Commodity.ELECTRICITY: sum_days(profiles)})


CHANNELS = [interval(1, "A+"), interval(2, "R+"), interval(3, "R-")]
AGREED = {
    "reserved_capacity_year_kw": Decimal(300),
    "reserved_capacity_month_kw": Decimal(50),
    "reserved_input_kw": Decimal(400),
}
HIGH = facts(Commodity.ELECTRICITY, "VN", item("CEZ"), CHANNELS, AGREED)
HIGH_MEASURED = electricity((1, 118_456_000, 93_000), (2, 20_000_000, 9_000), (3, 2_310_000, 900))


def settled(outcome: list[Settled] | Omitted) -> Settled:
    assert not isinstance(outcome, Omitted), outcome
    (only,) = outcome
    return only


def omitted(outcome: list[Settled] | Omitted) -> Omitted:
    assert isinstance(outcome, Omitted), outcome
    return outcome


def test_the_worked_month_from_integers() -> None:
    outcome = settled(settle_point(HIGH, HIGH_MEASURED, NOW))
    assert sum(line.amount for line in outcome.lines) == Decimal("132227.69")
    assert quantities_document(outcome.tenure.spans, outcome.parts) == {
        "energy_mwh": "118.456",
        "max_quarter_hour_kw": "372",
        "max_quarter_hour_at": PEAK.isoformat(),
        "reactive_taken_mvarh": "20",
        "reactive_delivery_mvarh": "2.31",
    }
    behind = {line.component: [source["channel"] for source in outcome.measurements(line)] for line in outcome.lines}
    assert behind["use_of_networks"] == [1]
    assert behind["unsolicited_reactive"] == [3]
    assert behind["excess_reserved_capacity"] == [1]
    assert behind["reserved_capacity_year"] == []


def test_the_storage_of_2027_is_measured_by_what_it_gives_back() -> None:
    """100 MWh taken and 70 given back by profiles: K = (0.70 - 0.60) / (0.75 - 0.60) = 2/3, so a third is billed.

    M = 372 kW x 1/3 = 0.124 MW, RP = 0.400 MW. T1: 0.4 x 190133 + 0.124 x 19013 = 78410.81 Kč; T2: 0.4 x 22743 +
    0.124 x 227429 = 37298.40 Kč, which is lower: 9097.20 and 28201.20 Kč. With all of M it would be 93700.79 Kč (T2)
    against 83126.04 Kč (T1).
    """
    condition = [Held(None, None, Condition(None, "storage", "smlouva"))]
    point = facts(
        Commodity.ELECTRICITY,
        "VN",
        item("CEZ"),
        [interval(1, "A+"), interval(2, "A-")],
        {"reserved_input_kw": Decimal(400), "reserved_output_kw": Decimal(400)},
        own=OwnFacts({"storage": condition}),
        books=[BookInForce(AS_IN_2027, Commodity.ELECTRICITY, frozenset(AS_IN_2027.file.operators))],
    )
    outcome = settled(settle_point(point, electricity((1, 100_000_000, 93_000), (2, 70_000_000, 60_000)), NOW))
    (part,) = outcome.parts
    assert (part.quantities["energy_mwh"], part.quantities["energy_returned_mwh"]) == (100, 70)
    told = {line.component: (str(line.quantity), str(line.unit_price), str(line.amount)) for line in outcome.lines}
    assert told["nts_input_payment"] == ("0.400", "22743", "9097.20")
    assert told["nts_maximum_payment"] == ("0.124", "227429", "28201.20")
    maximum = next(line for line in outcome.lines if line.component == "nts_maximum_payment")
    assert "koeficientem akumulace K = 0,666667" in maximum.why
    assert maximum.inputs["sums"] == {"T1": "78410.81", "T2": "37298.40"}


def test_low_voltage_from_states() -> None:
    def states(channel: int, used: int) -> list[RegisterPeriod]:
        first, last = StateReading(9, PEAK, 1000, 0, 1), StateReading(9, PEAK, 1000 + used, 0, 2)
        return [RegisterPeriod(channel, PEAK, PEAK, first, last, 1)]

    channels = [ChannelFacts(4, "VT", "state", "Wh", 0, ()), ChannelFacts(5, "NT", "state", "Wh", 3, ())]
    rate = item("EGD", rate="C25d", breaker_phases=3, breaker_amps=63)
    point = facts(Commodity.ELECTRICITY, "NN", rate, channels)
    month = point.instant(FIRST), point.instant(END)
    measured = Measured(states={(4, *month): states(4, 1_842_000), (5, *month): states(5, 655)})
    outcome = settled(settle_point(point, measured, NOW))
    assert sum(line.amount for line in outcome.lines) == Decimal("7727.67")
    line = next(line for line in outcome.lines if line.code == 14)
    (source,) = outcome.measurements(line)
    assert (source["kind"], source["periods"][0]["to"]["value"], source["periods"][0]["to"]["batch"]) == (
        "state",
        1655,
        2,
    )
    missing = facts(Commodity.ELECTRICITY, "NN", rate, channels[:1])
    assert "potřebuje registr NT" in omitted(settle_point(missing, measured, NOW)).reason


def test_two_tariffs_from_channels_with_profiles() -> None:
    """Registers may be logical channels: each tariff is billed from its own, none is taken for the whole."""
    channels = [ChannelFacts(4, "VT", "state", "Wh", 0, ()), ChannelFacts(5, "NT", "state", "Wh", 0, ())]
    rate = item("EGD", rate="C25d", breaker_phases=3, breaker_amps=63)
    own = OwnFacts(channels={5: {"VT": [Held(None, None, 14)], "NT": [Held(None, None, 15)]}})
    point = facts(Commodity.ELECTRICITY, "NN", rate, channels, own=own)
    others = {number: interval(number, direction) for number, direction in ((14, "VT"), (15, "NT"))}
    point = replace(point, record=replace(point.record, others=others))
    outcome = settled(settle_point(point, electricity((14, 1_842_000, 900), (15, 655_000, 900)), NOW))
    assert sum(line.amount for line in outcome.lines) == Decimal("7727.67")
    line = next(line for line in outcome.lines if line.code == 14)
    assert [source["channel"] for source in outcome.measurements(line)] == [15]


def test_days_without_a_meter_are_told() -> None:
    point = facts(
        Commodity.ELECTRICITY,
        "NN",
        item("EGD", rate="C01d", breaker_phases=3, breaker_amps=63),
        [ChannelFacts(4, "JT", "state", "Wh", 3, ())],
    )
    start, end = point.instant(FIRST), point.instant(END)
    mounted = point.instant(date(2026, 3, 12)) + timedelta(hours=9)
    first, last = (StateReading(9, at, value, 0, 1) for at, value in ((mounted, 100), (end, 130)))
    measured = Measured(states={(4, start, end): [RegisterPeriod(4, mounted, end, first, last, 1)]})
    outcome = settled(settle_point(point, measured, NOW))
    assert [finding.text for finding in outcome.findings if finding.component == "measurement"] == [
        f"Od 2026-03-01 do 2026-03-12 nebyl v místě {EAN} registr JT; za tyto dny se jím nic neúčtuje."
    ]


def test_low_voltage_below_zero_is_left_out() -> None:
    point = facts(
        Commodity.ELECTRICITY,
        "NN",
        item("EGD", rate="C01d", breaker_phases=3, breaker_amps=63),
        [ChannelFacts(4, "JT", "state", "Wh", 3, ())],
    )
    month = point.instant(FIRST), point.instant(END)
    first, last = (StateReading(9, at, value, 0, 1) for at, value in zip(month, (100, 130), strict=True))
    measured = Measured(states={(4, *month): [RegisterPeriod(4, *month, first, last, -1)]})
    outcome = omitted(settle_point(point, measured, NOW))
    assert (outcome.component, outcome.day) == ("measurement", FIRST)
    assert "energy_mwh -0.03, tedy pod nulou" in outcome.reason


VOLUME = [ChannelFacts(6, "V", "interval", "m3", -3, ())]


def gas_point(terms: GasTerms | None = None) -> PointFacts:
    gas = None if terms is None else {6: terms}
    return facts(Commodity.GAS, None, item("GASNET", annual_mwh=Decimal(20)), VOLUME, gas=gas)


def gas_month_of(litres_an_hour: int) -> Measured:
    """March 2026 of a steady flow: 31 gas days, the 28th with 23 hours."""
    days = month_days(Commodity.GAS, 2026, 3)
    offset = np.concatenate([np.zeros(1, np.int64), np.cumsum([day.length for day in days])])
    values = np.full((1, int(offset[-1])), litres_an_hour, np.int32)
    month = Profiles([6], days, offset, values, np.zeros_like(values, np.int16), np.ones((1, 31), np.int32))
    return Measured({Commodity.GAS: sum_days(month)})


def gas_terms(values: dict[int, str], **conversion: Any) -> GasTerms:
    """Of area GN1: calorific values by day of March, and one conversion for all of it."""
    first = date(2026, 1, 1)
    kept = {
        date(2026, 3, day): Calorific("GN1", "day", date(2026, 3, day), 1, Decimal(value), "entered", "test")
        for day, value in values.items()
    }
    return GasTerms([Conversion(1, 6, "GN1", first=first, end=None, source="test", **conversion)], {"GN1": kept})


def test_gas_by_what_is_known_of_its_area_and_days() -> None:
    """E = V x k x Hs by gas day, summed exactly and rounded once: 0.9905 x (528 h x 10.4 + 215 h x 10.8)."""
    values = {day: "10.4" if day <= 22 else "10.8" for day in range(1, 32)}
    terms = gas_terms(values, kind="fixed", coefficient=Decimal("0.9905"))
    outcome = settled(settle_point(gas_point(terms), gas_month_of(2_000), NOW))
    line = outcome.lines[0]
    first, second = 22 * 24 * 2, (9 * 24 - 1) * 2  # m3 of 22 days, and of 9 of which one has 23 hours
    exact = Decimal("0.9905") * (first * Decimal("10.4") + second * Decimal("10.8")) / 1000
    assert line.quantity == exact.quantize(Decimal("0.001")) == Decimal("15.478")
    assert line.inputs["volume_m3"] == "1486.000"
    assert line.inputs["volume_coefficient"] == "0.9905"
    assert line.inputs["calorific_value_kwh_m3"] == "10.5157"
    assert not [entry for entry in line.assumptions if "Spalné teplo" in entry.text or "koeficient" in entry.text]
    assert [source["channel"] for source in outcome.measurements(line)] == [6]


def test_gas_above_its_capacity_is_measured_by_gas_day_and_cut_by_month() -> None:
    terms = gas_terms(dict.fromkeys(range(1, 32), "10.4"), kind="fixed", coefficient=Decimal("0.99"))
    large = item("GASNET", annual_mwh=Decimal(400), gas_daily_capacity_m3=Decimal(45))
    point = facts(Commodity.GAS, None, large, VOLUME, gas={6: terms})
    outcome = settled(settle_point(point, gas_month_of(2_000), NOW))
    (line,) = [line for line in outcome.lines if line.component == "gas_capacity_excess"]
    # 24 h x 2 m3 x 0.99 = 47.52 m3; on the 28th 45.54 of 43.125: 2.415 above, less than 2.52
    assert (line.quantity, line.inputs["hours"]) == (Decimal("0.00252"), "24")
    (part,) = outcome.parts
    assert part.quantities["daily_taken_23h_thousand_m3"] == Decimal("0.045540")
    measured = {source.get("maximum_at") for source in outcome.measurements(line)}
    assert measured == {"2026-03-01T05:00:00+00:00", "2026-03-28T05:00:00+00:00"}
    both = facts_of(point.record, date(2026, 2, 15), END, BOOKS)
    assert both is not None
    assert [(span.first, span.end) for span in both.spans] == [(date(2026, 2, 15), FIRST), (FIRST, END)]


def test_a_gas_day_without_a_calorific_value_is_named() -> None:
    terms = gas_terms({day: "10.5" for day in range(1, 32) if day != 28}, kind="converter")
    outcome = omitted(settle_point(gas_point(terms), gas_month_of(2_000), NOW))
    assert (outcome.component, outcome.day) == ("measurement", date(2026, 3, 28))
    assert "plynárenský den 2026-03-28 není zadáno spalné teplo" in outcome.reason


def test_an_area_without_any_calorific_value_takes_that_of_the_package_and_says_so() -> None:
    terms = gas_terms({}, kind="fixed", coefficient=Decimal("0.9905"))
    outcome = settled(settle_point(gas_point(terms), gas_month_of(2_000), NOW))
    line = outcome.lines[0]
    assert line.quantity == (Decimal("1486") * Decimal("0.9905") * Decimal("10.6512") / 1000).quantize(Decimal("0.001"))
    assert line.inputs["calorific_value_kwh_m3"] == "10.6512"
    assert line.mark != "documented"


def test_a_meter_without_a_known_conversion_says_what_is_assumed() -> None:
    outcome = settled(settle_point(gas_point(), gas_month_of(2_000), NOW))
    line = outcome.lines[0]
    assert line.inputs["volume_coefficient"] == "1"
    assert any("není zadán způsob přepočtu" in entry.text for entry in line.assumptions)


def gap() -> Measured:
    measured = electricity((1, 118_456_000, 93_000), (2, 20_000_000, 9_000), (3, 2_310_000, 900))
    profiles = measured.days[Commodity.ELECTRICITY].profiles
    profiles.values[2, 4 * 96 : 4 * 96 + 4] = MISSING_VALUE
    return Measured({Commodity.ELECTRICITY: sum_days(profiles)})


@pytest.mark.parametrize(
    ("point", "measured", "component", "sentence"),
    [
        (replace(HIGH, problem=Problem("contract", "Smlouva chybí.")), HIGH_MEASURED, "contract", "Smlouva chybí."),
        (facts(Commodity.ELECTRICITY, "VN", item("NOBODY"), CHANNELS), HIGH_MEASURED, "package", "ceník NOBODY"),
        (facts(Commodity.ELECTRICITY, "VN", item("CEZ"), []), HIGH_MEASURED, "measurement", "průběhový kanál A+"),
        (
            HIGH,
            electricity((1, 118_456_000, 93_000), (2, 60_000_000, 21_000), (3, 2_310_000, 900)),
            "power_factor",
            "tg φ = 0,506 je nad neutrálním pásmem",
        ),
        (
            HIGH,
            electricity((1, -2_000, 93_000), (2, 20_000_000, 9_000), (3, 2_310_000, 900)),
            "measurement",
            "energy_mwh -0.002, tedy pod nulou",
        ),
        (
            replace(
                HIGH,
                record=replace(
                    HIGH.record,
                    own=OwnFacts(channels={5: {"A+": [Held(None, None, 14)]}}),
                    others={14: ChannelFacts(14, "A+", "state", "Wh", 0, ())},
                ),
            ),
            HIGH_MEASURED,
            "measurement",
            "z kanálu A+ (14), který nemá průběh",
        ),
        (HIGH, gap(), "measurement", "kanál R-: období není úplné, chybí 4 hodnot, první dne 2026-03-05"),
        (
            HIGH,
            replace(HIGH_MEASURED, waiting={2: Waiting("edit", "v nichž úprava čeká", date(2026, 3, 9))}),
            "edit",
            "kanál R+ má dny, v nichž úprava čeká, první 2026-03-09",
        ),
    ],
)
def test_what_leaves_a_point_out(point: PointFacts, measured: Measured, component: str, sentence: str) -> None:
    outcome = omitted(settle_point(point, measured, NOW))
    assert outcome.component == component
    assert sentence in outcome.reason


def test_a_period_that_is_not_over_is_left_out() -> None:
    outcome = omitted(settle_point(HIGH, HIGH_MEASURED, datetime(2026, 3, 20, tzinfo=UTC)))
    assert (outcome.component, "končí až" in outcome.reason) == ("period", True)


def test_the_others_go_on() -> None:
    points = [replace(HIGH, problem=Problem("contract", "x")), HIGH, HIGH]
    good, bad = settle_points(points, HIGH_MEASURED, NOW)
    assert len(good) == 2
    assert [entry.reason for entry in bad] == ["x"]


def test_the_digest_follows_the_content_only() -> None:
    assert digest_of({"a": 1, "b": "č"}) == digest_of({"b": "č", "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})
