"""Checks of what stands on contract items and points, on real rows."""

from __future__ import annotations

from collections import Counter

from central.checks.bases import Scope
from central.checks.results import find_results
from central.checks.run import RECHECK, run_checks
from central.checks.standard.breaker import BreakerAndRate
from central.checks.standard.message_price import MessagePrice
from central.checks.standard.one_price import OnePrice
from central.checks.standard.operator_of_code import OperatorOfCode
from central.platform.database import transaction
from tests.system.billing.site import CLERK, NOW, BilledSite
from tests.system.billing.test_check_framework import check, settled

SUPERIOR_EAN = "8591824071502"


def results_of(site: BilledSite, run: int, number: int) -> dict[int, tuple[str, str]]:
    """Result and English text by basis."""
    with site.engine.connect() as connection:
        told = find_results(connection, run, None, number, 0, 100_000)
    return {each.finding.subject: (each.finding.result.key, each.finding.text.en) for each in told}


def test_the_operator_is_told_by_the_code_of_the_point(site: BilledSite) -> None:
    run = settled(site)
    site.do("UPDATE check_definition SET active = (number = 16)")
    point = site.one("SELECT min(supply_point) FROM billing_basis")
    site.do("UPDATE supply_point SET ean = '859182400611332328' WHERE id = :point", point=point)
    made = check(site, Scope(run=run), [OperatorOfCode()])
    told = results_of(site, made.id, 16)
    own = set(site.one("SELECT array_agg(id) FROM billing_basis WHERE supply_point = :point", point=point))
    assert {told[basis][0] for basis in own} == {"error"}
    assert "belongs to ČEZ Distribuce, Energie Vlčí Důl, s.r.o. is set" in told[min(own)][1]
    assert Counter(result for basis, (result, _) in told.items() if basis not in own) == {"info": made.bases - len(own)}
    site.do(
        "UPDATE contract_item SET operator = (SELECT id FROM party WHERE ean13 = :ean) WHERE supply_point = :point",
        ean=SUPERIOR_EAN,
        point=point,
    )
    again = results_of(site, check(site, Scope(run=run), [OperatorOfCode()]).id, 16)
    assert {again[basis][0] for basis in own} == {"ok"}

    # codes of a number series of ours are codes of our network, but for those beyond its range
    site.do("""
        INSERT INTO number_series (code, purpose, prefix, digits, first_number, last_number, next_number)
        VALUES ('EAN', 'ean18', '8591824006113', 4, 3200, 3232, 3200)
    """)
    told = results_of(site, check(site, Scope(run=run), [OperatorOfCode()]).id, 16)
    assert {told[basis][0] for basis in own} == {"error"}
    assert "belongs to vlastní síť" in told[min(own)][1]
    site.do("UPDATE contract_item SET operator = NULL WHERE supply_point = :point", point=point)
    told = results_of(site, check(site, Scope(run=run), [OperatorOfCode()]).id, 16)
    assert {told[basis][0] for basis in own} == {"ok"}
    site.do("UPDATE number_series SET last_number = 3231")
    told = results_of(site, check(site, Scope(run=run), [OperatorOfCode()]).id, 16)
    assert {told[basis][0] for basis in own} == {"error"}


def test_only_items_of_operators_that_are_not_ours_where_that_is_asked(site: BilledSite) -> None:
    run = settled(site)
    price = MessagePrice()
    site.do("""
        UPDATE check_definition SET active = (number = 4), parameters = '{"which": "foreign_operator"}'
         WHERE number IN (4, 6)
    """)

    def judged() -> set[int]:
        return set(results_of(site, check(site, Scope(run=run), [price]).id, 4))

    assert judged() == set(), "the one operator of the site is ours, though no network is entered"
    bought = site.one("SELECT contract_item FROM billing_basis WHERE rate = 7 ORDER BY id LIMIT 1")
    kind = """
        WITH mine AS (SELECT contract FROM contract_item WHERE id = :item),
             whole AS (UPDATE contract SET kind = :kind WHERE id = (SELECT contract FROM mine))
        UPDATE contract_item SET kind = :kind WHERE contract = (SELECT contract FROM mine)
    """
    site.do(kind, item=bought, kind="purchase")
    bases = set(site.one("SELECT array_agg(id) FROM billing_basis WHERE contract_item = :item", item=bought))
    assert judged() <= bases
    assert judged()
    site.do(kind, item=bought, kind="distribution")
    site.do("UPDATE contract_item SET operator = (SELECT id FROM party WHERE ean13 = :ean) WHERE id = :item",
            ean=SUPERIOR_EAN, item=bought)  # fmt: skip
    assert judged() <= bases
    assert judged()
    site.do("""
        INSERT INTO network_area (code, name, commodity, licensee, superior, valid)
        SELECT 'A', 'A', 'electricity', s.id, o.id, '[2020-01-01,)' FROM party s, party o
         WHERE s.ean13 = '8591824071502' AND o.id = (SELECT min(operator) FROM supply_point)
    """)
    others = judged()
    assert others
    assert not others & bases, "who holds a network is ours, and nobody else"


