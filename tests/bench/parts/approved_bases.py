"""Approved bases of a made-up site, put into the database by sets: three settled months, the last one to be invoiced.

What a settlement run writes is written here without settling, because this benchmark measures what comes after it.
"""

from datetime import UTC, date, datetime

from sqlalchemy import Connection, text

AT = datetime(2026, 4, 1, 6, tzinfo=UTC)
MONTHS = (date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1))
LINES = 9

RUN = text("""
    INSERT INTO settlement_run (number, period, statement, scope, state, packages, digest, made_at, made_by,
                                approved_at, approved_by)
    VALUES (to_char(CAST(:month AS date), 'YYYY-MM') || '/1',
            daterange(CAST(:month AS date), (CAST(:month AS date) + interval '1 month')::date),
            'regular', '{}', 'approved', '[]', 'bench', :at, 'bench', :at, 'bench')
    RETURNING id
""")

INPUTS = text("""
    INSERT INTO settlement_input (run, supply_point, contract_item, statement_type, valid, approved, package, facts,
                                  digest, quantities, profiles, readings, information, findings)
    SELECT :run, sp.id, ci.id, 0,
           tstzrange(CAST(:month AS timestamp) AT TIME ZONE 'Europe/Prague',
                     (CAST(:month AS timestamp) + interval '1 month') AT TIME ZONE 'Europe/Prague'),
           true, 'bench 1',
           jsonb_build_object(
               'period', jsonb_build_array(:month, (CAST(:month AS date) + interval '1 month')::date),
               'supply_point', jsonb_build_object(
                   'id', sp.id, 'ean', sp.ean, 'name', sp.name,
                   'address', jsonb_build_array(sp.street, sp.postal_code, sp.city),
                   'commodity', 'electricity', 'level', 'NN', 'metering_type', 'C4'),
               'contract', jsonb_build_object('id', c.id, 'number', c.number,
                                              'customer', jsonb_build_object('id', c.customer)),
               'item', jsonb_build_object('rate', 'C25d', 'breaker_phases', 3, 'breaker_amps', 25),
               'channels', jsonb_build_array(jsonb_build_object('mappings', jsonb_build_array(jsonb_build_object(
                   'evidence_channel', sp.id, 'serial', sp.id::text, 'multiplier', 1))))),
           'bench', jsonb_build_object('energy_mwh', to_char(0.1 + sp.id % 97 / 50.0, 'FM990.000')), '[]',
           (SELECT jsonb_agg(jsonb_build_object(
                       'kind', 'state', 'direction', direction, 'exponent', 0, 'periods', jsonb_build_array(
                           jsonb_build_object('factor', 1, 'from', jsonb_build_object(
                               'evidence_channel', sp.id, 'at', CAST(:month AS date) || 'T00:00:00+00:00',
                               'value', 1000000 + sp.id, 'exponent', 0, 'batch', 1),
                           'to', jsonb_build_object(
                               'evidence_channel', sp.id, 'at', CAST(:month AS date) || 'T23:00:00+00:00',
                               'value', 1200000 + sp.id, 'exponent', 0, 'batch', 1)))))
              FROM unnest(ARRAY['VT', 'NT']) direction),
           jsonb_build_array(jsonb_build_object(
               'rate', 8, 'component', 'poze', 'name', 'Podpora elektřiny z podporovaných zdrojů (POZE)',
               'quantity', '0.400', 'unit', 'MWh', 'unit_price', '0', 'price_unit', 'Kč/MWh',
               'source', 'Cenový výměr ERÚ č. 15/2025', 'mark', 'documented', 'assumptions', jsonb_build_array())),
           '[]'
      FROM contract_item ci
      JOIN contract c ON c.id = ci.contract AND c.kind <> 'framework'
      JOIN (SELECT DISTINCT ON (contract) contract, id FROM contract_item ORDER BY contract, id) one ON one.id = ci.id
      JOIN supply_point sp ON sp.id = ci.supply_point
     ORDER BY sp.ean LIMIT :count
""")

BASES = text("""
    INSERT INTO billing_basis (run, input, supply_point, contract_item, contract, customer, payer, seller, service,
                               rate, component, name, quantity, unit, unit_price, price_unit, amount, vat_percent,
                               valid, statement_type, measurements, why, state, fingerprint, made_at, made_by)
    SELECT :run, si.id, si.supply_point, si.contract_item, c.id, c.customer, c.payer,
           (SELECT operator FROM supply_point WHERE id = si.supply_point), 'distribution',
           line.rate, 'bench', line.name, line.quantity, line.unit, line.price, 'Kč/' || line.unit,
           round(line.quantity * line.price, 2), 21, si.valid, 0, '[]',
           jsonb_build_object('text', 'bench', 'mark', 'documented',
                              'price', jsonb_build_object('source', 'Cenový výměr ERÚ č. 13/2025', 'example', false)),
           'approved', 'bench', :at, 'bench'
      FROM settlement_input si
      JOIN contract_item ci ON ci.id = si.contract_item
      JOIN contract c ON c.id = ci.contract
     CROSS JOIN (VALUES (12, 'Jistič', 25.0, 'A', 12.34), (13, 'Distribuované množství VT', 0.432, 'MWh', 2143.55),
                        (14, 'Distribuované množství NT', 1.204, 'MWh', 312.41),
                        (15, 'Systémové služby', 1.636, 'MWh', 164.24), (7, 'Použití sítí', 1.636, 'MWh', 106.22),
                        (9, 'Provoz nesíťové infrastruktury', 1.0, 'měs', 12.87),
                        (10, 'Jalová energie', 0.2, 'MVArh', 440.0), (5, 'Měsíční kapacita', 0.05, 'MW', 281823.0),
                        (6, 'Roční kapacita', 0.3, 'MW', 252565.0))
           AS line (rate, name, quantity, unit, price)
     WHERE si.run = :run
""")


def put_approved(connection: Connection, count: int) -> int:
    """Settle `count` contracts for three months; the run of the last one, whose bases wait to be invoiced."""
    run = 0
    for month in MONTHS:
        run = connection.execute(RUN, {"month": month, "at": AT}).scalar_one()
        connection.execute(INPUTS, {"run": run, "month": month, "count": count})
    connection.execute(BASES, {"run": run, "at": AT})
    return run
