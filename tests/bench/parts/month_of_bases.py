"""Supply points with ten billing bases of a month each, the month before and the energy of a year before invoiced, a
row of the payment calendar each, and a received distribution invoice with a line for every second basis: what the
checks look at and compare with.
"""

from datetime import UTC, date, datetime
from typing import Final

import psycopg

from tests.bench.parts.behind_bases import BEHIND

MONTH: Final = date(2026, 3, 1)
NOW: Final = datetime(2026, 4, 2, tzinfo=UTC)
BASES_OF_POINT: Final = 10
LINES: Final = (
    ("reserved_capacity_month", 5, "MW", "Kč/MW/měs", "0.020", "281823"),
    ("reserved_capacity_year", 6, "MW", "Kč/MW/měs", "0.360", "252565"),
    ("use_of_networks", 7, "MWh", "Kč/MWh", "90.077", "106.22"),
    ("renewables", 8, "MWh", "Kč/MWh", "90.077", "0"),
    ("nonnetwork_infrastructure", 9, "měs", "Kč/měs", "1", "12.87"),
    ("unsolicited_reactive", 10, "MVArh", "Kč/MVArh", "0.118", "440"),
    ("energy_high", 13, "MWh", "Kč/MWh", "60.011", "2150.11"),
    ("energy_low", 14, "MWh", "Kč/MWh", "30.066", "1150.10"),
    ("system_services", 15, "MWh", "Kč/MWh", "90.077", "164.24"),
    ("power_factor", 16, "Kč", "Kč", "1", "96.11"),
)
"""Component, rate, unit, unit of the price, quantity, price. The price of one is 0: its quantity is in error."""

