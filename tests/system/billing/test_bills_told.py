"""Issued and cancelled bills are told to the market operator, each once."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import text

from central.invoicing.cancel import cancel_invoice
from central.market.contents import read_any
from central.market.format_package import load_package
from central.market.payloads.billing_data import BillingData
from central.market.payloads.gas_lines import lines_of
from central.platform.database import transaction
from central.workflow.telling import advances, bills, states
from central.workflow.telling.model import Window
from central.workflow.telling.tell import tell
from tests.system.billing.site import CLERK, NOW, BilledSite
from tests.system.billing.test_checks_and_invoicing import approved_run, issue_all
from tests.system.billing.test_parts_of_a_month import NEW_CUSTOMER, do_each

PACKAGE = load_package("sandbox-2026")
SINCE = date(2026, 4, 1)


def test_every_bill_is_told_and_a_cancelled_one_is_taken_back(site: BilledSite) -> None:
    issue_all(site, approved_run(site))
    with transaction(site.engine) as connection:
        tell(connection, SINCE, site.clock, CLERK, sender="8591824900017")
    electric = site.one("""
        SELECT count(DISTINCT (l.invoice, l.supply_point)) FROM invoice_line l JOIN supply_point sp
        ON sp.id = l.supply_point JOIN billing_basis b ON b.id = l.basis
        WHERE sp.commodity = 'electricity' AND b.service = 'distribution'
    """)
    assert electric > 0
    told = "SELECT count(*) FROM market_message WHERE message_code = 'XD1'"
    assert site.one(told) == electric
    number = site.one("SELECT min(split_part(subject, '/', 1)) FROM market_message WHERE message_code = 'XD1'")
    with transaction(site.engine) as connection:
        cancel_invoice(connection, number, "chybný odečet", CLERK, NOW)
    with transaction(site.engine) as connection:
        made = tell(connection, SINCE, site.clock, CLERK, sender="8591824900017")
        assert tell(connection, SINCE, site.clock, CLERK, sender="8591824900017").made == 0
    assert (made.changed, made.waived) == (0, 0)
    assert site.one(told) == electric + 1
    with transaction(site.engine) as connection:
        xml = connection.execute(
            text("SELECT xml FROM market_message WHERE message_code = 'XD1' ORDER BY id DESC LIMIT 1")
        ).scalar_one()
    (document,) = read_any(PACKAGE, bytes(xml)).payload.documents
    assert (document.segment, document.concerns, document.values) == ("cancel", number, [])
    assert (document.first_day, document.last_day) == (date(2026, 3, 1), date(2026, 3, 31))


def test_the_states_are_told_and_that_a_customer_changed(site: BilledSite) -> None:
    point = site.one("""
        SELECT min(sp.id) FROM supply_point sp JOIN contract_item ci ON ci.supply_point = sp.id
         WHERE sp.commodity = 'electricity' AND sp.voltage_level = 'NN' AND ci.kind <> 'supply'
    """)
    contract = site.one("SELECT min(contract) FROM contract_item WHERE supply_point = :point", point=point)
    other = site.one("SELECT max(id) FROM party WHERE 'customer' = ANY (roles)")
    do_each(site, NEW_CUSTOMER, contract=contract, other=other)
    issue_all(site, approved_run(site))
    with transaction(site.engine) as connection:
        found = bills.find(connection, Window(SINCE, SINCE))
    documents = [each.payload.documents[0] for each in found if isinstance(each.payload, BillingData)]
    ean = site.one("SELECT ean FROM supply_point WHERE id = :point", point=point)
    left, stays = sorted((each for each in documents if each.opm == ean), key=lambda each: each.first_day)
    assert (left.last_day, stays.first_day) == (date(2026, 3, 15), date(2026, 3, 16))
    assert left.meters and {each.reason for each in left.meters} == {"change_of_supplier"}
    assert stays.meters and {each.reason for each in stays.meters} == {"periodic"}
    with transaction(site.engine) as connection:
        tell(connection, SINCE, site.clock, CLERK, sender="8591824900017")
    assert site.one("SELECT count(*) FROM market_duty WHERE message_code = 'XD1' AND problem IS NOT NULL") == 0


def test_the_invoice_of_a_point_adds_up(site: BilledSite) -> None:
    """As under combined services: every bill of the site would satisfy what its recipient asks for."""
    issue_all(site, approved_run(site))
    site.do("UPDATE party SET ean13 = '8591824000106' WHERE id = (SELECT min(payer) FROM invoice)")
    site.do("ALTER TABLE contract_item DROP CONSTRAINT contract_item_contract_kind_fkey")
    site.do("UPDATE contract SET kind = 'framework' WHERE id IN (SELECT contract FROM billing_basis)")
    with transaction(site.engine) as connection:
        tellables = bills.find(connection, Window(SINCE, SINCE))
        tell(connection, SINCE, site.clock, CLERK, sender="8591824900017")
    assert any(each.due.code == "127" and each.payload is not None for each in tellables)
    problems = "SELECT count(*) FROM market_duty WHERE message_code = '127' AND problem NOT LIKE '%no EAN%'"
    assert site.one(problems) == 0
    assert site.one("SELECT count(*) FROM market_message WHERE message_code = '127'") > 0


def test_every_bill_of_gas_is_told_and_adds_up(site: BilledSite) -> None:
    issue_all(site, approved_run(site))
    with transaction(site.engine) as connection:
        tell(connection, SINCE, site.clock, CLERK, sender="8591824900017")
        rows = connection.execute(
            text("""
                SELECT m.xml, d.problem,
                       (SELECT sum(l.amount) FROM invoice_line l JOIN billing_basis b ON b.id = l.basis
                         WHERE l.invoice = CAST(d.cause ->> 'invoice' AS bigint) AND b.service = 'distribution'
                           AND l.supply_point = d.supply_point) AS billed
                  FROM market_duty d LEFT JOIN market_message m ON m.duty = d.id WHERE d.message_code = 'GP6'
            """)
        ).all()
    assert rows
    for row in rows:
        assert row.problem is None
        (document,) = read_any(PACKAGE, bytes(row.xml)).payload.documents
        assert sum(lines_of(document)) == document.net == row.billed


def test_the_states_of_an_approved_settlement_are_told_and_a_correction_is_a_version(site: BilledSite) -> None:
    approved_run(site)
    with transaction(site.engine) as connection:
        found = {each.due.subject.code: each for each in states.find(connection, Window(SINCE, SINCE))}
        tell(connection, SINCE, site.clock, CLERK, sender="8591824900017")
    metered = """
        SELECT count(DISTINCT sp.id) FROM supply_point sp JOIN channel c ON c.supply_point = sp.id
         WHERE sp.commodity = 'electricity' AND sp.metering_type LIKE 'C%' AND c.direction IN ('VT', 'NT', 'JT')
    """
    assert len(found) == site.one(metered) > 0
    told = "SELECT count(*) FROM market_message WHERE message_code = '122'"
    assert site.one(told) == len(found)
    assert site.one("SELECT count(*) FROM market_duty WHERE message_code = '122' AND state <> 'told'") == 0
    ean, tellable = min(found.items())
    (location,) = tellable.payload.locations  # type: ignore[union-attr]  # it has no problem
    assert {(each.day, each.reason) for each in location.meters} == {(date(2026, 3, 31), "periodic")}
    site.do("UPDATE market_message SET state = 'accepted' WHERE message_code = '122'")
    # a correction stands on another state: the same time is told again
    site.do(
        """
        UPDATE settlement_input SET readings = jsonb_set(readings, '{0,periods,0,to,value}',
               to_jsonb((readings #>> '{0,periods,0,to,value}')::bigint + 1000))
         WHERE supply_point = (SELECT id FROM supply_point WHERE ean = :ean)
        """,
        ean=ean,
    )
    with transaction(site.engine) as connection:
        again = tell(connection, SINCE, site.clock, CLERK, sender="8591824900017")
        assert (again.arose, again.changed, again.made) == (0, 1, 1)
    assert site.one("SELECT max(version) FROM market_message WHERE message_code = '122'") == 2


def send_advance(site: BilledSite) -> None:
    """An advance under combined services, of two points."""
    site.do("UPDATE party SET ean13 = '8591824000106' WHERE id = (SELECT min(payer) FROM contract)")
    site.do("UPDATE party SET ean13 = '8591824900017' WHERE 'operator' = ANY (roles)")
    site.do("ALTER TABLE contract_item DROP CONSTRAINT contract_item_contract_kind_fkey")
    site.do("UPDATE contract SET kind = 'framework'")
    for statement in ADVANCE:
        site.do(statement)


def test_an_advance_that_was_told_long_ago_stands_whatever_its_parties_are_now(site: BilledSite) -> None:
    send_advance(site)
    with transaction(site.engine) as connection:
        assert tell(connection, SINCE, site.clock, CLERK).made == 2
    site.do("UPDATE market_message SET state = 'accepted'")
    site.do("UPDATE market_duty SET state = 'done'")
    site.clock.set(site.clock.now() + timedelta(days=300))
    for ean in ("'8591824000113'", "NULL"):
        site.do(f"UPDATE party SET ean13 = {ean} WHERE id = (SELECT min(payer) FROM contract)")
        with transaction(site.engine) as connection:
            told = tell(connection, SINCE, site.clock, CLERK, far=[SINCE])
        assert (told.changed, told.waived, told.made) == (0, 0, 0)
        assert not any("advance" in problem for problem in told.problems.values())
    # what is cancelled is told of however long ago it was
    site.do("UPDATE party SET ean13 = '8591824000106' WHERE id = (SELECT min(payer) FROM contract)")
    site.do("UPDATE advance SET state = 'cancelled'")
    with transaction(site.engine) as connection:
        assert tell(connection, SINCE, site.clock, CLERK, far=[SINCE]).made == 2


def test_advances_under_combined_services_are_told_point_by_point(site: BilledSite) -> None:
    send_advance(site)
    with transaction(site.engine) as connection:
        found = advances.find(connection, Window(SINCE, SINCE))
        tell(connection, SINCE, site.clock, CLERK)
    assert [str(each.payload.invoices[0].gross) for each in found] == ["1000.00", "500.00"]  # type: ignore[union-attr]  # none has a problem
    assert site.one("SELECT count(*) FROM market_duty WHERE why = 'advance' AND state = 'told'") == 2
    assert site.one("SELECT count(*) FROM market_message WHERE message_code = '127' AND subject LIKE 'ADV1/%'") == 2
    # One left, the other did not: the advance is cancelled, what left is taken back.
    left = "(SELECT min(subject) FROM market_message WHERE message_code = '127')"
    site.do(f"UPDATE market_message SET state = 'accepted' WHERE subject = {left}")
    site.do(f"UPDATE market_duty SET state = 'done' WHERE subject = {left}")
    site.do("UPDATE advance SET state = 'cancelled'")
    with transaction(site.engine) as connection:
        tell(connection, SINCE, site.clock, CLERK)
        assert tell(connection, SINCE, site.clock, CLERK).made == 0
        rows = connection.execute(
            text("SELECT version, state, xml FROM market_message WHERE message_code = '127' ORDER BY subject, version")
        ).all()
    assert [(row.version, row.state) for row in rows] == [(1, "accepted"), (2, "saved"), (1, "repaired")]
    told, taken_back = (read_any(PACKAGE, bytes(row.xml)).payload.invoices[0] for row in rows[:2])
    assert (taken_back.gross, taken_back.net, taken_back.corrects) == (-told.gross, -told.net, "ADV1")
    # What left got no answer and was replaced: what takes it back waits until it leaves, too.
    site.do(
        f"""
        WITH replaced AS (
            UPDATE market_message SET state = 'repaired' WHERE subject = {left} AND version = 1 RETURNING id)
        INSERT INTO market_message_event (message, at, person, act, from_state, to_state, why)
        SELECT id, now(), 'test', 'expire', 'sent', 'timed_out', 'no answer' FROM replaced
        """
    )
    with transaction(site.engine) as connection:
        assert tell(connection, SINCE, site.clock, CLERK).waived == 0
    assert site.one(f"SELECT state FROM market_message WHERE subject = {left} AND version = 2") == "saved"


ADVANCE = (
    """
    INSERT INTO advance (number, contract, seller, payer, period, due, amount, vat_percent, currency, state, issued_on,
           made_at, made_by)
    SELECT 'ADV1', k.id, (SELECT min(id) FROM party WHERE 'operator' = ANY (roles)), k.payer,
           '[2026-04-01,2026-05-01)', '2026-04-15', 1500, 21, 'CZK', 'sent', '2026-04-01', now(), 'test'
      FROM contract k WHERE k.payer = (SELECT min(payer) FROM contract) ORDER BY k.id LIMIT 1
    """,
    """
    INSERT INTO advance_part (advance, supply_point, amount)
    SELECT a.id, sp.id, 1500 - 500 * row_number() OVER (ORDER BY sp.ean) FROM advance a
     CROSS JOIN (SELECT id, ean FROM supply_point WHERE commodity = 'electricity' ORDER BY ean LIMIT 2) sp
    """,
    """
    INSERT INTO receivable (kind, number, seller, payer, advance, variable_symbol, issued_on, due, amount)
    SELECT 'advance', number, seller, payer, id, '26040001', issued_on, due, amount FROM advance
    """,
)
