"""Read what documents are composed from: parties, languages, pinned inputs, past consumption, originals. By sets."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, select, text

from central.invoicing.compose_rows import BasisRow, PointInput
from central.invoicing.document import Original, PartyDetails, PastPeriod
from central.invoicing.tables import document_language
from central.registry.tables import party

PAST_PERIODS = 12
"""So many periods stand in the chart at most, the present one among them."""

INPUTS = text("""
    SELECT si.id, si.supply_point, si.facts, lower(si.valid) AS start, upper(si.valid) AS stop, si.quantities,
           si.readings, si.information, si.findings
      FROM settlement_input si
     WHERE si.id = ANY (:inputs)
""")

PAST = text("""
    -- what the same customer took at the point before, by the periods that were settled and approved, the newest first
    SELECT mine.id, before.start, before.stop, before.quantities
      FROM settlement_input mine
     CROSS JOIN LATERAL (
           SELECT lower(si.valid) AS start, upper(si.valid) AS stop, si.quantities
             FROM settlement_input si
            WHERE si.supply_point = mine.supply_point AND si.approved AND si.statement_type IN (0, 2)
              AND upper(si.valid) <= lower(mine.valid)
              AND si.facts #>> '{contract,customer,id}' = mine.facts #>> '{contract,customer,id}'
            ORDER BY lower(si.valid) DESC LIMIT :limit) before
     WHERE mine.id = ANY (:inputs)
     ORDER BY mine.id, before.start
""")

BY_HAND = text("""
    -- the point and contract of bases that were made by hand: nothing else was pinned for them
    SELECT DISTINCT b.supply_point, b.contract, sp.ean, sp.name, sp.street, sp.postal_code, sp.city, sp.commodity,
           c.number
      FROM billing_basis b
      JOIN supply_point sp ON sp.id = b.supply_point
      JOIN contract c ON c.id = b.contract
     WHERE b.id = ANY (:bases) AND b.input IS NULL
""")

LINES = text("""
    SELECT b.id, b.supply_point, b.rate, b.name, b.quantity, b.unit, b.unit_price, b.price_unit, b.amount,
           b.vat_percent, b.why, b.statement_type, lower(b.valid) AS start, upper(b.valid) AS stop, b.made_at,
           b.measurements <> '[]' AS measured,
           b.measurements @? '$[*].quality ? (exists(@.estimated) || exists(@.substitute))' AS computed
      FROM billing_basis b
     WHERE b.id = ANY (:bases)
""")

QUANTITIES = (("energy_mwh", "MWh"), ("volume_m3", "m³"))


def read_parties(connection: Connection, ids: Iterable[int]) -> dict[int, PartyDetails]:
    """The parties as they stand on documents."""
    rows = connection.execute(select(party).where(party.c.id.in_(set(ids))))
    return {
        row.id: PartyDetails(
            name=row.name,
            street=row.street,
            postal_code=row.postal_code,
            city=row.city,
            country=row.country,
            ico=row.ico,
            dic=row.dic,
            iban=row.iban,
            registration=row.registration,
            licence=row.licence,
            email=row.email,
        )
        for row in rows
    }


def read_languages(connection: Connection, ids: Iterable[int]) -> dict[int, str]:
    """The languages of those payers that do not get their documents in Czech."""
    rows = connection.execute(select(document_language).where(document_language.c.party.in_(set(ids))))
    return {row.party: row.language for row in rows}


def original_of(row: Row[Any]) -> Original:
    """The original as it stands on the document about it."""
    return Original(number=row.number, issue_date=row.issue_date)


def read_points(connection: Connection, bases: Sequence[Row[Any]]) -> list[tuple[PointInput, list[BasisRow]]]:
    """The bases by the input that each stands on, in their order; those made by hand by point and contract."""
    inputs = _inputs(connection, {row.input for row in bases if row.input is not None})
    by_hand = _by_hand(connection, [row for row in bases if row.input is None])
    lines = {row.id: _basis(row) for row in connection.execute(LINES, {"bases": [row.id for row in bases]})}
    groups: dict[tuple[int, int | None, int], list[Row[Any]]] = {}
    for row in bases:
        groups.setdefault((row.supply_point, row.input, row.contract), []).append(row)
    points: list[tuple[PointInput, list[BasisRow]]] = []
    for (point, given, contract), rows in groups.items():
        source = inputs[given] if given is not None else _of_hand(by_hand[point, contract], rows)
        points.append((source, [lines[row.id] for row in rows]))
    return points


def _inputs(connection: Connection, ids: set[int]) -> dict[int, PointInput]:
    if not ids:
        return {}
    past: dict[int, list[PastPeriod]] = {}
    for row in connection.execute(PAST, {"inputs": sorted(ids), "limit": PAST_PERIODS - 1}):
        past.setdefault(row.id, []).extend(_period(row.start, row.stop, row.quantities))
    return {
        row.id: PointInput(
            id=row.id,
            supply_point=row.supply_point,
            facts=row.facts,
            start=row.start,
            end=row.stop,
            quantities=row.quantities,
            readings=row.readings,
            information=row.information,
            findings=row.findings,
            past=[*past.get(row.id, ()), *_period(row.start, row.stop, row.quantities)],
        )
        for row in connection.execute(INPUTS, {"inputs": sorted(ids)})
    }


def _period(start: Any, end: Any, quantities: Mapping[str, str]) -> list[PastPeriod]:
    return [PastPeriod(start, end, Decimal(quantities[name]), unit) for name, unit in QUANTITIES if name in quantities][
        :1
    ]


def _by_hand(connection: Connection, bases: Sequence[Row[Any]]) -> dict[tuple[int, int], Row[Any]]:
    if not bases:
        return {}
    rows = connection.execute(BY_HAND, {"bases": [row.id for row in bases]})
    return {(row.supply_point, row.contract): row for row in rows}


def _of_hand(point: Row[Any], bases: Sequence[Row[Any]]) -> PointInput:
    return PointInput(
        id=None,
        supply_point=point.supply_point,
        facts={
            "supply_point": {
                "ean": point.ean,
                "name": point.name,
                "address": [point.street, point.postal_code, point.city],
                "commodity": point.commodity,
            },
            "contract": {"number": point.number},
        },
        start=min(row.start for row in bases),
        end=max(row.stop for row in bases),
        quantities={},
        readings=[],
        information=[],
        findings=[],
    )


def _basis(row: Row[Any]) -> BasisRow:
    return BasisRow(
        id=row.id,
        supply_point=row.supply_point,
        rate=row.rate,
        name=row.name,
        quantity=row.quantity,
        unit=row.unit,
        unit_price=row.unit_price,
        price_unit=row.price_unit,
        amount=Decimal(row.amount),
        vat_percent=row.vat_percent,
        why=row.why,
        start=row.start,
        end=row.stop,
        statement_type=row.statement_type,
        made_at=row.made_at,
        measured=row.measured,
        computed=row.computed,
    )
