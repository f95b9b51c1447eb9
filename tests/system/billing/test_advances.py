"""Advances of a contract through the API on a real database: prescribed, sent, paid, taxed, released and deducted."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from email.message import EmailMessage
from typing import Any

import pytest
from sqlalchemy import text

from central.invoicing.advances.deductions import deduct, plan_for, settle_period, undo_deductions
from central.invoicing.delivery.post import post_once
from central.invoicing.isdoc import problems_of
from central.invoicing.numbering import NumberSeries
from central.platform.database import transaction
from central.platform.errors import Refused
from central.platform.hooks import HOOKS
from central.workflow.prepare import prepare
from shared.testing import ManualClock
from tests.system.billing.site import CLERK, NOW, BilledSite
from tests.system.billing.test_checks_and_invoicing import approved_run, issue_all

D = Decimal
WHY = {"why": "zálohy na rok 2026"}

CONTRACT = """
    SELECT c.number FROM contract c JOIN contract_item ci ON ci.contract = c.id
      JOIN supply_point sp ON sp.id = ci.supply_point
     WHERE sp.commodity = 'electricity' AND sp.point_type = 'consumption' GROUP BY c.id
    HAVING count(DISTINCT sp.id) = 1 ORDER BY c.number LIMIT 1
"""


SOLD_AND_COUNTED = """
    WITH billed AS (
        SELECT ci.id, ci.supply_point FROM contract_item ci JOIN contract c ON c.id = ci.contract
         WHERE c.number = :number),
    service AS (
        INSERT INTO own_service (code, rate, name_cs, name_en, unit, vat_percent)
        VALUES ('KANAL', 3003, 'Podle kanálu', 'By channel', 'kWh', 12) RETURNING id),
    price AS (
        INSERT INTO own_service_price (service, price, source, valid)
        SELECT id, 0.01, 'ceník', '[2026-01-01,)' FROM service),
    list AS (
        INSERT INTO own_price_list (code, name, commodity) VALUES ('NN', 'Ceník NN', 'electricity') RETURNING id),
    prices AS (
        INSERT INTO own_price (price_list, component, rate, price, source, valid)
        SELECT id, component, '', price, 'ceník', '[2026-01-01,)'
          FROM list, (VALUES ('fixed', 90), ('energy', 3000), ('vt', 3100), ('nt', 2400)) AS p (component, price)),
    alone AS (
        INSERT INTO contract (number, kind, customer, payer, valid, statement_months, advance_months, advance_amount)
        SELECT 'ZVLAST', 'supply', customer, payer, '[2026-01-01,)'::daterange, 12, 1, 1000 FROM contract
         WHERE number = :number RETURNING id),
    item AS (
        INSERT INTO contract_item (contract, supply_point, prices, valid, kind)
        SELECT alone.id, billed.supply_point, 'CEZ', '[2026-01-01,)', 'supply' FROM alone, billed
        RETURNING id),
    listed AS (
        INSERT INTO item_price_list (contract_item, price_list, valid)
        SELECT item.id, list.id, '[2026-01-01,)' FROM item, list)
    INSERT INTO contract_service (contract_item, service, quantity, channel, valid)
    SELECT billed.id, service.id, 'channel', (SELECT min(ch.id) FROM channel ch JOIN supply_point sp
                                                ON sp.id = ch.supply_point
                                               WHERE ch.direction = 'A+' AND ch.kind = 'interval'
                                                 AND sp.voltage_level = 'VN' AND sp.point_type = 'consumption'),
           '[2026-01-01,)'
      FROM billed, service