_STATEMENTS: Final = """
INSERT INTO party (code, name, street, city, postal_code, roles)
SELECT 'LDS', 'Operator', 'Hlavní 1', 'Brno', '602 00', ARRAY['operator']
 UNION ALL SELECT 'C' || n, 'Odběratel ' || n, 'Dlouhá ' || n, 'Brno', '602 00', ARRAY['customer']
  FROM generate_series(1, %(points)s) n;
-- every second code is of the series of the distributor that the operator is, the others tell none
UPDATE party SET ean13 = '8591824071502' WHERE code = 'LDS';
INSERT INTO supply_point
       (ean, name, object, street, city, postal_code, commodity, voltage_level, metering_type, operator, supplier)
SELECT '8591824' || lpad((n + n %% 2 * 400000000)::text, 11, '0'), 'Místo ' || n, 'Objekt ' || n / 4, 'Dlouhá ' || n,
       'Brno', '602 00',
       'electricity', CASE WHEN n %% 4 = 0 THEN 'NN' ELSE 'VN' END, 'B', (SELECT id FROM party WHERE code = 'LDS'),
       (SELECT id FROM party WHERE code = 'LDS')
  FROM generate_series(1, %(points)s) n;
INSERT INTO contract (number, kind, customer, payer, valid)
SELECT 'S/' || n, 'distribution', p.id, p.id, '[2025-01-01,)'::daterange
  FROM generate_series(1, %(points)s) n JOIN party p ON p.code = 'C' || n;
INSERT INTO contract_item
       (contract, supply_point, prices, rate, breaker_phases, breaker_amps, reserved_input_kw, valid, kind, operator)
SELECT c.id, s.id, 'CEZ', 'D25d', 3, 25, 400, '[2025-01-01,)'::daterange, 'distribution', s.operator
  FROM generate_series(1, %(points)s) n
  JOIN contract c ON c.number = 'S/' || n
  JOIN supply_point s ON s.ean = '8591824' || lpad((n + n %% 2 * 400000000)::text, 11, '0');
INSERT INTO contract_amendment (contract, number, subject, effective)
SELECT id, 1 + n, 'Dodatek', '2025-01-01'::date + n * 100 FROM contract CROSS JOIN generate_series(0, 1) n;
UPDATE contract_item i SET amendment = a.id
  FROM contract_amendment a WHERE a.contract = i.contract AND a.number = 1 AND i.id %% 100 > 0;
INSERT INTO reserved_capacity (supply_point, kind, kw, valid)
SELECT id, 'year', 360, '[2025-01-01,)' FROM supply_point;
UPDATE contract SET valid = daterange(lower(valid), '2026-03-21') WHERE id %% 1000 = 0;
INSERT INTO payment_calendar (contract, period, advance_due, regular_due, annual_due)
SELECT c.id, daterange(m::date, (m + interval '1 month')::date), false, true, false
  FROM contract c CROSS JOIN (VALUES (%(before)s::date), (%(month)s::date)) AS v (m);
INSERT INTO processing_period (month, active, active_for_checks) VALUES (%(month)s, true, false);
INSERT INTO billing_basis
       (supply_point, contract_item, contract, customer, payer, seller, service, rate, component, name, quantity, unit,
        unit_price, price_unit, amount, vat_percent, valid, statement_type, measurements, why, state, fingerprint,
        reason, made_at, made_by)
SELECT i.supply_point, i.id, c.id, c.customer, c.payer, i.operator, 'distribution', l.rate, l.component, l.component,
       l.quantity, l.unit, l.price, l.price_unit, round(l.quantity * l.price, 2), 21,
       tstzrange(m::timestamp AT TIME ZONE 'Europe/Prague',
                 (m + interval '1 month')::timestamp AT TIME ZONE 'Europe/Prague'),
       0, CASE WHEN l.rate IN (7, 13, 14) THEN jsonb_build_array(jsonb_build_object(
              'kind', 'profile', 'channel', i.supply_point, 'direction', 'A+',
              'from', m::timestamp AT TIME ZONE 'Europe/Prague',
              'to', (m + interval '1 month')::timestamp AT TIME ZONE 'Europe/Prague')) ELSE '[]' END,
       '{"mark": "documented", "formula": "per_mwh", "parameters": {"quantity": "energy_mwh"}}',
       CASE WHEN m = %(month)s THEN 'approved' ELSE 'invoiced' END, '', 'bench', %(now)s, 'bench'
  FROM contract_item i JOIN contract c ON c.id = i.contract
 CROSS JOIN (VALUES (%(before)s::date), (%(month)s::date)) AS v (m)
 CROSS JOIN unnest(%(components)s::text[], %(rates)s::integer[], %(units)s::text[], %(price_units)s::text[],
                   %(quantities)s::numeric[], %(prices)s::numeric[])
            AS l (component, rate, unit, price_unit, quantity, price)
 ORDER BY v.m, i.supply_point, l.rate;
INSERT INTO billing_basis
       (supply_point, contract_item, contract, customer, payer, seller, service, rate, component, name, quantity, unit,
        unit_price, price_unit, amount, vat_percent, valid, statement_type, measurements, why, state, fingerprint,
        reason, made_at, made_by)
SELECT supply_point, contract_item, contract, customer, payer, seller, service, rate, component, name,
       quantity * (1 + supply_point %% 10), unit, unit_price, price_unit, amount, vat_percent,
       tstzrange(lower(valid) - interval '1 year', upper(valid) - interval '1 year'), 0, '[]', '{}', 'invoiced',
       '', 'bench', %(now)s, 'bench'
  FROM billing_basis WHERE state = 'approved' AND rate IN (7, 13, 14);
INSERT INTO market_inbox (received_at, person, sender, message_id, message_code, digest, xml, outcome, why, messages)
SELECT %(now)s, 'bench', '8591824000007', 'bench', '127', ''::bytea, ''::bytea, 'applied', 'bench', '{}';
-- what DUF say of each point: every tenth has another breaker
INSERT INTO received_tariff
       (inbox, document, segment, point_code, supply_point, valid, rate, breaker_phases, breaker_amps)
SELECT (SELECT max(id) FROM market_inbox), 'DUF' || s.id, 'regular', s.ean, s.id,
       daterange(%(month)s, (%(month)s + interval '1 month')::date), 'D25d', 3,
       CASE WHEN s.id %% 10 = 0 THEN 32 ELSE 25 END
  FROM supply_point s;
INSERT INTO received_invoice
       (inbox, issuer, number, kind, point_code, supply_point, period, issued, net, problems, received_at, source,
        commodity, currency)
SELECT (SELECT max(id) FROM market_inbox), '8591824000007', 'F' || s.id, 'regular', s.ean, s.id,
       daterange(%(month)s, (%(month)s + interval '1 month')::date), %(month)s, 1, '{}', %(now)s, 'message',
       'electricity', 'CZK'
  FROM supply_point s;
INSERT INTO received_invoice_item
       (invoice, place, code, description, period, quantity, unit, unit_price, net, rate, point_code, supply_point)
SELECT r.id, l.place, c.code, 'bench', r.period, l.quantity, upper(l.unit), l.price,
       round(l.quantity * l.price, 2) + CASE WHEN r.id %% 10 = 0 THEN 2 ELSE 0 END, l.rate, r.point_code, r.supply_point
  FROM received_invoice r
 CROSS JOIN unnest(%(rates)s::integer[], %(units)s::text[], %(quantities)s::numeric[], %(prices)s::numeric[])
       WITH ORDINALITY AS l (rate, unit, quantity, price, place)
  JOIN (VALUES (7, 'DIST_USE'), (8, 'POZE'), (10, 'REACT_DELIV'), (13, 'DIST_VT'), (14, 'DIST_NT'), (15, 'SYS_SERV'))
       AS c (rate, code) ON c.rate = l.rate
 WHERE l.unit IN ('MWh', 'MVArh')
"""


def store_bases(url: str, points: int) -> None:
    """So many points with all that the checks of a month look at."""
    columns = list(zip(*LINES, strict=True))
    given = {
        "points": points, "month": MONTH, "before": date(2026, 2, 1), "now": NOW,
        "components": list(columns[0]), "rates": list(columns[1]), "units": list(columns[2]),
        "price_units": list(columns[3]), "quantities": list(columns[4]), "prices": list(columns[5]),
    }  # fmt: skip
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in f"{_STATEMENTS};\n{BEHIND}".split(";\n"):
            wanted = {name: value for name, value in given.items() if f"%({name})s" in statement}
            # without parameters a percent sign stands for itself
            connection.execute(statement.encode() if wanted else statement.replace("%%", "%").encode(), wanted or None)
        connection.execute(b"VACUUM ANALYZE")
