"""Every invoice of the demo's month against one worked out by hand from what the meters truly measured."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from lxml import etree
from sqlalchemy import text

from central.invoicing.isdoc import NAMESPACE
from central.platform.database import transaction
from deploy.demo.site import Metering, Point, build_site
from tests.system.billing.by_hand import Bill, bill
from tests.system.billing.site import POINTS, BilledSite, true_month

BILLED = (Metering.PROFILE, Metering.TWO_TARIFF, Metering.SINGLE_TARIFF, Metering.GAS)


def expected_bills() -> dict[str, tuple[Point, Bill]]:
    truth = true_month()
    return {point.id: (point, bill(truth, point)) for point in build_site().of(*BILLED)}


def isdoc_sums(content: bytes) -> tuple[Decimal, Decimal, Decimal]:
    root = etree.fromstring(content)
    names = ("LegalMonetaryTotal/{0}TaxExclusiveAmount", "TaxTotal/{0}TaxAmount", "LegalMonetaryTotal/{0}PayableAmount")
    space = f"{{{NAMESPACE}}}"
    net, vat, gross = (Decimal(str(root.findtext(space + name.format(space)))) for name in names)
    return net, vat, gross


def test_all_invoices_are_what_the_meters_and_the_prices_say(true_site: BilledSite) -> None:
    with true_site.client() as client:
        made = client.post("/v1/settlement/runs", json={"month": "2026-03"}).json()
        assert (made["settled"], made["omitted"]) == (POINTS, 0)
        assert made["checks"]["error"] == made["checks"]["warning"] == 0
        client.post(f"/v1/settlement/runs/{made['id']}/approve", json={})
        numbers = client.post("/v1/invoices", json={"run": made["id"]}).json()["invoices"]
        invoices = [client.get(f"/v1/invoices/{number}").json() for number in numbers]
        isdocs = {number: client.get(f"/v1/invoices/{number}/isdoc").content for number in numbers}
    bills = expected_bills()
    assert len(invoices) == len(bills) == POINTS
    billed_lines = 0
    for invoice in invoices:
        (ean,) = {line["ean"] for line in invoice["lines"]}
        point, wanted = bills.pop(ean)
        lines = [
            (line["rate"], Decimal(line["quantity"]), Decimal(line["amount"]))
            for line in invoice["lines"]
            if not line["information"]
        ]
        assert Counter(lines) == Counter(wanted.lines), point.name
        sums = tuple(Decimal(invoice[name]) for name in ("net", "vat", "gross"))
        assert sums == (wanted.net, wanted.vat, wanted.gross), point.name
        assert isdoc_sums(isdocs[invoice["number"]]) == sums, point.name
        if point.metering is Metering.PROFILE:
            assert maximum_of(true_site, ean) == wanted.maximum_kw
        billed_lines += len(lines)
    assert bills == {}
    assert billed_lines == made["billing_bases"]


def maximum_of(site: BilledSite, ean: str) -> Decimal:
    return Decimal(
        site.one(
            "SELECT quantities ->> 'max_quarter_hour_kw' FROM settlement_input si"
            " JOIN supply_point sp ON sp.id = si.supply_point WHERE sp.ean = :ean",
            ean=ean,
        )
    )


def test_the_month_has_its_short_days(true_site: BilledSite) -> None:
    lengths = """
        SELECT c.commodity, p.day::text, cardinality(p.values) FROM day_profile p JOIN channel c ON c.id = p.channel
         WHERE cardinality(p.values) NOT IN (96, 24) GROUP BY 1, 2, 3 ORDER BY 1
    """
    with transaction(true_site.engine) as connection:
        short = [tuple(row) for row in connection.execute(text(lengths))]
    assert short == [("electricity", "2026-03-29", 92), ("gas", "2026-03-28", 23)]