"""
"""Beside the network contract one for supply alone, and a service that is counted by the channel of another point."""


def prescribed_contract(site: BilledSite, client: Any) -> str:
    """A contract with monthly advances of 1000 Kč from January to December 2026."""
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
    number: str = site.one(CONTRACT)
    site.do(
        "UPDATE contract SET statement_months = 12, advance_months = 1, advance_amount = 1000 WHERE number = :number",
        number=number,
    )
    site.do("UPDATE contract SET valid = daterange('2026-01-01', upper(valid)) WHERE number = :number", number=number)
    site.do(
        "UPDATE contract_item SET valid = daterange('2026-01-01', upper(valid)) "
        "WHERE contract = (SELECT id FROM contract WHERE number = :number)",
        number=number,
    )
    body = {"start": "2026-01-01", "end": "2027-01-01", **WHY}
    assert client.post(f"/v1/contracts/{number}/calendar/generate", json=body).status_code in (200, 201)
    return number


def ok(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def pay(site: BilledSite, advances: list[int], amount: Decimal, payment: int, on: date) -> None:
    """What the room of payments says when a payment is matched: the same sum for each advance."""
    with transaction(site.engine) as connection:
        allocations = [
            {"allocation": payment * 100 + place, "advance": each, "payment": payment, "received_on": on,
             "amount": amount}
            for place, each in enumerate(advances)
        ]  # fmt: skip
        HOOKS.publish(connection, "payment.allocated", {"allocations": allocations, "person": CLERK, "at": NOW})


def release(site: BilledSite, allocations: list[int]) -> None:
    with transaction(site.engine) as connection:
        rows = [{"allocation": each, "advance": 0} for each in allocations]
        HOOKS.publish(connection, "payment.released", {"allocations": rows, "person": CLERK, "at": NOW})


def test_a_year_of_advances_is_asked_for_paid_taxed_and_deducted_to_the_last_haler(site: BilledSite) -> None:
    run = approved_run(site)
    invoice_number = issue_all(site, run).numbers[0]
    invoice = site.one("SELECT id FROM invoice WHERE number = :number", number=invoice_number)
    with site.client() as client:
        number = prescribed_contract(site, client)
        order = {"since": "2026-01-01", "until": "2027-01-01", "contracts": [number]}
        made = ok(client.post("/v1/advances/prescribe", json=order))
        assert made == {"made": 12, "kept": 0, "removed": 0, "left_alone": 0}
        assert ok(client.post("/v1/advances/prescribe", json=order))["kept"] == 12
        sent = ok(client.post("/v1/advances/send", json={"until": "2026-07-01", "contracts": [number]}), 201)
        assert sent["advances"] == [f"265{place:07d}" for place in range(1, 7)]

        # the second half changes by an amendment; what was sent stays
        site.do(
            "UPDATE payment_calendar SET advance_amount = 1500 WHERE contract = "
            "(SELECT id FROM contract WHERE number = :number)",
            number=number,
        )
        again = ok(client.post("/v1/advances/prescribe", json=order))
        assert again == {"made": 6, "kept": 0, "removed": 6, "left_alone": 6}
        rows = ok(client.get(f"/v1/advances?contract_number={number}"))
        assert [row["amount"] for row in rows] == ["1000.00"] * 6 + ["1500.00"] * 6
        assert site.one("SELECT sum(amount) FROM receivable WHERE kind = 'advance'") == D("6000.00")
        ids = [row["id"] for row in rows]
        parts = ok(client.get(f"/v1/advances/{ids[0]}"))["parts"]
        assert [part["amount"] for part in parts] == ["1000.00"]

        # one payment for two advances is one tax document; a part of an advance leaves it open
        pay(site, ids[:2], D("1000.00"), 1, date(2026, 2, 14))
        pay(site, ids[2:3], D("400.00"), 2, date(2026, 3, 16))
        pay(site, ids[3:4], D("1000.00"), 3, date(2026, 4, 16))
        documents = ok(client.get("/v1/advances/documents"))
        assert [(each["number"], each["net"], each["vat"], each["tax_date"]) for each in documents] == [
            ("2660000001", "1652.89", "347.11", "2026-02-14"),  # 2000 x 21 / 121 = 347.107
            ("2660000002", "330.58", "69.42", "2026-03-16"),
            ("2660000003", "826.45", "173.55", "2026-04-16"),
        ]
        states = [row["state"] for row in ok(client.get(f"/v1/advances?contract_number={number}"))]
        assert states[:5] == ["paid", "paid", "sent", "paid", "sent"]

        # a payment taken back is credited
        release(site, [300])
        credit = ok(client.get("/v1/advances/documents?document_type=6"))[0]
        assert (credit["number"], credit["gross"], credit["vat"]) == ("2670000001", "-1000.00", "-173.55")
        assert ok(client.get(f"/v1/advances/{ids[3]}"))["state"] == "sent"
        papers = [f"/v1/advances/{ids[0]}", "/v1/advances/documents/2660000001", "/v1/advances/documents/2670000001"]
        # papers say what held when they were issued, though parties and points are others when they are first asked for
        payer = site.one("SELECT code FROM party WHERE id = (SELECT payer FROM advance WHERE id = :id)", id=ids[0])
        site.do("UPDATE party SET name = name || ' (nový)', street = 'Nová 1'")
        site.do("UPDATE supply_point SET name = name || ' (nový)', street = 'Nová 1'")
        ok(client.put(f"/v1/invoices/languages/{payer}", json={"language": "en"}), 204)
        assert site.one("SELECT count(*) FROM advance_face") == 1
        site.do("UPDATE advance_document SET face = NULL WHERE number = '2660000002'")
        today = client.get("/v1/advances/documents/2660000002/isdoc").content  # from before faces were kept
        assert today.count("(nový)".encode()) >= 2
        for path, kind in zip(papers, ("4", "5", "6"), strict=True):
            isdoc = client.get(f"{path}/isdoc").content
            assert problems_of(isdoc) == []
            assert not any(word.encode() in isdoc for word in ("(nový)", "Nová", "Advance", "received"))
            assert f"<DocumentType>{kind}</DocumentType>".encode() in isdoc
            assert client.get(f"{path}/isdoc").content == isdoc
            assert client.get(f"{path}/pdf").content.startswith(b"%PDF-")
        ok(client.put(f"/v1/invoices/languages/{payer}", json={"language": "cs"}), 204)
        assert client.get(f"/v1/advances/{ids[8]}/pdf").status_code == 404
        refused = client.post(f"/v1/advances/{ids[2]}/cancel", json=WHY)
        assert (refused.status_code, refused.json()["code"]) == (409, "advance_paid")
        ok(client.post(f"/v1/advances/{ids[3]}/cancel", json=WHY), 204)

        _leave(site, client)
        sides = site_sides(site, ids[0])
        with transaction(site.engine) as connection:
            planned = plan_for(connection, [sides["contract"]], sides["seller"], sides["payer"], date(2027, 1, 1), None)
            assert [(each.number, each.gross, each.vat) for each in planned] == [
                ("2660000001", D("1000.00"), D("173.56")),
                ("2660000001", D("1000.00"), D("173.55")),
                ("2660000002", D("400.00"), D("69.42")),
            ]
            assert deduct(connection, invoice, planned, CLERK, NOW) == D("2400.00")
            assert not plan_for(
                connection, [sides["contract"]], sides["seller"], sides["payer"], date(2027, 1, 1), None
            )
            # Where the same act cancels the statement, what that one had deducted is there for the one in its place.
            given_back = {each.deposit: (-each.gross, -each.vat) for each in planned}
            where = ([sides["contract"]], sides["seller"], sides["payer"], date(2027, 1, 1))
            assert plan_for(connection, *where, None, given_back) == planned
            changed = settle_period(
                connection, [sides["contract"]], sides["seller"], sides["payer"], date(2027, 1, 1),
                "roční vyúčtování", CLERK, NOW,
            )  # fmt: skip
            assert changed == 11
        states = [row["state"] for row in ok(client.get(f"/v1/advances?contract_number={number}"))]
        assert states == ["deducted"] * 3 + ["cancelled"] * 9
        assert site.one("SELECT count(*) FROM receivable WHERE kind = 'advance' AND is_open") == 0
        assert site.one("SELECT sum(deducted) FROM advance_deposit WHERE released_on IS NULL") == D("2400.00")

    for kind, series, used in (("advance", "265", "2650000001"), ("advance_tax", "266", "2660000001")):
        with pytest.raises(Refused, match=f"The number {used} "), transaction(site.engine) as connection:
            connection.execute(text("UPDATE invoice_series SET last = 0 WHERE series = :series"), {"series": series})
            NumberSeries(connection, kind, NOW.date()).take(1)
    with pytest.raises(Refused, match=r"a statement has deducted 1000\.00 Kč"):
        release(site, [100])
    with transaction(site.engine) as connection:
        assert undo_deductions(connection, invoice, "chybné vyúčtování", CLERK, NOW) == D("2400.00")
        assert undo_deductions(connection, invoice, "chybné vyúčtování", CLERK, NOW) == D("0.00")
    assert site.one("SELECT count(*) FROM advance WHERE state = 'paid'") == 3


def _leave(site: BilledSite, client: Any) -> None:
    """The request of an advance and the tax document of a received one go by mail, what waits is printed."""
    sent: list[EmailMessage] = []

    class Box:
        def send(self, message: EmailMessage) -> str:
            sent.append(message)
            return "250"

    site.do("UPDATE party SET email = 'platce@example.cz' WHERE id = (SELECT payer FROM advance LIMIT 1)")
    body = {"kind": "mail", "numbers": ["2650000001", "2660000001"]}
    assert ok(client.post("/v1/deliveries", json=body), 201) == {"queued": 2, "left_out": []}
    assert post_once(site.engine, ManualClock(NOW), Box(), "a@example.cz") == 2
    assert [message["Subject"] for message in sent] == ["Doklad č. 2650000001", "Doklad č. 2660000001"]
    for number, message in zip(body["numbers"], sent, strict=True):
        files = {part.get_filename() for part in message.iter_attachments()}
        assert files == {f"{number}.pdf", f"{number}.isdoc"}
    again = ok(client.post("/v1/deliveries", json=body), 201)
    assert [each["reason"] for each in again["left_out"]] == ["It is sent already."] * 2
    queued = ok(client.post("/v1/deliveries", json={"kind": "print", "sort": "advances"}), 201)["queued"]
    asked = "SELECT count(*) FROM advance WHERE state = 'sent' AND number <> '2650000001'"
    assert queued == site.one(asked)
    if queued:
        batch = ok(client.post("/v1/print-batches"), 201)
        assert client.get(f"/v1/print-batches/{batch['batch']}/pdf").content.startswith(b"%PDF")
    listed = ok(client.get("/v1/deliveries?kind=mail&state=sent"))
    assert sorted(row["number"] for row in listed) == body["numbers"]


def site_sides(site: BilledSite, advance: int) -> dict[str, int]:
    with transaction(site.engine) as connection:
        query = text("SELECT contract, seller, payer FROM advance WHERE id = :id")
        return dict(connection.execute(query, {"id": advance}).mappings().one())


def test_what_cannot_be_asked_for_is_refused_in_a_sentence(site: BilledSite) -> None:
    with site.client() as client:
        none = client.post("/v1/advances/send", json={"until": "2026-07-01"})
        assert (none.status_code, none.json()["code"]) == (409, "nothing_to_send")
        empty = client.post("/v1/advances/prescribe", json={"since": "2026-07-01", "until": "2026-07-01"})
        assert (empty.status_code, empty.json()["code"]) == (422, "period")
        unknown = client.post(
            "/v1/advances/prescribe", json={"since": "2026-01-01", "until": "2026-07-01", "contracts": ["nikdo"]}
        )
        assert (unknown.status_code, "nikdo" in unknown.json()["message"]) == (404, True)
        assert client.get("/v1/advances/999").status_code == 404


def test_advances_are_proposed_from_last_year_and_the_plan_and_put_into_the_calendar(site: BilledSite) -> None:
    site.do(SOLD_AND_COUNTED, number=site.one(CONTRACT))
    approved_run(site)  # March 2026
    with site.client() as client:
        number = prescribed_contract(site, client)
        order = {"contract": number, "start": "2027-01-01", "spread": "expected"}
        proposal = ok(client.post("/v1/advance-proposals", json=order))
        points = {point["month"]: point for point in proposal["points"]}
        assert (len(points), points["2027-03-01"]["source"], points["2027-04-01"]["source"]) == (
            12, "last_year", "load_profile",
        )  # fmt: skip
        march = site.one(
            "SELECT sum(b.amount) FROM billing_basis b JOIN contract c ON c.id = b.contract WHERE c.number = :number",
            number=number,
        )
        # without the law of 2027 its months are priced by that of 2026: March comes to what March was billed
        assert points["2027-03-01"]["prices_of"] == "2026-03-01"
        assert D(points["2027-03-01"]["net"]) == march
        counted = site.one("SELECT quantity FROM billing_basis WHERE component = 'service:KANAL'")
        assert counted > 0
        assert D(points["2027-03-01"]["quantities"]["service:KANAL"]) == counted
        # a month that is not known has as much a day: 30 of April to 31 of March
        april = (counted * 30 / 31).quantize(D("0.001"))
        assert D(points["2027-04-01"]["quantities"]["service:KANAL"]) == april
        # supply alone is a bill of its own, of the same energy
        supplied = ok(client.post("/v1/advance-proposals", json={**order, "contract": "ZVLAST"}))
        (alone,) = (point for point in supplied["points"] if point["month"] == "2027-03-01")
        sold = "SELECT sum(b.amount) FROM billing_basis b JOIN contract c ON c.id = b.contract WHERE c.number = :number"
        assert D(alone["net"]) == site.one(sold, number="ZVLAST") > 0
        assert alone["quantities"] == {
            name: value for name, value in points["2027-03-01"]["quantities"].items() if not name.startswith("service")
        }
        amounts = [D(each["amount"]) for each in proposal["advances"]]
        assert len(amounts) == 12
        assert all(amount % 10 == 0 for amount in amounts)
        assert D(proposal["gross"]) <= sum(amounts) < D(proposal["gross"]) + 120

        body = {**order, **WHY, "digest": proposal["digest"]}
        assert ok(client.post("/v1/advance-proposals/accept", json=body)) == {"rows": 12}
        rows = ok(client.get(f"/v1/contracts/{number}/calendar"))
        assert [D(row["advance_amount"]) for row in rows if row["start"] >= "2027-01-01"] == amounts
        # a March milder than normal: in a normal one all of it would be a quarter more
        days = [{"month": "2026-03-01", "normal": "500", "actual": "400", "source": "vlastní měření"}]
        ok(client.put("/v1/advances/degree-days", json=days), 204)
        assert ok(client.get("/v1/advances/degree-days"))[0]["actual"] == "400.0"
        colder = ok(client.post("/v1/advance-proposals", json={**order, "heating_share": "1"}))["points"]
        normal = next(each for each in colder if each["month"] == "2027-03-01")["quantities"]["energy_mwh"]
        used = D(points["2027-03-01"]["quantities"]["energy_mwh"])
        assert D(normal) == (used * D("1.25")).quantize(D("0.001"))

        stale = client.post("/v1/advance-proposals/accept", json={**body, "digest": "sha256:" + "0" * 64})
        assert (stale.status_code, stale.json()["code"]) == (409, "proposal_changed")
        middle = client.post("/v1/advance-proposals", json={**order, "start": "2027-01-02"})
        assert (middle.status_code, middle.json()["code"]) == (422, "start")
        late = client.post("/v1/advance-proposals", json={**order, "start": "2199-01-01"})
        assert late.status_code == 409, late.text
