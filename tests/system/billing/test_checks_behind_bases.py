"""Checks of what stands behind bases, on a settled month: verification of meters, readings and points known to OTE,
balance of nodes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from central.checks.bases import Scope
from central.checks.framework import Check
from central.checks.results import Told, find_results
from central.checks.run import run_checks
from central.checks.standard.accepted_by_ote import AcceptedByOte
from central.checks.standard.duplicates import Duplicates
from central.checks.standard.estimates import Estimates
from central.checks.standard.node_balance import NodeBalance
from central.checks.standard.registration import Registration
from central.checks.standard.reserved_capacity import ReservedCapacity
from central.checks.standard.verification import Verification
from central.checks.verdict import Result
from central.platform.database import transaction
from central.workflow.prepare import prepare
from deploy.stack.local import LocalStack
from tests.system.billing.site import CLERK, NOW, BilledSite, billed_site, settle_march


@pytest.fixture(scope="module")
def settled(stack: LocalStack, filled_template: str) -> Iterator[BilledSite]:
    """The model site with its March settled and all checks active; each test looks at what it changes only."""
    name = f"behind_{uuid.uuid4().hex[:12]}"
    with billed_site(stack.create_database(name, template=filled_template)) as site:
        with transaction(site.engine) as connection:
            prepare(connection, CLERK, NOW)
            settle_march(connection, site.clock)
        site.do("UPDATE check_definition SET active = true")
        yield site
    stack.drop_database(name)


def found(site: BilledSite, check: Check, bases: list[int] | None = None) -> list[Told]:
    """What the check finds over these bases, or all of the month."""
    run: int = site.one("SELECT max(id) FROM settlement_run")
    with transaction(site.engine) as connection:
        made = run_checks(connection, Scope(run=run, bases=bases), "manual", CLERK, NOW, (check,))
        assert made.parts[check.definition.number]["failed"] is None
        return find_results(connection, made.id, None, None, 0, 10_000)


def test_reserved_capacity_counts_what_is_not_checked_and_the_month_before(settled: BilledSite) -> None:
    item = settled.one("SELECT min(contract_item) FROM billing_basis WHERE rate = 5")
    mine = "SELECT id FROM billing_basis WHERE contract_item = :item AND rate = :rate"
    monthly, yearly = (settled.one(mine, item=item, rate=rate) for rate in (5, 6))
    settled.do("UPDATE billing_basis SET quantity = 0 WHERE id = :basis", basis=yearly)
    told = [each.finding for each in found(settled, ReservedCapacity(), [yearly])]
    assert [(each.subject, each.result) for each in told] == [(yearly, Result.OK), (yearly, Result.INFO)]
    assert "monthly 0.02 MW, yearly 0 MW" in told[0].text.en

    settled.do(
        """
        UPDATE billing_basis SET quantity = 30, unit = 'kW',
               valid = tstzrange('2026-02-01 Europe/Prague', '2026-03-01 Europe/Prague') WHERE id = :basis
        """,
        basis=monthly,
    )
    settled.do("UPDATE billing_basis SET quantity = 0.05 WHERE id = :basis", basis=yearly)
    told = [each.finding for each in found(settled, ReservedCapacity(), [yearly])]
    assert [each.result for each in told] == [Result.OK, Result.WARNING, Result.INFO]
    assert "The sum of 0.05 MW differs from last month's (0.03 MW)." in told[1].text.en


@pytest.mark.parametrize(
    ("kind", "valid", "judged"),
    [
        ("capacity_exempt", "[2026-03-01,2026-04-01)", False),
        ("capacity_exempt", "[2026-02-01,)", False),
        ("single_component", "[2026-03-01,)", False),
        ("capacity_exempt", "[2026-03-11,)", True),
        ("capacity_exempt", "[2026-04-01,)", True),
        ("loss", "[2026-03-01,)", True),
    ],
)
def test_reserved_capacity_is_not_expected_where_it_is_not_paid(
    settled: BilledSite, kind: str, valid: str, judged: bool
) -> None:
    basis = settled.one("SELECT max(id) FROM billing_basis WHERE rate = 6")
    settled.do(
        """
        INSERT INTO point_condition (supply_point, kind, percent, choice, source, valid)
        SELECT supply_point, :kind, CASE :kind WHEN 'loss' THEN 4 END, NULL, 'zkouška', CAST(:valid AS daterange)
          FROM billing_basis WHERE id = :basis
        """,
        kind=kind,
        valid=valid,
        basis=basis,
    )
    told = found(settled, ReservedCapacity(), [basis])
    settled.do("DELETE FROM point_condition WHERE source = 'zkouška'")
    assert (len(told) > 0) == judged


def test_reserved_capacity_is_not_expected_where_no_package_prices_it(settled: BilledSite) -> None:
    basis = settled.one("SELECT max(id) FROM billing_basis WHERE rate = 6")
    move = """
        UPDATE billing_basis
           SET valid = tstzrange(lower(valid) + CAST(:by AS interval), upper(valid) + CAST(:by AS interval))
         WHERE id = :basis
    """
    settled.do(move, basis=basis, by="3 years")
    told = found(settled, ReservedCapacity(), [basis])
    settled.do(move, basis=basis, by="-3 years")
    assert told == []


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ('{"quality": 0}', Result.OK),
        ('{"quality": 3}', Result.OK),  # power failed, clock adjusted: measured all the same
        ('{"quality": 258}', Result.WARNING),
        ('{"kind": "estimate"}', Result.WARNING),
        ('{"split": {}}', Result.WARNING),
    ],
)
def test_a_state_that_nobody_read_is_an_estimate(settled: BilledSite, state: str, expected: Result) -> None:
    basis = settled.one("SELECT min(id) FROM billing_basis WHERE rate = 13")
    kept = settled.one("SELECT measurements::text FROM billing_basis WHERE id = :basis", basis=basis)
    settled.do(
        """
        UPDATE billing_basis SET measurements = jsonb_set(measurements, '{0,periods,0,to}',
               measurements #> '{0,periods,0,to}' || CAST(:state AS jsonb)) WHERE id = :basis
        """,
        basis=basis,
        state=state,
    )
    (told,) = found(settled, Estimates(), [basis])
    restore = "UPDATE billing_basis SET measurements = CAST(:kept AS jsonb) WHERE id = :basis"
    settled.do(restore, kept=kept, basis=basis)
    assert told.finding.result is expected


BY_HAND = """
    INSERT INTO billing_basis (supply_point, contract_item, contract, customer, payer, seller, service, rate, component,
                               name, quantity, unit, unit_price, price_unit, amount, vat_percent, valid,
                               statement_type, measurements, why, state, fingerprint, reason, made_at, made_by)
    SELECT supply_point, contract_item, contract, customer, payer, seller, service, rate, 'by_hand', name, quantity,
           unit, unit_price, price_unit, amount, vat_percent, valid, 0, '[]', '{}', 'invoiced', '', 'znovu', now(),
           'test'
      FROM billing_basis WHERE id = :basis
"""


def test_what_was_invoiced_by_hand_is_no_other_thing(settled: BilledSite) -> None:
    basis = settled.one("SELECT min(id) FROM billing_basis WHERE rate = 13")
    settled.do(BY_HAND, basis=basis)
    (told,) = found(settled, Duplicates(), [basis])
    settled.do(
        "UPDATE billing_basis SET state = 'cancelled', cancelled_at = made_at, cancelled_by = 'x', cancelled_why = 'x'"
        " WHERE component = 'by_hand'"
    )
    (after,) = found(settled, Duplicates(), [basis])
    assert (told.finding.result, after.finding.result) == (Result.ERROR, Result.OK)


ANOTHER_METER = """
    -- the same again, invoiced, by channel 2147483000 first, and by those of the basis where `too`
    INSERT INTO billing_basis (supply_point, contract_item, contract, customer, payer, seller, service, rate, component,
                               name, quantity, unit, unit_price, price_unit, amount, vat_percent, valid,
                               statement_type, measurements, why, state, fingerprint, reason, made_at, made_by)
    SELECT supply_point, contract_item, contract, customer, payer, seller, service, rate, component, name, quantity,
           unit, unit_price, price_unit, amount, vat_percent, valid, 0,
           '[{"kind": "profile", "channel": 2147483000}]'::jsonb || CASE WHEN :too THEN measurements ELSE '[]' END,
           '{}', 'invoiced', '', 'znovu', now(), 'test'
      FROM billing_basis WHERE id = :basis
"""


@pytest.mark.parametrize(("too", "expected"), [(True, Result.ERROR), (False, Result.OK)])
def test_any_of_the_linked_measurements_tells_the_meter(settled: BilledSite, too: bool, expected: Result) -> None:
    basis = settled.one("SELECT min(id) FROM billing_basis WHERE rate = 13")
    settled.do(ANOTHER_METER, basis=basis, too=too)
    (told,) = found(settled, Duplicates(), [basis])
    settled.do("DELETE FROM billing_basis WHERE reason = 'znovu'")
    assert told.finding.result is expected


METERS = """
    -- meters that feed what bases were measured by
    SELECT array_agg(DISTINCT e.device ORDER BY e.device) FROM billing_basis b
     CROSS JOIN LATERAL jsonb_array_elements(b.measurements) AS m (source)
      JOIN channel_mapping g ON g.channel = (m.source ->> 'channel')::integer
      JOIN evidence_channel e ON e.id = g.evidence_channel
      JOIN meter k ON k.id = e.device
     WHERE k.commodity = :commodity
"""
VERIFY = """
    INSERT INTO meter_verification (meter, kind, verified_on, until, entered_at, entered_by)
    VALUES (:meter, 'static_direct', '2014-05-05', CAST(:until AS date), now(), 'test')
"""
UNTIL = {
    "2025-12-31": Result.ERROR,
    "2026-03-15": Result.WARNING,
    "2026-05-01": Result.WARNING,
    "2030-12-31": Result.OK,
    None: Result.OK,
}


def test_verification_of_the_meters_behind_bases(settled: BilledSite) -> None:
    expected: dict[str, Result] = {}
    for commodity in ("electricity", "gas"):
        meters = settled.one(METERS, commodity=commodity)
        for meter, (until, result) in zip(meters, UNTIL.items(), strict=False):
            settled.do(VERIFY, meter=meter, until=until)
            expected[meter] = result
    told = found(settled, Verification())
    for meter, result in expected.items():
        about = [each.finding for each in told if f"meter {meter} " in each.finding.text.en]
        assert {each.result for each in about} == {result}
        verification = settled.one("SELECT id FROM meter_verification WHERE meter = :meter", meter=meter)
        assert all(("verification", "meter_verification", verification) in each.links for each in about)
    others = {each.finding.result for each in told if not any(meter in each.finding.text.en for meter in expected)}
    assert others == {Result.INFO}


POINTS = """
    -- points with measured bases
    SELECT array_agg(DISTINCT supply_point ORDER BY supply_point) FROM billing_basis WHERE measurements <> '[]'
"""
TELL = """
    WITH duty AS (
        INSERT INTO market_duty
               (message_code, subject_kind, subject, supply_point, period, month, why, cause, state, arose_at)
        SELECT :code, 'supply_point', ean, id, CAST(:period AS daterange), '2026-03-01', :why, '{}', :duty,
               '2026-04-02T00:00:00Z'
          FROM supply_point WHERE id = :point
        RETURNING *)
    INSERT INTO market_message
           (message_id, message_code, format_package, format_digest, sender, receiver, supply_point, subject_kind,
            subject, period, version, state, xml, basis, made_at, made_by, duty)
    SELECT concat_ws('-', message_code, id, version), message_code, 'sandbox-2026', 'd', 's', 'r', supply_point,
           subject_kind, subject, period, version, message, '', '{}', made_at, 'test', id
      FROM duty CROSS JOIN unnest(CAST(:messages AS text[]), CAST(:made AS timestamptz[]))
           WITH ORDINALITY AS told (message, made_at, version)
"""
AFTER = "2026-04-02T01:00:00Z"
BEFORE = "2026-04-01T23:00:00Z"
"""An instant before the duty's present cause."""


def tell(
    site: BilledSite, point: int, duty: str, *messages: str, made: str = AFTER, code: str = "121", why: str = "month",
    period: str = "[2026-03-01,2026-04-01)",
) -> None:  # fmt: skip
    """A duty of a point in a state, with its messages."""
    given = {"point": point, "duty": duty, "messages": [*messages], "made": [made] * len(messages)}
    site.do(TELL, **given, code=code, why=why, period=period)


def test_readings_accepted_by_the_market_operator(settled: BilledSite) -> None:
    points = settled.one(POINTS)
    told: list[tuple[tuple[str, ...], str, Result]] = [
        (("done", "accepted"), AFTER, Result.OK),
        (("done", "accepted_with_reservation"), AFTER, Result.INFO),
        (("told", "sent"), AFTER, Result.WARNING),
        (("told", "saved"), AFTER, Result.WARNING),
        (("open", "rejected"), AFTER, Result.ERROR),
        (("told", "repaired", "sent"), AFTER, Result.WARNING),
        (("done", "rejected", "accepted"), AFTER, Result.OK),
        (("open", "accepted"), BEFORE, Result.WARNING),
        (("open",), AFTER, Result.WARNING),
        (("done",), AFTER, Result.INFO),
        (("waived", "rejected"), AFTER, Result.INFO),
    ]
    for point, (states, made, _) in zip(points, told, strict=False):
        tell(settled, point, *states, made=made)
    found_of = by_point(settled, found(settled, AcceptedByOte()))
    assert [found_of[point] for point in points[: len(told)]] == [{result} for _, _, result in told]
    assert {result for point in points[len(told) :] for result in found_of[point]} == {Result.INFO}


def by_point(site: BilledSite, told: list[Told]) -> dict[int, set[Result]]:
    """The results about the bases of each point."""
    points = dict(site.one("SELECT jsonb_object_agg(id, supply_point) FROM billing_basis"))
    results: dict[int, set[Result]] = {}
    for each in told:
        results.setdefault(points[str(each.finding.subject)], set()).add(each.finding.result)
    return results


TOGETHER = """
    -- what registers a point alone registers it in bulk
    UPDATE market_duty d SET message_code = '194', subject_kind = 'network', subject = 'net', supply_point = NULL,
           why = 'bulk_registration', cause = jsonb_build_object('points', jsonb_build_array(p.ean, 'another'))
      FROM supply_point p
     WHERE p.id = :point AND d.supply_point = p.id AND d.why = 'registration'
"""
PROPOSE = """
    WITH came AS (
        INSERT INTO market_inbox (received_at, person, digest, xml, outcome, why, messages)
        VALUES (now(), 'test', '', '', 'proposed', 'test', '{}') RETURNING id)
    INSERT INTO market_proposal (inbox, kind, subject, supply_point, proposed, state, why, made_at)
    SELECT came.id, 'point_change', p.ean, p.id, CAST(:proposed AS jsonb), 'waiting', 'test', now()
      FROM came, supply_point p WHERE p.id = :point
"""


def test_points_registered_at_the_market_operator(settled: BilledSite) -> None:
    points = settled.one(POINTS)
    gas = settled.one("SELECT min(id) FROM supply_point WHERE commodity = 'gas' AND id = ANY (:points)", points=points)
    alone, together, waiting, changed, another, untold, gone, *_ = [point for point in points if point != gas]
    registered = {"code": "111", "why": "registration", "period": "[2026-01-05,)"}
    tell(settled, alone, "done", "accepted", **registered)
    tell(settled, together, "open", "rejected", **registered)
    settled.do(TOGETHER, point=together)
    tell(settled, waiting, "told", "sent", **registered)
    tell(settled, changed, "done", "accepted", **registered)
    tell(settled, changed, "open", code="111", why="change", period="[2026-03-10,)")
    tell(settled, gas, "done", "accepted_with_reservation", code="XG1", why="gas_registration", period="[2026-01-05,)")
    proposed = '{"action": "change", "since": "2026-03-01", "changes": {"metering_type": {"from": "B", "to": "A"}}}'
    settled.do(PROPOSE, point=another, proposed=proposed)
    settled.do("UPDATE supply_point SET since = '2026-01-20' WHERE id = ANY (:points)", points=[untold, gone])
    settled.do("UPDATE supply_point SET state = 'ended' WHERE id = :point", point=gone)
    found_of = by_point(settled, found(settled, Registration()))
    assert [found_of[point] for point in (alone, together, waiting, changed, another, untold, gone, gas)] == [
        {Result.OK}, {Result.ERROR}, {Result.WARNING}, {Result.WARNING}, {Result.OK, Result.ERROR}, {Result.ERROR},
        {Result.ERROR}, {Result.INFO},
    ]  # fmt: skip
    others = {*points} - {alone, together, waiting, changed, another, untold, gone, gas}
    assert {result for point in others for result in found_of[point]} == {Result.OK}


INTERVALS = """
    -- channels of take-off by intervals, of points with bases
    SELECT array_agg(c.id ORDER BY c.id) FROM channel c
     WHERE c.kind = 'interval' AND c.commodity = :commodity AND c.direction IN ('A+', 'V')
       AND EXISTS (SELECT FROM billing_basis b WHERE b.supply_point = c.supply_point AND b.measurements <> '[]')
"""
NODE = """
    -- a node that a channel of its own measures: day by day a share of what the channel below it measured
    WITH place AS (INSERT INTO measuring_point (name, commodity)
                   SELECT 'MM ' || CAST(:name AS text), commodity FROM channel WHERE id = :below RETURNING *),
    hung AS (INSERT INTO logical_meter (name, measuring_point, commodity)
             SELECT 'LM ' || CAST(:name AS text), id, commodity FROM place RETURNING *),
    fed AS (INSERT INTO channel (point, direction, commodity, unit, exponent, kind, step_ms, logical_meter)
            SELECT place.name, c.direction, c.commodity, c.unit, c.exponent, c.kind, c.step_ms, hung.id
              FROM place, hung, channel c WHERE c.id = :below RETURNING *),
    kept AS (INSERT INTO day_profile
                    (channel, day, version, values, step_ms, missing, made_at, made_by, batches, digest, total)
             SELECT fed.id, p.day, 1, p.values, p.step_ms, p.missing, p.made_at, p.made_by, '{}', p.digest,
                    round(p.total * CAST(:share AS numeric))
               FROM fed, (SELECT DISTINCT ON (day) * FROM day_profile WHERE channel = :below
                           ORDER BY day, version DESC) AS p
              WHERE p.day < CAST(:until AS date)),
    tree AS (INSERT INTO collection (code, name, purpose) VALUES (:name, :name, :purpose) RETURNING id)
    INSERT INTO collection_node (collection, node, parent, channel, valid)
    SELECT tree.id, CAST(:name AS text), NULL, fed.id, '[2026-01-01,)'::daterange FROM tree, fed
     UNION ALL SELECT id, 'rozvodna', :name, NULL, '[2026-01-01,)' FROM tree
     UNION ALL SELECT id, 'byt', 'rozvodna', :below, '[2026-01-01,)' FROM tree
"""

SECOND = """
    -- what the node measures becomes a second channel of the point below it
    UPDATE channel SET supply_point = (SELECT supply_point FROM channel WHERE id = :below) WHERE point = 'MM Trafo 1'
"""


def test_balance_of_the_nodes_above_points(settled: BilledSite) -> None:
    electricity = settled.one(INTERVALS, commodity="electricity")
    gas = settled.one(INTERVALS, commodity="gas")
    nodes: list[tuple[str, int, str, str, str, Result | None]] = [
        ("Trafo 1", electricity[0], "1.01", "2026-04-01", "settlement", Result.OK),
        ("Trafo 2", electricity[1], "1.20", "2026-04-01", "settlement", Result.WARNING),
        ("Trafo 3", electricity[2], "0.90", "2026-04-01", "settlement", Result.ERROR),
        ("Trafo 4", electricity[3], "1", "2026-03-20", "settlement", Result.INFO),
        ("Evidence", electricity[4], "9", "2026-04-01", "records", None),
        ("Plyn 1", gas[0], "1.10", "2026-04-01", "settlement", Result.WARNING),
    ]
    for name, below, share, until, purpose, _ in nodes:
        settled.do(NODE, name=name, below=below, share=share, until=until, purpose=purpose)
    told = found(settled, NodeBalance())
    for name, *_, result in nodes:
        about = [each.finding for each in told if name in each.finding.text.en]
        assert {each.result for each in about} == ({result} if result is not None else set())
    assert {"of that billed 0)" in each.finding.text.en for each in told if "Trafo 1" in each.finding.text.en} == {
        False
    }
    # no bill says what each of two channels of a point measured
    settled.do(SECOND, below=electricity[0])
    told = found(settled, NodeBalance())
    assert {"of that billed 0)" in each.finding.text.en for each in told if "Trafo 1" in each.finding.text.en} == {True}
