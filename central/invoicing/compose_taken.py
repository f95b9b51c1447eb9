"""What a document says of what was taken: the states of registers, and how a volume of gas became energy. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from central.invoicing.compose_rows import BasisRow, PointInput
from central.invoicing.document import Fact, RegisterStates
from central.invoicing.kinds import CANCELLING
from central.invoicing.wording import Wording, trimmed
from shared.metering_day import PRAGUE

DIRECTIONS = ("VT", "NT", "JT")
"""The high tariff before the low one, as the lines have them; other registers stand behind, by name."""

PRINTED_UNITS = {"Wh": ("kWh", 3), "varh": ("kvarh", 3), "m3": ("m³", 0)}
"""Unit of a channel -> the printed one and its power of ten."""

NOON = timedelta(hours=12)


def register_states(
    readings: Sequence[Mapping[str, Any]], facts: Mapping[str, Any], words: Wording
) -> list[RegisterStates]:
    """The states that a point's quantities stand on, each period of a register with the multiplier of its time."""
    mappings: dict[int, list[Mapping[str, Any]]] = {}
    for channel in facts.get("channels", ()):  # of what was made by hand nothing is pinned
        for mapping in channel["mappings"]:
            mappings.setdefault(mapping["evidence_channel"], []).append(mapping)
    ordered = sorted(readings, key=lambda reading: (_place(reading["direction"]), reading["direction"]))
    return [
        _states(reading, period, mappings, words)
        for reading in ordered
        for period in reading["periods"]
        if period["from"] is not None and period["to"] is not None
    ]


def gas_facts(given: PointInput, bases: Sequence[BasisRow], words: Wording) -> list[Fact]:
    """Volume, coefficient, calorific value and energy as they were billed, of each time that has its own.

    What a document takes back says nothing beside what it puts in its place.
    """
    converted = [basis for basis in bases if "calorific_value_kwh_m3" in basis.why]
    standing = [basis for basis in converted if basis.statement_type not in CANCELLING] or converted
    of_time: dict[tuple[datetime | None, datetime | None], BasisRow] = {}
    for basis in sorted(standing, key=lambda basis: basis.start or given.start):
        of_time.setdefault((basis.start, basis.end), basis)
    if not of_time:
        return list(_gas_values(words, "", {"volume": given.quantities.get("volume_m3")}))
    facts: list[Fact] = []
    for (start, end), basis in of_time.items():
        values = {
            # what is read of the whole time stands for the only line there is
            "volume": basis.why.get("volume_m3") or (given.quantities.get("volume_m3") if len(of_time) == 1 else None),
            "volume_coefficient": basis.why.get("volume_coefficient"),
            "calorific_value": basis.why["calorific_value_kwh_m3"],
            "energy": str(abs(basis.quantity) * 1000),
        }
        facts += _gas_values(words, _days(start, end, words) if len(of_time) > 1 else "", values)
    return facts


def _gas_values(words: Wording, of: str, values: Mapping[str, str | None]) -> Iterable[Fact]:
    units = {"volume": "m³", "volume_coefficient": "", "calorific_value": "kWh/m³", "energy": "kWh"}
    for name, value in values.items():
        if value is not None:
            yield Fact(words.facts[name] + of, f"{words.number(trimmed(Decimal(value)))} {units[name]}".strip())


def _days(start: datetime | None, end: datetime | None, words: Wording) -> str:
    """The gas days of a line, such as " (1. 3. 2026 – 15. 3. 2026)"."""
    if start is None or end is None:
        return ""
    first, last = start.astimezone(PRAGUE).date(), (end - NOON).astimezone(PRAGUE).date()
    return f" ({words.day_of(first)} – {words.day_of(last)})"


def _place(direction: str) -> int:
    return DIRECTIONS.index(direction) if direction in DIRECTIONS else len(DIRECTIONS)


def _states(
    reading: Mapping[str, Any],
    period: Mapping[str, Any],
    mappings: Mapping[int, Sequence[Mapping[str, Any]]],
    words: Wording,
) -> RegisterStates:
    start, end = period["from"], period["to"]
    start_at, end_at = datetime.fromisoformat(start["at"]), datetime.fromisoformat(end["at"])
    mapping = max(
        mappings[start["evidence_channel"]], key=lambda mapping: _common(mapping.get("valid"), start_at, end_at)
    )
    unit, exponent = PRINTED_UNITS.get(reading.get("unit", "Wh"), (reading.get("unit", ""), 0))
    counted = Decimal(_counted(start["value"], end["value"]) * period["factor"]).scaleb(reading["exponent"] - exponent)
    return RegisterStates(
        meter=mapping["serial"],
        register=words.registers.get(reading["direction"], reading["direction"]),
        start_at=start_at,
        start=_shown(start, exponent),
        end_at=end_at,
        end=_shown(end, exponent),
        multiplier=mapping["multiplier"],
        consumption=trimmed(counted),
        unit=unit,
    )


def _counted(start: int, end: int) -> int:
    """Units between two states. One that fell rolled over, which is settled from the top tenth of its digits only."""
    return end - start if end >= start else end - start + 10 ** len(str(start))


def _common(valid: Sequence[str | None] | None, start: datetime, end: datetime) -> timedelta:
    """How much of a period a mapping covers; one without bounds covers it all."""
    since, until = ((None if each is None else datetime.fromisoformat(each)) for each in valid or (None, None))
    return min(end, until or datetime.max.replace(tzinfo=UTC)) - max(start, since or datetime.min.replace(tzinfo=UTC))


def _shown(state: Mapping[str, Any], exponent: int) -> Decimal:
    return trimmed(Decimal(state["value"]).scaleb(state["exponent"] - exponent))
