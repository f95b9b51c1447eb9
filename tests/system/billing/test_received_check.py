"""Checks 8 and 26 with real rows: an invoice of what we bill, one of more, one basis alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from central.checks.bases import Scope
from central.checks.received_items import RATES
from central.checks.run import CheckRunMade, run_checks
from central.checks.standard import STANDARD
from central.market.answers import Brought
from central.market.incoming import take_message
from central.market.payloads.distribution_invoice import DistributionInvoices, InvoiceItem, InvoiceSubjects, VatLine
from central.platform.database import transaction
from central.workflow.prepare import prepare
from central.workflow.received import register_all
from tests.system.billing.site import CLERK, NOW, BilledSite, settle_march
from tests.system.market_desk import message
from tests.unit.central.market.content_examples import INVOICE, OPERATOR, US

HEAD = {
    "issuer": "8591824003008", "kind": "regular", "commodity": "electricity", "first_day": "2026-03-01",
    "end_day": "2026-04-01", "issued": "2026-04-05",
}  # fmt: skip
LOW_VOLTAGE = """
    SELECT array_agg(p.id) FROM (SELECT id FROM supply_point WHERE commodity = 'electricity' AND voltage_level = 'NN'
                                  ORDER BY id LIMIT 6) p
"""
EAN = "SELECT ean FROM supply_point WHERE id = :point"
OF_POINT = """
    SELECT json_agg(json_build_array(b.id, b.rate, b.amount) ORDER BY b.id) FROM billing_basis b
     WHERE b.supply_point = :point AND b.service = 'distribution' AND b.rate = ANY (:rates)
