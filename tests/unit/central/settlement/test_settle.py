"""Points from facts and measurements to lines, and one point's failure left with that point."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from central.readings.gas.calorific import Calorific
from central.readings.gas.coefficient import Conversion
from central.readings.gas.terms import GasTerms
from central.readings.profiles import Profiles
from central.settlement.facts import ChannelFacts, PointFacts, digest_of
from central.settlement.formulas import ALL_FORMULAS
from central.settlement.measured import ChannelSum, RegisterPeriod, StateReading, sum_profiles
from central.settlement.model import TariffPoint
from central.settlement.prices import PriceBook
from central.settlement.settle import Measured, Omitted, Settled, quantities_document, settle_point, settle_points
from central.tariffs.load import load_file, shipped_files
from shared.metering_day import month_bounds, month_days
from shared.quantities import Commodity

PACKAGES = {package.commodity: package for package in (load_file(path, ALL_FORMULAS) for path in shipped_files())}
NOW = datetime(2026, 4, 1, 6, tzinfo=UTC)
PEAK = datetime(2026, 3, 12, 9, 15, tzinfo=UTC)


def book_of(commodity: Commodity, operator: str) -> PriceBook | None:
    package = PACKAGES[commodity.value]
    return package if operator in package.file.operators else None


def facts(commodity: Commodity, level: str | None, tariff: TariffPoint, channels: Sequence[ChannelFacts]) -> PointFacts:
    start, end = month_bounds(commodity, 2026, 3)
    document = {"period": ["2026-03-01", "2026-04-01"], "supply_point": {"ean": "859182400941700026"}}
    return PointFacts(
        supply_point=1,
        ean="859182400941700026",
        commodity=commodity,
        level=level,
        contract_item=1,
        tariff=tariff,
        agreed={},
        channels=tuple(channels),
        start=start,
        end=end,
        document=document,
        digest=digest_of(document),
    )


def interval(identifier: int, direction: str, exponent: int = 0) -> ChannelFacts:
    return ChannelFacts(identifier, direction, "interval", "Wh", exponent, ())


def total(value: int, maximum: int = 0) -> ChannelSum:
    return ChannelSum(total=value, maximum=maximum, maximum_at=PEAK, missing_day=None, missing_count=0)


HIGH = replace(
    facts(
        Commodity.ELECTRICITY,
        "VN",
        TariffPoint("CEZ", "VN"),
        [interval(1, "A+"), interval(2, "R+"), interval(3, "R-")],
    ),
    agreed={
        "reserved_capacity_year_kw": Decimal(300),
        "reserved_capacity_month_kw": Decimal(50),
        "reserved_input_kw": Decimal(400),
    },
)
HIGH_MEASURED = Measured(
    sums={1: total(118_456_000, 93_000), 2: total(20_000_000), 3: total(2_310_000)}, profiles={}, states={}
)


def settled(outcome: Settled | Omitted) -> Settled:
    assert isinstance(outcome, Settled), outcome
    return outcome


def omitted(outcome: Settled | Omitted) -> Omitted:
    assert isinstance(outcome, Omitted), outcome
    return outcome


def test_the_worked_month_from_integers() -> None:
    outcome = settled(settle_point(HIGH, HIGH_MEASURED, book_of, NOW))
    assert outcome.priced.net == Decimal("132227.69")
    assert quantities_document(outcome.month) == {
        "energy_mwh": "118.456",
        "max_quarter_hour_kw": "372",
        "max_quarter_hour_at": PEAK.isoformat(),
        "reactive_taken_mvarh": "20",
        "reactive_delivery_mvarh": "2.31",
    }
    behind = {
        line.component: [source["channel"] for source in outcome.measurements(line)] for line in outcome.priced.lines
    }
    assert behind["use_of_networks"] == [1]
    assert behind["unsolicited_reactive"] == [3]
    assert behind["excess_reserved_capacity"] == [1]
    assert behind["reserved_capacity_year"] == []


def test_low_voltage_from_states() -> None:
    def states(channel: int, used: int) -> list[RegisterPeriod]:
        first, last = StateReading(9, PEAK, 1000, 0, 1), StateReading(9, PEAK, 1000 + used, 0, 2)
        return [RegisterPeriod(channel, PEAK, PEAK, first, last, 1)]

    point = facts(
        Commodity.ELECTRICITY,
        "NN",
        TariffPoint("EGD", "NN", "C25d", 3, Decimal(63)),
        [ChannelFacts(4, "VT", "state", "Wh", 0, ()), ChannelFacts(5, "NT", "state", "Wh", 3, ())],
    )
    measured = Measured(sums={}, profiles={}, states={4: states(4, 1_842_000), 5: states(5, 655)})
    outcome = settled(settle_point(point, measured, book_of, NOW))
    assert outcome.priced.net == Decimal("7727.67")
    line = next(line for line in outcome.priced.lines if line.code == 14)
    (source,) = outcome.measurements(line)
    assert (source["kind"], source["periods"][0]["to"]["value"], source["periods"][0]["to"]["batch"]) == (
        "state",
        1655,
        2,
    )
    missing = replace(point, channels=point.channels[:1])
    assert "potřebuje registr NT" in omitted(settle_point(missing, measured, book_of, NOW)).reason


def test_gas_from_a_profile() -> None:
    point = facts(
        Commodity.GAS,
        None,
        TariffPoint("GASNET", annual_mwh=Decimal(20)),
        [ChannelFacts(6, "V", "interval", "m3", -3, ())],
    )
    outcome = settled(settle_point(point, Measured({6: total(1_850_000)}, {}, {}), book_of, NOW))
    energy = outcome.priced.lines[0]
    assert (energy.quantity, energy.amount) == (Decimal("19.705"), Decimal("3943.36"))
    assert [source["channel"] for source in outcome.measurements(energy)] == [6]


GAS_POINT = facts(
    Commodity.GAS,
    None,
    TariffPoint("GASNET", annual_mwh=Decimal(20)),
    [ChannelFacts(6, "V", "interval", "m3", -3, ())],
)


def gas_month_of(litres_an_hour: int) -> Measured:
    """March 2026 of a steady flow: 31 gas days, the 28th with 23 hours."""
    days = month_days(Commodity.GAS, 2026, 3)
    offset = np.concatenate([np.zeros(1, np.int64), np.cumsum([day.length for day in days])])
    values = np.full((1, int(offset[-1])), litres_an_hour, np.int32)
    month = Profiles([6], days, offset, values, np.zeros_like(values, np.int16), np.ones((1, 31), np.int32))
    return Measured(sums=sum_profiles(month), profiles={Commodity.GAS: month}, states={})


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
    outcome = settled(settle_point(replace(GAS_POINT, gas={6: terms}), gas_month_of(2_000), book_of, NOW))
    line = outcome.priced.lines[0]
    first, second = 22 * 24 * 2, (9 * 24 - 1) * 2  # m3 of 22 days, and of 9 of which one has 23 hours
    exact = Decimal("0.9905") * (first * Decimal("10.4") + second * Decimal("10.8")) / 1000
    assert line.quantity == exact.quantize(Decimal("0.001")) == Decimal("15.478")
    assert line.inputs["volume_m3"] == "1486.000"
    assert line.inputs["volume_coefficient"] == "0.9905"
    assert line.inputs["calorific_value_kwh_m3"] == "10.5157"
    assert not [entry for entry in line.assumptions if "Spalné teplo" in entry.text or "koeficient" in entry.text]
    assert [source["channel"] for source in outcome.measurements(line)] == [6]


def test_a_gas_day_without_a_calorific_value_is_named() -> None:
    terms = gas_terms({day: "10.5" for day in range(1, 32) if day != 28}, kind="converter")
    outcome = omitted(settle_point(replace(GAS_POINT, gas={6: terms}), gas_month_of(2_000), book_of, NOW))
    assert (outcome.component, outcome.day) == ("measurement", date(2026, 3, 28))
    assert "plynárenský den 2026-03-28 není zadáno spalné teplo" in outcome.reason


def test_an_area_without_any_calorific_value_takes_that_of_the_package_and_says_so() -> None:
    terms = gas_terms({}, kind="fixed", coefficient=Decimal("0.9905"))
    outcome = settled(settle_point(replace(GAS_POINT, gas={6: terms}), gas_month_of(2_000), book_of, NOW))
    line = outcome.priced.lines[0]
    assert line.quantity == (Decimal("1486") * Decimal("0.9905") * Decimal("10.6512") / 1000).quantize(Decimal("0.001"))
    assert line.inputs["calorific_value_kwh_m3"] == "10.6512"
    assert line.mark != "documented"


def test_a_meter_without_a_known_conversion_says_what_is_assumed() -> None:
    outcome = settled(settle_point(GAS_POINT, gas_month_of(2_000), book_of, NOW))
    line = outcome.priced.lines[0]
    assert line.inputs["volume_coefficient"] == "1"
    assert any("není zadán způsob přepočtu" in entry.text for entry in line.assumptions)


@pytest.mark.parametrize(
    ("point", "measured", "component", "sentence"),
    [
        (replace(HIGH, problem="Smlouva chybí."), HIGH_MEASURED, "contract", "Smlouva chybí."),
        (replace(HIGH, end=datetime(2026, 4, 2, tzinfo=UTC)), HIGH_MEASURED, "period", "končí až"),
        (replace(HIGH, tariff=TariffPoint("NOBODY", "VN")), HIGH_MEASURED, "package", "ceník NOBODY"),
        (replace(HIGH, channels=()), HIGH_MEASURED, "measurement", r"nemá průběhový kanál A\+"),
        (
            HIGH,
            replace(HIGH_MEASURED, sums={**HIGH_MEASURED.sums, 2: total(60_000_000)}),
            "power_factor",
            "tg φ = 0,506 je nad neutrálním pásmem",
        ),
        (
            HIGH,
            replace(
                HIGH_MEASURED,
                sums={**HIGH_MEASURED.sums, 3: ChannelSum(0, 0, PEAK, datetime(2026, 3, 5, tzinfo=UTC).date(), 4)},
            ),
            "measurement",
            "kanál R-: měsíc není úplný, chybí 4 hodnot, první dne 2026-03-05",
        ),
    ],
)
def test_what_leaves_a_point_out(point: PointFacts, measured: Measured, component: str, sentence: str) -> None:
    outcome = omitted(settle_point(point, measured, book_of, NOW))
    assert outcome.component == component
    assert sentence.replace("\\", "") in outcome.reason


def test_the_others_go_on() -> None:
    points = [replace(HIGH, problem="x"), HIGH, replace(HIGH, supply_point=2)]
    good, bad = settle_points(points, HIGH_MEASURED, book_of, NOW)
    assert [entry.facts.supply_point for entry in good] == [1, 2]
    assert [entry.reason for entry in bad] == ["x"]


def test_the_digest_follows_the_content_only() -> None:
    assert digest_of({"a": 1, "b": "č"}) == digest_of({"b": "č", "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})
