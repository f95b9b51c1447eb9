"""Checks of what stands on contract items and points, on real rows."""

from __future__ import annotations

from collections import Counter

from central.checks.bases import Scope
from central.checks.results import find_results
from central.checks.standard.one_price import OnePrice
from central.checks.standard.operator_of_code import OperatorOfCode
from tests.system.billing.site import BilledSite
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