"""


def check(site: BilledSite, scope: Scope) -> CheckRunMade:
    chosen = [each for each in STANDARD if each.definition.number in {8, 26}]
    with transaction(site.engine) as connection:
        return run_checks(connection, scope, "manual", CLERK, NOW, chosen)


def test_what_was_received_is_compared_by_stock_item_and_point(site: BilledSite) -> None:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
        run = settle_march(connection, site.clock, site.one(LOW_VOLTAGE)).id
    site.do("UPDATE check_definition SET active = true WHERE number IN (8, 26)")
    one, other = site.one("""
        SELECT array_agg(p ORDER BY p) FROM (
            SELECT b.supply_point AS p FROM billing_basis b JOIN supply_point s ON s.id = b.supply_point
             WHERE s.commodity = 'electricity' AND b.service = 'distribution' AND s.voltage_level = 'NN'
             GROUP BY 1 HAVING count(*) >= 4 ORDER BY 1 LIMIT 2) x
    """)
    lines = {point: site.one(OF_POINT, point=point, rates=list(RATES)) for point in (one, other)}
    with site.client() as client:
        for point, change in ((one, Decimal(0)), (other, Decimal(2))):
            items: list[dict[str, Any]] = [
                {"description": "řádek", "rate": rate, "net": str(Decimal(str(amount)))}
                for _, rate, amount in lines[point]
            ]
            items[0]["net"] = str(Decimal(items[0]["net"]) + change)
            body = HEAD | {
                "number": f"F-{point}", "items": items, "point": site.one(EAN, point=point),
                "net": str(sum(Decimal(each["net"]) for each in items)),
            }  # fmt: skip
            assert client.post("/v1/received-invoices", json=body).status_code == 201
        made = check(site, Scope(run=run))
        assert [part["failed"] for part in made.parts.values()] == [None, None]
        verdicts = "SELECT array_agg(v.result ORDER BY v.basis) FROM basis_verdict v WHERE v.basis = ANY (:bases)"
        first, second = ([number for number, _, _ in lines[point]] for point in (one, other))
        # check 26 finds no message: a warning, the worst of both
        assert set(site.one(verdicts, bases=first)) == {3}
        assert site.one(verdicts, bases=second)[0] == 5
        assert made.parts[8]["results"]["error"] >= 1
        told = client.get(f"/v1/checks/bases/{second[0]}").json()
        assert "rozdíl 2.00 Kč je větší než 1 Kč" in str(told), told
        alone = check(site, Scope(bases=[first[0]]))
        assert alone.parts[8]["results"] == {"info": 0, "ok": 3, "warning": 0, "error_cancelled": 0, "error": 0}, (
            "the rest of the point, which the run made too, is added to the one that is checked"
        )
        again = [
            {"description": "zpět", "rate": lines[other][0][1], "net": str(-Decimal(str(lines[other][0][2])) - 2)},
            {"description": "správně", "rate": lines[other][0][1], "net": str(Decimal(str(lines[other][0][2])))},
        ]
        corrected = HEAD | {
            "number": "O-1", "kind": "correction", "corrects": f"F-{other}", "items": again, "net": "-2.00",
            "point": site.one(EAN, point=other),
        }  # fmt: skip
        assert client.post("/v1/received-invoices", json=corrected).status_code == 201
        assert check(site, Scope(bases=second)).parts[8]["results"]["error"] == 0, "the difference counts with the rest"
        component = site.one("SELECT component FROM billing_basis WHERE id = :id", id=first[0])
        own = {"code": "900", "name_cs": "vlastní", "name_en": "own", "rate": lines[one][0][1], "source": "účtárna"}
        assert client.post("/v1/stock-items", json=own | {"component": component}).status_code == 201
        check(site, Scope(bases=first))
        told = client.get(f"/v1/checks/bases/{first[0]}").json()
        assert "The stock item 900 has no OTE invoice item type. Set it." in str(told), told
        assert "Stock item 900, the point in all" in str(told), "without a type the rate's lines count"
        foreign = {**HEAD, "currency": "EUR", "number": "E-1", "point": site.one(EAN, point=other), "net": "5.00"}
        line = {"description": "v eurech", "rate": lines[other][0][1], "net": "5.00"}
        assert client.post("/v1/received-invoices", json=foreign | {"items": [line]}).status_code == 201
        check(site, Scope(bases=second))
        told = client.get(f"/v1/checks/bases/{second[0]}").json()
        assert "have no currency in common" in str(told), told
        cancelled = corrected | {
            "number": "O-2",
            "kind": "cancel",
            "corrects": f"F-{one}",
            "point": site.one(EAN, point=one),
        }
        assert client.post("/v1/received-invoices", json=cancelled).status_code == 201
        told_again = check(site, Scope(bases=first)).parts[8]["results"]
        assert (told_again["warning"], told_again["ok"]) == (len(first), 0), "nothing of a cancelled invoice is left"
        for code, more, told in (("240", 0, (1, 0)), ("127", 0, (2, 0)), ("240", 1, (2, 1))):
            bring_priced(site, code, one, more)
            results = check(site, Scope(bases=first)).parts[26]["results"]
            assert (results["info"], results["error"]) == told, code


def bring_priced(site: BilledSite, code: str, point: int, more: int) -> None:
    """An invoice by a message that has the price of our system services, `more` higher, for a MWh."""
    number = f"{code}-{more}"
    price = site.one("SELECT unit_price FROM billing_basis WHERE supply_point = :point AND rate = 15", point=point)
    net = (price + more).quantize(Decimal("0.01"))
    span = {"first_day": INVOICE.first_day, "last_day": INVOICE.last_day}
    item = InvoiceItem(
        code="SYS_SERV", description="systémové služby", **span, quantity=Decimal(1), unit="MWH",
        unit_price=price + more, net=net, vat_rate=Decimal(0),
    )  # fmt: skip
    invoice = replace(
        INVOICE, number=number, variable_symbol="1", net=net, vat=Decimal(0), gross=net, to_pay=net, items=[item],
        vat_lines=[VatLine(rate=Decimal(0), base=net, vat=Decimal(0))], advances=[], meters=[],
        subjects=InvoiceSubjects(issuer=HEAD["issuer"], recipient=US, opm=site.one(EAN, point=point)),
    )  # fmt: skip
    content = message(code, DistributionInvoices(invoices=[invoice]), number, OPERATOR)
    register_all()
    with transaction(site.engine) as connection:
        taken = take_message(connection, Brought(content), NOW, "test")
    assert taken.outcome == "applied", taken.why
