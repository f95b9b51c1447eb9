"""A preview and what is issued with its token; documents under a framework contract and in English; lists."""

from __future__ import annotations

from decimal import Decimal

from central.invoicing.isdoc import problems_of
from tests.system.billing.site import POINTS, BilledSite
from tests.system.billing.test_checks_and_invoicing import approved_run

NOTHING_MADE = """
    -- documents, their open items, the last number given, and contracts of which bases are invoiced
    SELECT ARRAY[(SELECT count(*) FROM invoice), (SELECT count(*) FROM receivable),
                (SELECT coalesce(sum(last), 0) FROM invoice_series),
                (SELECT count(DISTINCT contract) FROM billing_basis WHERE state = 'invoiced')]
"""
OF_PAYER = "WHERE id = (SELECT payer FROM contract WHERE number = :contract)"
OF_SELLER = """
    WHERE id = (SELECT min(b.seller) FROM billing_basis b JOIN contract c ON c.id = b.contract
                 WHERE c.number = :contract)
"""
CHANGED = (
    (
        "contract",
        "due_days = due_days + 1 WHERE number = :contract",
        "due_days = due_days - 1 WHERE number = :contract",
    ),
    ("party", f"street = street || 'x' {OF_PAYER}", f"street = left(street, -1) {OF_PAYER}"),
    ("party", f"city = city || 'x' {OF_SELLER}", f"city = left(city, -1) {OF_SELLER}"),
)
"""What is printed besides the bases: a table, its change, and back again."""