OWN_PRICES = """
    INSERT INTO own_price_list (code, name, commodity) VALUES ('DUM', 'Domov', 'electricity');
    INSERT INTO own_price (price_list, component, rate, price, valid, source)
    SELECT l.id, p.component, p.rate, p.price, p.valid::daterange, 'test'
      FROM own_price_list l
     CROSS JOIN (VALUES ('fixed', '', 100, '[2026-01-01,)'),
                        ('vt', '', 2000, '[2026-01-01,2026-03-16)'), ('vt', '', 2100, '[2026-03-16,)'),
                        ('nt', '', 900, '[2026-01-01,)'), ('nt', '{rate}', 950, '[2026-03-10,2026-03-20)'),
                        ('energy', '', 1500, '[2026-03-05,)')) AS p (component, rate, price, valid);
    INSERT INTO own_service (code, rate, name_cs, name_en, unit, vat_percent)
    VALUES ('ODECET', 3001, 'Odečet', 'Reading', 'měs', 21), ('VODA', 3002, 'Voda', 'Water', 'm3', 12);
    INSERT INTO own_service_price (service, price, valid, source)
    SELECT id, 10, '[2026-01-01,)', 'test' FROM own_service WHERE code = 'ODECET';
    INSERT INTO item_price_list (contract_item, price_list, valid)
    SELECT {item}, id, '[2025-06-01,)' FROM own_price_list
"""


def test_the_interval_lies_within_one_value_of_its_rate(site: BilledSite) -> None:
    run = settled(site)
    site.do("UPDATE check_definition SET active = (number = 3)")
    made = check(site, Scope(run=run), [OnePrice()])
    assert Counter(result for result, _ in results_of(site, made.id, 3).values()) == {"ok": made.bases}

    item = site.one("SELECT contract_item FROM billing_basis WHERE rate = 14 ORDER BY id LIMIT 1")
    rate = site.one("SELECT rate FROM contract_item WHERE id = :item", item=item)
    for statement in OWN_PRICES.format(item=item, rate=rate).split(";"):
        site.do(statement)
    bases = site.one("SELECT array_agg(id ORDER BY id) FROM billing_basis WHERE contract_item = :item", item=item)
    sold = [
        ("supply", 1, "ok", "one value of rate 1 (from 2026-01-01 to –)"),
        ("supply", 2, "error", "touches 2 values of rate 2; the first of them is valid to 2026-03-15"),
        # the price of the item's own rate stands in the middle of the one for any rate
        ("supply", 3, "error", "touches 3 values of rate 3"),
        ("other", 3001, "ok", "one value of rate 3001"),
        ("other", 3002, "error", "touches no value of rate 3002"),
    ]
    change = "UPDATE billing_basis SET service = :service, rate = :rate WHERE id = :basis"
    for basis, (service, code, _, _) in zip(bases, sold, strict=False):
        site.do(change, service=service, rate=code, basis=basis)
    told = results_of(site, check(site, Scope(run=run), [OnePrice()]).id, 3)
    for basis, (_, _, expected, said) in zip(bases, sold, strict=False):
        assert (told[basis][0], said in told[basis][1]) == (expected, True), told[basis]


RECORD = """
    INSERT INTO market_inbox
           (received_at, person, sender, message_id, message_code, digest, xml, outcome, why, messages)
    VALUES (now(), 't', '8591824071502', :number, '125', decode(md5(:number), 'hex'), ''::bytea, 'applied', '', '{}');
    INSERT INTO received_tariff
           (inbox, document, segment, point_code, supply_point, valid, rate, breaker_phases, breaker_amps)
    SELECT (SELECT max(id) FROM market_inbox), :number, 'regular', p.ean, p.id, '[2026-03-01,2026-04-01)', i.rate,
           i.breaker_phases, i.breaker_amps + :more
      FROM contract_item i JOIN supply_point p ON p.id = i.supply_point WHERE i.id = :item
"""


