"""Legislative packages where law and settlement meet: checked against the formulas of this release, compared with what
is installed, and what of the registry an installation would touch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, text

from central.settlement.formula_parameters import FORMULA_SHAPES
from central.tariffs.diff import Difference, Span, differences
from central.tariffs.effect import Effect, Profile
from central.tariffs.install import find_active
from central.tariffs.load import load_content, load_octets
from central.tariffs.package import Package

PROFILES = text("""
    -- every way in which contract items are billed in some days, once each; entries by their purchase contracts
    SELECT sp.commodity, ci.prices, sp.voltage_level, ci.rate, ci.breaker_phases, ci.breaker_amps, ci.annual_mwh
      FROM contract_item ci
      JOIN supply_point_valid sp ON sp.id = ci.supply_point AND sp.valid && ci.valid
     WHERE ci.valid && daterange(:first, :end) AND sp.valid && daterange(:first, :end)
       AND sp.commodity = :commodity AND contract_services(ci.kind) @> 1 AND ci.prices IS NOT NULL
       AND (sp.point_type = 'consumption' OR ci.kind = 'purchase')
     GROUP BY 1, 2, 3, 4, 5, 6, 7
""")

EFFECT = text("""
    -- contracts whose items are billed in one of the touched ways, and their months by how far these are billed
    WITH touched AS (
        SELECT prices, coalesce(level, '') AS level, coalesce(rate, '') AS rate, coalesce(phases, 0) AS phases,
               coalesce(amps, 0) AS amps, coalesce(annual, -1) AS annual, daterange(first, "end") AS days
          FROM unnest(CAST(:prices AS text[]), CAST(:levels AS text[]), CAST(:rates AS text[]),
                      CAST(:phases AS int[]), CAST(:amps AS numeric[]), CAST(:annual AS numeric[]),
                      CAST(:firsts AS date[]), CAST(:ends AS date[]))
            AS t (prices, level, rate, phases, amps, annual, first, "end")
    ), item AS (
        SELECT ci.id, ci.contract, ci.supply_point, ci.prices, coalesce(sp.voltage_level, '') AS level,
               coalesce(ci.rate, '') AS rate, coalesce(ci.breaker_phases, 0) AS phases,
               coalesce(ci.breaker_amps, 0)::numeric AS amps, coalesce(ci.annual_mwh, -1) AS annual,
               ci.valid * sp.valid AS days
          FROM contract_item ci
          JOIN supply_point_valid sp ON sp.id = ci.supply_point AND sp.valid && ci.valid
         WHERE sp.commodity = :commodity AND contract_services(ci.kind) @> 1
           AND (sp.point_type = 'consumption' OR ci.kind = 'purchase')
           AND ci.valid && daterange(:first, :end)
    ), item_month AS (
        SELECT DISTINCT item.id, item.contract, item.supply_point, m.month::date AS month
          FROM item
          JOIN touched USING (prices, level, rate, phases, amps, annual)
         CROSS JOIN LATERAL (SELECT item.days * touched.days AS both) d
         CROSS JOIN LATERAL generate_series(
             date_trunc('month', lower(d.both)::timestamp), (upper(d.both) - 1)::timestamp, interval '1 month'
         ) AS m (month)
         WHERE NOT isempty(d.both)
    ), billed AS (
        SELECT b.contract_item AS id, m.month::date AS month, bool_or(b.state = 'invoiced') AS invoiced
          FROM billing_basis b
         CROSS JOIN LATERAL generate_series(
             date_trunc('month', lower(b.valid) AT TIME ZONE 'Europe/Prague'),
             (upper(b.valid) AT TIME ZONE 'Europe/Prague') - interval '1 day', interval '1 month'
         ) AS m (month)
         WHERE b.state <> 'cancelled' AND b.service IN ('distribution', 'purchase') AND b.input IS NOT NULL
           AND b.valid && tstzrange(CAST(:first AS date)::timestamptz, (CAST(:end AS date) + 1)::timestamptz)
         GROUP BY 1, 2
    )
    SELECT c.number, payer.code AS payer, count(DISTINCT i.supply_point) AS points,
           array_agg(DISTINCT i.month) FILTER (WHERE b.id IS NULL) AS unsettled,
           array_agg(DISTINCT i.month) FILTER (WHERE NOT b.invoiced) AS settled,
           array_agg(DISTINCT i.month) FILTER (WHERE b.invoiced) AS invoiced,
           count(*) OVER () AS contracts
      FROM item_month i
      JOIN contract c ON c.id = i.contract
      JOIN party payer ON payer.id = c.payer
      LEFT JOIN billed b ON b.id = i.id AND b.month = i.month
     GROUP BY c.id, c.number, payer.code
     ORDER BY c.number
     LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class ContractEffect:
    """A contract that would be billed otherwise: its points, and the first days of its months by how far they are.

    `unsettled` will be settled by the new package; `settled` ones are replaced by an update of their bases; `invoiced`
    ones are never touched.
    """

    number: str
    payer: str
    points: int
    unsettled: Sequence[date]
    settled: Sequence[date]
    invoiced: Sequence[date]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two packages (`old` None: nothing was in force) with their differences, and the contracts that they touch.

    `contracts` is the number of all, `rows` the first of them by number.
    """

    old: Package | None
    new: Package
    differences: Sequence[Difference]
    contracts: int
    rows: Sequence[ContractEffect]


def read_package(given: bytes | Mapping[str, Any], where: str) -> Package:
    """A package from its file or decoded content, checked against this release; raises PackageInvalidError."""
    if isinstance(given, bytes):
        return load_octets(given, where, FORMULA_SHAPES)
    return load_content(dict(given), where, FORMULA_SHAPES)


def compare_with_active(connection: Connection, new: Package, limit: int) -> list[Comparison]:
    """The new package against each that is in force in its scope and time; against nothing where there is none."""
    active = [old for old in find_active(connection, new.file.scope, *new.valid) if old.checksum != new.checksum]
    if not active:
        return [compare(connection, None, new, limit)]
    return [compare(connection, old, new, limit) for old in active]


def compare(connection: Connection, old: Package | None, new: Package, limit: int) -> Comparison:
    """The differences of two packages, and the contracts and months of the registry that they touch."""
    found = [] if old is None else differences(old, new)
    rows = _touched(connection, Effect(old, new, found), new, limit)
    return Comparison(
        old,
        new,
        found,
        rows[0].contracts if rows else 0,
        [
            ContractEffect(
                row.number,
                row.payer,
                row.points,
                *(sorted(months or ()) for months in (row.unsettled, row.settled, row.invoiced)),
            )
            for row in rows
        ],
    )


def _touched(connection: Connection, effect: Effect, new: Package, limit: int) -> Sequence[Any]:
    period = {"commodity": new.commodity, "first": new.valid[0], "end": new.valid[1]}
    touched: list[tuple[Profile, Span]] = []
    for row in connection.execute(PROFILES, period):
        profile = Profile(*row)
        touched += [(profile, days) for days in effect.days(profile)]
    if not touched:
        return []
    columns = {
        "prices": [profile.operator for profile, _ in touched],
        "levels": [profile.level for profile, _ in touched],
        "rates": [profile.rate for profile, _ in touched],
        "phases": [profile.breaker_phases for profile, _ in touched],
        "amps": [profile.breaker_amperes for profile, _ in touched],
        "annual": [profile.annual_mwh for profile, _ in touched],
        "firsts": [days[0] for _, days in touched],
        "ends": [days[1] for _, days in touched],
    }
    return connection.execute(EFFECT, {**period, **columns, "limit": limit}).all()