def test_what_is_previewed_is_issued_or_refused(site: BilledSite) -> None:
    run = approved_run(site)
    first, second = (
        str(number)
        for number in site.one(
            "SELECT array_agg(number ORDER BY number) FROM (SELECT DISTINCT c.number FROM billing_basis b"
            " JOIN contract c ON c.id = b.contract ORDER BY 1 LIMIT 2) first"
        )
    )
    with site.client() as client:
        assert client.post("/v1/invoices/preview", json={}).json()["code"] == "nothing_selected"
        for named in ({"payer": "nobody"}, {"contracts": [first, "SoD/none"]}, {"calendar": [10**9]}):
            unknown = client.post("/v1/invoices/preview", json=named)
            assert (unknown.status_code, "There is no" in unknown.json()["message"]) == (404, True)
        whole = client.post("/v1/invoices/preview", json={"run": run}).json()
        assert len(whole["documents"]) == POINTS
        assert site.one("SELECT count(*) FROM invoice_series") == 0
        one = client.post("/v1/invoices/preview", json={"contracts": [first]}).json()
        (document,) = one["documents"]
        assert (document["kind"], document["contracts"], document["tax_date"]) == ("regular", [first], "2026-03-31")

        # a basis changes between preview and issue
        basis = site.one(
            "SELECT min(b.id) FROM billing_basis b JOIN contract c ON c.id = b.contract"
            " WHERE c.number = :n AND b.amount > 1",
            n=first,
        )
        site.do("UPDATE billing_basis SET amount = amount + 0.01 WHERE id = :id", id=basis)
        refused = client.post("/v1/invoices", json={"contracts": [first], "token": one["token"]})
        assert (refused.status_code, refused.json()["code"]) == (409, "changed_since_preview")
        assert site.one(NOTHING_MADE) == [0, 0, 0, 0]
        site.do("UPDATE billing_basis SET amount = amount - 0.01 WHERE id = :id", id=basis)
        # and so it is with whatever else is printed: terms of payment, language, both parties
        for table, change, back in CHANGED:
            site.do(f"UPDATE {table} SET {change}", contract=first)
            refused = client.post("/v1/invoices", json={"contracts": [first], "token": one["token"]})
            assert (refused.status_code, refused.json()["code"]) == (409, "changed_since_preview"), table
            site.do(f"UPDATE {table} SET {back}", contract=first)
        payer = site.one("SELECT p.code FROM contract c JOIN party p ON p.id = c.payer WHERE c.number = :n", n=first)
        for language, status in (("en", 409), ("cs", 201)):
            assert client.put(f"/v1/invoices/languages/{payer}", json={"language": language}).status_code == 204
            assert site.one(NOTHING_MADE) == [0, 0, 0, 0]
            issued = client.post("/v1/invoices", json={"contracts": [first], "token": one["token"]})
            assert issued.status_code == status, issued.text
        assert issued.json()["invoices"] == ["2600000001"]
        invoice = client.get("/v1/invoices/2600000001").json()
        assert (invoice["gross"], invoice["payable"]) == (document["gross"], document["payable"])
        assert sum(Decimal(line["amount"]) for line in invoice["lines"]) == Decimal(invoice["net"])
        assert site.one("SELECT amount FROM receivable WHERE number = '2600000001'") == Decimal(invoice["payable"])

        # a number of the series that somebody has used already
        site.do("UPDATE invoice SET number = '2600000002'")
        used = client.post("/v1/invoices", json={"contracts": [second]})
        assert (used.status_code, used.json()["code"]) == (409, "number_used")
        assert site.one(NOTHING_MADE) == [1, 1, 1, 1]  # what was issued before, and the series as it was left
        site.do("UPDATE invoice SET number = '2600000001'")

        payer = site.one(
            "SELECT p.code FROM contract c JOIN party p ON p.id = c.payer WHERE c.number = :number", number=second
        )
        assert client.put(f"/v1/invoices/languages/{payer}", json={"language": "en"}).status_code == 204
        assert client.put("/v1/invoices/languages/nobody", json={"language": "en"}).status_code == 404
        (number,) = client.post("/v1/invoices", json={"contracts": [second]}).json()["invoices"]
        assert site.one("SELECT language FROM invoice WHERE number = :number", number=number) == "en"
        page = client.get("/v1/invoices/overview", params={"kind": "regular", "sort": "-number"})
        assert [row["number"] for row in page.json()] == ["2600000002", "2600000001"]
        assert page.headers["X-Total-Count"] == "2"

        # a whole invoice is taken back: nothing waits to be invoiced again, and both documents name each other
        waiting = site.one("SELECT count(*) FROM billing_basis WHERE state = 'approved'")
        done = client.post("/v1/invoices/2600000001/cancel", json={"reason": "Chybný převod"})
        assert done.status_code == 201, done.text
        assert done.json()["invoices"] == ["2640000001"]
        storno = client.get("/v1/invoices/2640000001").json()
        assert (storno["kind"], storno["document_type"], storno["reason"]) == ("cancelling", 2, "Chybný převod")
        assert Decimal(storno["gross"]) == -Decimal(invoice["gross"])
        assert storno["original"]["number"] == "2600000001"
        cancelled = client.get("/v1/invoices/2600000001").json()
        assert (cancelled["state"], cancelled["followed_by"][0]["number"]) == ("cancelled", "2640000001")
        assert site.one("SELECT sum(amount) FROM receivable WHERE number IN ('2600000001', '2640000001')") == 0
        # nothing was paid of it: the credit note took it off, so nobody is reminded of it and nothing is given back
        assert site.one("SELECT count(*) FROM receivable WHERE number IN ('2600000001', '2640000001') AND is_open") == 0
        assert site.one("SELECT rule FROM allocation") == "correction"
        assert site.one("SELECT count(*) FROM billing_basis WHERE state = 'approved'") == waiting
        assert problems_of(client.get("/v1/invoices/2640000001/isdoc").content) == []
        trace = client.get("/v1/invoices/2640000001/lines/1/trace").json()
        assert trace["related"]["original"]["invoice"] == "2600000001"
        assert trace["run"]["id"] == run
        back = client.get(f"/v1/invoices/2600000001/lines/{trace['related']['original']['line']}/trace").json()
        assert [each["invoice"] for each in back["related"]["followed_by"]] == ["2640000001"]
        for number in ("2600000001", "2640000001"):
            again = client.post(f"/v1/invoices/{number}/cancel", json={"reason": "Znovu"})
            assert again.status_code == 409, again.text
        assert client.post("/v1/invoices/2699999999/cancel", json={"reason": "Nic"}).status_code == 404
