"""What stands behind the bases of a stored month: a verified meter at each point, which feeds the channel measured, and
the month and the registration of each told to the market operator, a measured node above every fifty points."""

from typing import Final

BEHIND: Final = """
INSERT INTO concentrator (id, name, place) VALUES ('bench', 'bench', '');
INSERT INTO meter (id, serial, model, commodity, concentrator)
SELECT 'EM-' || id, id::text, 'bench', 'electricity', 'bench' FROM supply_point;
INSERT INTO measuring_point (name, commodity) SELECT 'MM-' || id, 'electricity' FROM supply_point;
INSERT INTO logical_meter (name, measuring_point, commodity)
SELECT 'LM-' || name, id, 'electricity' FROM measuring_point;
INSERT INTO evidence_channel (concentrator, device, register, unit, exponent, kind, step_ms)
SELECT 'bench', id, '1-0:1.29.0', 'Wh', 0, 'interval', 900000 FROM meter;
INSERT INTO channel
       (id, supply_point, point, direction, commodity, unit, exponent, kind, step_ms, logical_meter)
OVERRIDING SYSTEM VALUE
SELECT s.id, s.id, m.name, 'A+', 'electricity', 'Wh', 0, 'interval', 900000, l.id
  FROM supply_point s
  JOIN measuring_point m ON m.name = 'MM-' || s.id
  JOIN logical_meter l ON l.measuring_point = m.id;
INSERT INTO channel_mapping (evidence_channel, channel, valid)
SELECT e.id, s.id, '[2025-01-01T00:00:00+01:00,)'::tstzrange
  FROM supply_point s JOIN evidence_channel e ON e.device = 'EM-' || s.id;
INSERT INTO meter_verification (meter, kind, verified_on, until, entered_at, entered_by)
SELECT 'EM-' || id, 'static_direct', '2014-05-05', DATE '2026-03-01' + (id %% 4000)::integer - 40, %(now)s, 'bench'
  FROM supply_point;
INSERT INTO market_duty
       (message_code, subject_kind, subject, supply_point, period, month, why, cause, state, arose_at)
SELECT '121', 'supply_point', ean, id, '[2026-03-01,2026-04-01)'::daterange, DATE '2026-03-01', 'month', '{}'::jsonb,
       CASE id %% 100 WHEN 1 THEN 'open' WHEN 2 THEN 'told' ELSE 'done' END,
       %(now)s::timestamptz
  FROM supply_point
 UNION ALL
SELECT '111', 'supply_point', ean, id, '[2026-03-01,)'::daterange, DATE '2026-03-01', 'registration', '{}'::jsonb,
       CASE id %% 100 WHEN 3 THEN 'open' WHEN 4 THEN 'told' ELSE 'done' END, %(now)s
  FROM supply_point;
INSERT INTO market_message
       (message_id, message_code, format_package, format_digest, sender, receiver, supply_point, subject_kind, subject,
        period, version, state, xml, basis, made_at, made_by, duty)
SELECT 'M' || id, message_code, 'bench', 'bench', 's', 'r', supply_point, subject_kind, subject, period, 1,
       CASE state WHEN 'open' THEN 'rejected' WHEN 'told' THEN 'sent' ELSE 'accepted' END, '', '{}', %(now)s, 'bench',
       id
  FROM market_duty;
INSERT INTO measuring_point (name, commodity)
SELECT 'U-' || place, 'electricity' FROM (SELECT DISTINCT id / 50 AS place FROM supply_point) AS node;
INSERT INTO logical_meter (name, measuring_point, commodity)
SELECT name, id, 'electricity' FROM measuring_point WHERE name LIKE 'U-%%';
INSERT INTO channel (id, point, direction, commodity, unit, exponent, kind, step_ms, logical_meter)
OVERRIDING SYSTEM VALUE
SELECT 1000000000 + substr(name, 3)::integer, name, 'A+', 'electricity', 'Wh', 0, 'interval', 900000, id
  FROM logical_meter WHERE name LIKE 'U-%%';
INSERT INTO day_profile (channel, day, version, values, step_ms, missing, made_at, made_by, batches, digest, total)
SELECT c.id, day::date, 1, '{0}', 900000, 0, %(now)s, 'bench', '{}', '',
       below.points * 90077000::bigint / 31 * (95 + c.id %% 10) / 100
  FROM channel c
  JOIN (SELECT id / 50 AS place, count(*) AS points FROM supply_point GROUP BY 1) AS below
    ON c.id = 1000000000 + below.place
 CROSS JOIN generate_series(%(month)s::timestamp, %(month)s::timestamp + interval '30 days', '1 day') AS day;
INSERT INTO collection (code, name, purpose) VALUES ('bench', 'bench', 'settlement');
INSERT INTO collection_node (collection, node, parent, channel, valid)
SELECT k.id, point, NULL, c.id, '[2025-01-01,)' FROM collection k CROSS JOIN channel c WHERE c.id >= 1000000000;
INSERT INTO collection_node (collection, node, parent, channel, valid)
SELECT k.id, c.point, 'U-' || c.id / 50, c.id, '[2025-01-01,)' FROM collection k CROSS JOIN channel c
 WHERE c.id < 1000000000
"""
