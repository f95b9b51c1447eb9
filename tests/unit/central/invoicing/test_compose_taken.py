"""What a document says of what was taken: registers with the constants of their time, gas of each part."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from central.invoicing.compose import compose
from central.invoicing.compose_rows import BasisRow, PointInput
from central.invoicing.isdoc import problems_of, write_isdoc
from central.invoicing.printed import printed
from central.invoicing.wording import SPACE
from shared.metering_day import month_bounds
from shared.quantities import Commodity
from tests.unit.central.invoicing.test_documents import FIRM, HOUSEHOLD, SUPPLIER, TERMS, bases, low_voltage

D = Decimal
START, CHANGE, END = (datetime(2026, month, day, 12, tzinfo=UTC) for month, day in ((3, 1), (3, 15), (4, 1)))
GAS_CHANGE = datetime(2026, 3, 16, 5, tzinfo=UTC)


def state(at: datetime, value: int) -> dict[str, Any]:
    return {"evidence_channel": 1, "at": at.isoformat(), "value": value, "exponent": 0, "batch": 5}


def reading(direction: str, *periods: tuple[datetime, int, datetime, int, int], unit: str = "Wh") -> dict[str, Any]:
    """Of a register: periods as (from, state, to, state, factor)."""
    return {
        "direction": direction,
        "unit": unit,
        "exponent": 0,
        "periods": [
            {"factor": factor, "from": state(start, low), "to": state(end, high)}
            for start, low, end, high, factor in periods
        ],
    }


def registers(*readings: dict[str, Any], mappings: list[dict[str, Any]] | None = None) -> list[Any]:
    given = replace(low_voltage(), readings=readings)
    if mappings is not None:
        given = replace(given, facts={**given.facts, "channels": [{"mappings": mappings}]})
    (section,) = compose("1", SUPPLIER, HOUSEHOLD, [(given, bases(2))], TERMS).points
    return list(section.registers)


def test_each_reading_has_the_multiplier_of_its_own_time() -> None:
    at = CHANGE.isoformat()
    mappings = [
        {"evidence_channel": 1, "serial": "48210074", "multiplier": 40, "valid": [None, at]},
        {"evidence_channel": 1, "serial": "48210074", "multiplier": 60, "valid": [at, None]},
    ]
    made = registers(
        reading("JT", (START, 1_000, CHANGE, 2_000, 40), (CHANGE, 2_000, END, 3_000, 60)), mappings=mappings
    )
    assert [(each.multiplier, each.consumption) for each in made] == [(40, D(40)), (60, D(60))]


def test_registers_of_other_directions_have_their_own_units_and_stand_behind() -> None:
    period = (START, 1_000, END, 4_000, 1)
    made = registers(
        reading("R+", period, unit="varh"),
        reading("A-", period),
        reading("V", period, unit="m3"),
        reading("VT", period),
    )
    assert [(each.register, each.unit, each.consumption) for each in made] == [
        ("VT (vysoký tarif)", "kWh", D(3)),
        ("A− (dodávka)", "kWh", D(3)),
        ("R+ (jalová, odběr)", "kvarh", D(3)),
        ("V (objem)", "m³", D(3000)),
    ]


def test_a_register_that_rolled_over_counted_forwards() -> None:
    (made,) = registers(reading("JT", (START, 999_900, END, 400, 1_000)))
    assert (made.start, made.end, made.consumption) == (D("999.9"), D("0.4"), D(500))


def test_a_state_that_is_missing_is_not_printed() -> None:
    told = reading("JT", (START, 1, END, 2, 1))
    told["periods"].append({"factor": 1, "from": None, "to": state(END, 2)})
    assert len(registers(told)) == 1


def gas(*rows: BasisRow) -> list[tuple[str, str]]:
    start, end = month_bounds(Commodity.GAS, 2026, 3)
    facts = dict(low_voltage().facts)
    facts["supply_point"] = {**facts["supply_point"], "commodity": "gas", "level": None}
    facts["item"] = {**facts["item"], "annual_mwh": "400.000", "gas_daily_capacity_m3": None}
    given: PointInput = replace(
        low_voltage(), facts=facts, start=start, end=end, readings=[], quantities={"volume_m3": "3000.000"}
    )
    document = compose("1", SUPPLIER, FIRM, [(given, rows)], TERMS)
    assert problems_of(write_isdoc(document)) == []
    (point,) = printed(document)["points"]
    return [(label, value) for label, value in point["facts"] if "consumption" not in label][1:]


def gas_line(start: datetime, end: datetime, volume: str, calorific: str, energy: str, kind: int = 0) -> BasisRow:
    why = {"volume_m3": volume, "volume_coefficient": "1", "calorific_value_kwh_m3": calorific}
    sign = -1 if kind == 7 else 1
    return replace(
        bases(2)[0], quantity=sign * D(energy), rate=1001, why=why, start=start, end=end, statement_type=kind
    )


def test_gas_is_told_for_each_part() -> None:
    start, end = month_bounds(Commodity.GAS, 2026, 3)
    told = gas(
        gas_line(GAS_CHANGE, end, "2000.000", "10.7000", "21.400"),
        gas_line(start, GAS_CHANGE, "1000.000", "10.5000", "10.500"),
    )
    first = f" (1.{SPACE}3.{SPACE}2026 – 15.{SPACE}3.{SPACE}2026)"
    second = f" (16.{SPACE}3.{SPACE}2026 – 31.{SPACE}3.{SPACE}2026)"
    assert [value for label, value in told if label.endswith(first)] == [
        f"1{SPACE}000 m³", "1", "10,5 kWh/m³", f"10{SPACE}500 kWh",
    ]  # fmt: skip
    assert [value for label, value in told if label.endswith(second)] == [
        f"2{SPACE}000 m³", "1", "10,7 kWh/m³", f"21{SPACE}400 kWh",
    ]  # fmt: skip


def test_a_correction_of_gas_tells_what_stands_not_what_it_takes_back() -> None:
    start, end = month_bounds(Commodity.GAS, 2026, 3)
    told = gas(
        gas_line(start, end, "3000.000", "10.5000", "31.500", kind=7),
        gas_line(start, end, "3000.000", "10.7000", "32.100", kind=8),
    )
    assert ("Spalné teplo", "10,7 kWh/m³") in told
    assert ("Energie", f"32{SPACE}100 kWh") in told
    assert len([label for label, _ in told if label.startswith("Spalné teplo")]) == 1


def test_what_was_made_by_hand_alone_has_no_register_and_is_a_document_all_the_same() -> None:
    given = low_voltage()
    facts = {
        "supply_point": {
            "ean": "859182400000000001", "name": "Dílna", "address": ["", "602 00", "Brno"], "commodity": "electricity",
        },
        "contract": {"number": "SoD-1"},
    }  # fmt: skip
    by_hand = replace(given, id=None, facts=facts, quantities={}, readings=[], information=[], findings=[], past=())
    made = compose("2600000001", SUPPLIER, HOUSEHOLD, [(by_hand, bases(2))], TERMS)
    (section,) = made.points
    assert (section.registers, section.facts, section.address) == ([], [], "602 00 Brno")
    assert made.net == sum(line.amount for line in made.lines)
    assert problems_of(write_isdoc(made)) == []
    assert printed(made)["points"]
