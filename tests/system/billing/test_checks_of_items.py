"""Checks of what stands on contract items and points, on real rows."""

from __future__ import annotations

from collections import Counter

from central.checks.bases import Scope
from central.checks.results import find_results
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