def record(site: BilledSite, item: int, number: str, more: int) -> None:
    """A DUF of the item's point that says what the item does, of a breaker larger by some amperes."""
    given = {"number": number, "more": more, "item": item}
    for statement in RECORD.split(";"):
        site.do(statement, **{name: value for name, value in given.items() if f":{name}" in statement})


def test_breaker_and_rate_against_the_billing_data_received(site: BilledSite) -> None:
    run = settled(site)
    site.do("UPDATE check_definition SET active = (number = 7)")
    item = site.one("SELECT contract_item FROM billing_basis WHERE rate = 14 ORDER BY id LIMIT 1")
    own = set(
        site.one(
            "SELECT array_agg(id) FROM billing_basis WHERE contract_item = :item AND rate IN (12, 13, 14)", item=item
        )
    )

    def results(scope: Scope) -> dict[int, tuple[str, str]]:
        return results_of(site, check(site, scope, [BreakerAndRate()]).id, 7)

    told = results(Scope(run=run))
    assert set(told) == set(site.one("SELECT array_agg(id) FROM billing_basis WHERE rate IN (12, 13, 14)"))
    assert {result for result, _ in told.values()} == {"info"}

    record(site, item, "DUF1", 0)
    with site.client() as client:
        answer = client.get(f"/v1/contract-items/{item}")
        assert (answer.json()["tariff_change"], answer.json()["received_rate"]) == (None, None)
        with transaction(site.engine) as connection:
            run_checks(connection, Scope(run=run, cancelled=True), RECHECK, CLERK, NOW, [BreakerAndRate()])
        assert client.get(f"/v1/contract-items/{item}").json()["tariff_change"] is None

        told = results(Scope(run=run))
        assert {told[basis][0] for basis in own} == {"ok"}
        assert {result for basis, (result, _) in told.items() if basis not in own} == {"info"}
        again = client.get(f"/v1/contract-items/{item}")
        assert again.headers["ETag"] == answer.headers["ETag"]
        body = again.json()
        assert (body["tariff_change"], body["tariff_change_since"]) == ("agrees", "2026-03-01")
        assert body["received_rate"] == body["rate"]
        assert float(body["received_breaker_amps"]) == body["breaker_amps"]

        record(site, item, "DUF2", 7)
        told = results(Scope(run=run))
        assert {told[basis][0] for basis in own} == {"error"}
        (differing,) = client.get("/v1/contract-items", params={"tariff_change": "differs"}).json()
        assert (differing["id"], float(differing["received_breaker_amps"])) == (item, body["breaker_amps"] + 7)


def test_other_bases_of_the_calendar_row_are_checked_too(site: BilledSite) -> None:
    settled(site)
    site.do("UPDATE check_definition SET active = (number IN (6, 7))")
    first = site.one("SELECT min(id) FROM billing_basis WHERE rate = 14")
    contract = site.one("SELECT contract FROM billing_basis WHERE id = :id", id=first)
    other = site.one("SELECT max(id) FROM billing_basis WHERE rate = 14")
    item = site.one("SELECT contract_item FROM billing_basis WHERE id = :id", id=other)
    for table, key in (("contract_item", "id"), ("billing_basis", "contract_item")):
        site.do(f"UPDATE {table} SET contract = :contract WHERE {key} = :item", contract=contract, item=item)
    site.do("""
        INSERT INTO payment_calendar (contract, period, advance_due, regular_due, annual_due)
        SELECT DISTINCT contract, daterange('2026-03-01', '2026-04-01'), false, true, false FROM billing_basis
    """)
    site.do("UPDATE billing_basis SET state = 'invoiced' WHERE contract_item = :item AND rate = 13", item=item)
    made = check(site, Scope(bases=[first]))
    assert made.parts[6]["bases"] == made.bases == 1
    told = results_of(site, made.id, 7)
    assert other in told
    walked = site.one(
        "SELECT array_agg(id) FROM billing_basis"
        " WHERE contract = :contract AND rate IN (12, 13, 14) AND state <> 'invoiced'",
        contract=contract,
    )
    assert set(told) == set(walked)
    assert site.one("SELECT count(*) FROM basis_verdict WHERE basis = :other", other=other) == 1
