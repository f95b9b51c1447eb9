"""Reports over the real database through the API: made, filled, typed in, closed, filed, told, accepted, reopened."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from central.market import messages
from central.market.contents import read_any
from central.market.duties import settle_answered
from central.market.format_package import load_package
from central.market.states import Act
from central.market.tables import market_message
from central.platform.database import transaction
from central.settlement.runs import approve_run
from central.workflow.prepare import prepare
from central.workflow.telling import reports as told_reports
from central.workflow.telling.model import Window
from deploy.stack.local import LocalStack
from tests.system.billing.site import CLERK, MONTH, NOW, READER_TOKEN, BilledSite, billed_site, settle_march

OPERATOR = "28409001"
D = Decimal
WHY = {"why": "podle faktury nadřazené soustavy"}


@dataclass(frozen=True)
class Desk:
    """The model site with its March settled and approved, and the API over it: one for all tests of this file."""

    site: BilledSite
    client: TestClient


@pytest.fixture(scope="module")
def desk(stack: LocalStack, filled_template: str) -> Iterator[Desk]:
    name = f"reports_{uuid.uuid4().hex[:12]}"
    with billed_site(stack.create_database(name, template=filled_template)) as site:
        site.validate()
        with transaction(site.engine) as connection:
            prepare(connection, CLERK, NOW)
            approve_run(connection, settle_march(connection, site.clock).id, CLERK, NOW)
        with site.client() as client:
            client.app.state.settings.market_since = MONTH  # type: ignore[attr-defined]  # the stubs do not know the app
            yield Desk(site, client)
    stack.drop_database(name)


@pytest.fixture(autouse=True)
def stands_at_april(desk: Desk) -> None:
    desk.site.clock.set(NOW)


def made(client: TestClient, definition: str, period: str) -> str:
    reply = client.post("/v1/reports", json={"definition": definition, "operator": OPERATOR, "period": period})
    assert reply.status_code == 201, reply.text
    assert all(cell["value"] is None for cell in reply.json()["cells"])
    return f"/v1/reports/{reply.json()['id']}"


def values(body: dict[str, Any]) -> dict[tuple[str, str], Decimal | None]:
    return {
        (cell["row"], cell["column"]): None if cell["value"] is None else D(cell["value"]) for cell in body["cells"]
    }


def test_a_monthly_report_from_the_meters_to_the_accepted_message(desk: Desk) -> None:
    settled, client = desk.site, desk.client
    sums = """
        SELECT sum(m.value * 10.0 ^ m.exponent) / 1000000 FROM channel_month m JOIN supply_point s ON s.ean = m.ean
         WHERE m.month = '2026-03-01' AND m.direction = :direction AND s.point_type = ANY (:types)
    """
    came = settled.one(sums, direction="A+", types=["entry"])
    generated = settled.one(sums, direction="A-", types=["production", "consumption"])
    households = settled.one("""
        SELECT sum((i.quantities ->> 'energy_mwh')::numeric) FROM settlement_input i
          JOIN supply_point s ON s.id = i.supply_point WHERE s.category = 'household'
    """)
    address = made(client, "lds_consumption", "2026-03")
    assert client.post(f"{address}/close").json()["code"] == "report_state"
    filled = client.post(f"{address}/fill").json()
    found = {row: value for (row, _), value in values(filled).items()}
    assert found["01"] == round(came, 5)
    assert found["02"] == round(generated, 5)
    assert found["06"] == round(households, 5)
    assert found["03"] == found["09"] == 0
    first = found["01"] + found["02"] - sum(found[row] for row in ("04", "05", "06", "08"))  # type: ignore[operator, misc]  # no cell is empty
    assert found["11"] == first
    assert client.post(f"{address}/fill").json()["differences"] == []

    typed = client.put(f"{address}/cells/03/energy", json={"value": "1.5", **WHY}).json()
    assert values(typed)["11", "energy"] == first + D("1.5")
    assert values(client.post(f"{address}/fill").json())["03", "energy"] == D("1.5")
    for body, sentence in (
        ({"value": "NaN"}, "finite"),
        ({"value": "1e400"}, "digits"),
        ({"value": "1.234567"}, "has 6 decimal places, expected at most 5"),
        ({"value": -1}, "is -1, expected 0 or more"),
    ):
        refused = client.put(f"{address}/cells/01/energy", json={**body, **WHY})
        assert (refused.status_code, sentence in refused.text) == (422, True), refused.text
    unknown = client.put(f"{address}/cells/10/energy", json={"value": 1, **WHY})
    assert (unknown.status_code, "has no cell '10'" in unknown.text) == (422, True)

    # a silent meter's value is not known: the report cannot be closed until a person says what it is
    settled.do(
        "UPDATE settlement_input SET approved = false WHERE supply_point = (SELECT id FROM supply_point WHERE ean ="
        " '859182400941700101')"
    )
    again = client.post(f"{address}/fill").json()
    assert {each["row"]: each["after"] for each in again["differences"]} == {"06": None, "11": None}
    refused = client.post(f"{address}/close")
    assert (refused.status_code, "row 06, column energy, row 11, column energy" in refused.text) == (409, True)
    client.put(f"{address}/cells/06/energy", json={"value": str(found["06"]), **WHY})
    client.put(f"{address}/cells/08/energy", json={"value": None, **WHY})
    client.put(f"{address}/cells/11/energy", json={"value": None, **WHY})
    closed = client.post(f"{address}/close")
    assert closed.json()["state"] == "closed", closed.text
    assert client.put(f"{address}/cells/01/energy", json={"value": 1, **WHY}).status_code == 409

    lines = list(csv.reader(io.StringIO(client.get(f"{address}/file").text.lstrip("\ufeff")), delimiter=";"))
    by_row = {line[0]: line[5] for line in lines[1:]}
    assert (by_row["03"], by_row["07"], by_row["08"]) == ("1,5", "0,00000", "")
    sheet = openpyxl.load_workbook(io.BytesIO(client.get(f"{address}/file?format=xlsx&style=iso").content)).active
    assert sheet is not None
    cells = {line[0]: line[5] for line in sheet.iter_rows(values_only=True)}
    assert (cells["03"], cells["07"], cells["08"]) == (1.5, 0, None)

    preview = client.get(f"{address}/message")
    (told,) = read_any(load_package("sandbox-2026"), preview.content).payload.reports
    rows = {row.section: row.value_mwh for row in told.rows}
    assert (told.month, told.version, rows["input_neighbours"], rows["output_neighbours"]) == (
        MONTH,
        1,
        D("1.5"),
        0,
    )
    assert (rows["output_superior"], rows["consumption_households"]) == (None, found["06"])

    message = tell_and_accept(settled, client)
    assert message.subject_kind == "network"
    (told,) = read_any(load_package("sandbox-2026"), bytes(message.xml)).payload.reports
    assert {row.section: row.value_mwh for row in told.rows} == rows
    assert client.get(address).json()["state"] == "sent"
    # reopened, the month is undone until the new version is closed and accepted
    newer = client.post(f"{address}/reopen", json=WHY)
    assert (newer.status_code, newer.json()["version"], newer.json()["state"]) == (201, 2, "filled")
    assert client.get(address).json()["state"] == "replaced"
    duty = tell(client)
    assert (duty["state"], duty["problem"]) == ("open", f"The report {newer.json()['id']} is filled, not closed.")
    address = f"/v1/reports/{newer.json()['id']}"
    client.post(f"{address}/cells/08/energy/cancel", json=WHY)
    assert client.post(f"{address}/close").status_code == 200
    assert tell_and_accept(settled, client).version == 2
    listed = client.get("/v1/reports", params={"definition": "lds_consumption", "sort": "version"}).json()
    assert [(each["version"], each["state"]) for each in listed] == [(1, "replaced"), (2, "sent")]
    done = [each["act"].removeprefix("report.") for each in client.get(f"{address}/history").json()]
    assert done[:5] == ["send", "close", "cancel_override", "reopen", "send"]
    assert done[-1] == "make"


def tell(client: TestClient) -> dict[str, Any]:
    reply = client.post("/v1/market/tell")
    assert reply.status_code == 200, reply.text
    (duty,) = client.get("/v1/market/duties", params={"message_code": "277", "month": "2026-03-01"}).json()
    assert (duty["subject_kind"], duty["month"], duty["why"]) == ("network", "2026-03-01", "lds_report")
    return dict(duty)


def tell_and_accept(site: BilledSite, client: TestClient) -> Any:
    """The message of the closed report, after it was sent and accepted, and another pass."""
    assert tell(client)["state"] == "told"
    with transaction(site.engine) as db:
        query = (
            select(market_message)
            .where(market_message.c.message_code == "277")
            .order_by(market_message.c.version.desc())
        )
        message = db.execute(query).first()
        assert message is not None
        now = site.clock.now()
        messages.move(db, message.id, Act.SEND, now, "test", "sent", sent_at=now)
        messages.move(db, message.id, Act.ACCEPT, now, "test", "answered", answered_at=now, reasons=[])
        settle_answered(db, [message.id])
    assert tell(client)["state"] == "done"
    return message


def test_continuity_and_tariffs_of_a_year(desk: Desk) -> None:
    settled, client = desk.site, desk.client
    settled.clock.set(datetime(2027, 1, 4, 9, tzinfo=UTC))
    settled.do("""
        WITH o AS (
            INSERT INTO outage (planned, cause, valid, recorded_at, recorded_by)
            SELECT planned, 'zkouška', tstzrange(CAST(f AS timestamptz), CAST(t AS timestamptz)), now(), 'test'
              FROM (VALUES (false, '2026-05-03 10:00Z', '2026-05-03 11:30Z'),
                           (true, '2026-06-01 08:00Z', '2026-06-01 12:00Z'),
                           (false, '2026-07-01 08:00Z', '2026-07-01 08:03Z'),
                           (false, '2025-12-31 22:59Z', '2026-01-01 09:00Z'))
                   AS given (planned, f, t) RETURNING id)
        INSERT INTO outage_point SELECT o.id, p.id, 'hand' FROM o CROSS JOIN measuring_point p
         WHERE p.name IN ('859182400941700026', '859182400941700101', '859182400941700118')
    """)
    address = made(client, "continuity", "2026")
    body = client.post(f"{address}/fill").json()
    found = values(body)
    customers = found["customers", "system"]
    assert customers == settled.one(
        "SELECT count(*) FROM supply_point WHERE point_type = 'consumption' AND commodity = 'electricity'"
    )
    # three customers were hit for 90 minutes, and by planned work for 240
    assert found["unplanned.interruptions", "system"] == 1
    assert found["unplanned.saifi", "system"] == round(3 / customers, 4)
    assert found["unplanned.saidi", "system"] == round(270 / customers, 2)
    assert (found["unplanned.caidi", "system"], found["planned.caidi", "system"]) == (90, 240)
    assert (found["all.interruptions", "VN"], found["all.saifi", "VVN"]) == (2, None)
    assert client.post(f"{address}/close").status_code == 200
    assert client.get(f"{address}/message").json()["code"] == "report_without_message"
    assert client.post(f"{address}/send", json=WHY).json()["state"] == "sent"

    address = made(client, "tariff_statistics", "2026")
    found = values(client.post(f"{address}/fill").json())
    lines = "SELECT sum({}) FROM billing_basis WHERE service = 'distribution' AND rate < 1000"
    assert found["total", "amount"] == settled.one(lines.format("amount"))
    assert found["D25d", "nt"] == settled.one(
        lines.format("b.quantity")
        .replace("billing_basis", "billing_basis b JOIN contract_item i ON i.id = b.contract_item")
        .replace("rate <", "b.rate <")
        + " AND i.rate = 'D25d' AND component = 'energy_nt'"
    )
    assert found["total", "points"] == customers
    assert found["other", "points"] == 0


def test_a_report_of_one_area_is_of_its_points_and_is_closed_only_if_its_message_is_valid(desk: Desk) -> None:
    settled, client = desk.site, desk.client
    flat = "859182400941700118"
    settled.do(
        """
        WITH area AS (
            INSERT INTO network_area (code, name, commodity, licensee, superior, valid)
            SELECT 'LDS-VLCI-DUL-SIDLISTE-SEVER', 'Sídliště', 'electricity', l.id, s.id, '[2020-01-01,)'
              FROM party l, party s WHERE l.code = :operator AND s.code <> l.code ORDER BY s.id LIMIT 1 RETURNING id)
        UPDATE supply_point SET area = area.id FROM area WHERE ean = ANY (:points)
        """,
        operator=OPERATOR,
        points=["859182400941700019", flat],
    )
    order = {"definition": "lds_consumption", "operator": OPERATOR, "period": "2026-03"}
    made_of_area = client.post("/v1/reports", json={**order, "area": "LDS-VLCI-DUL-SIDLISTE-SEVER"})
    address = f"/v1/reports/{made_of_area.json()['id']}"
    found = {row: value for (row, _), value in values(client.post(f"{address}/fill").json()).items()}
    consumed = settled.one(
        "SELECT (quantities ->> 'energy_mwh')::numeric FROM settlement_input i JOIN supply_point s"
        " ON s.id = i.supply_point WHERE ean = :ean",
        ean=flat,
    )
    assert (found["06"], found["02"], found["04"], found["05"]) == (round(consumed, 5), 0, 0, 0)
    assert found["01"] is not None
    assert found["01"] > 0
    refused = client.post(f"{address}/close")
    assert (refused.status_code, refused.json()["code"]) == (409, "report_wrong")
    assert "LDS-VLCI-DUL-SIDLISTE-SEVER" in refused.text
    settled.do("UPDATE network_area SET code = 'LDS-SEVER'")
    assert client.post(f"{address}/close").status_code == 200
    (told,) = read_any(load_package("sandbox-2026"), client.get(f"{address}/message").content).payload.reports
    assert told.area == "LDS-SEVER"
    # its definition is not the one that it was made by: it is not told, and stops nothing
    settled.do("UPDATE report SET definition_digest = 'x' WHERE area IS NOT NULL")
    assert client.get(address).json()["code"] == "definition_changed"
    assert "was made by another definition lds_consumption 1" in owed(desk, "LDS-SEVER")[3]
    settled.do("UPDATE report SET definition_version = 9 WHERE area IS NOT NULL")
    assert client.get(address).json()["code"] == "definition_not_found"
    settled.do("UPDATE report SET state = 'discarded' WHERE area IS NOT NULL")


def test_what_is_asked_wrongly_is_said_and_a_network_that_reports_owes_every_month(desk: Desk) -> None:
    client = desk.client
    order = {"definition": "lds_consumption", "operator": OPERATOR, "period": "2026-02"}
    for change, status, code in (
        ({"definition": "nothing"}, 404, "definition_not_found"),
        ({"operator": "nobody"}, 404, "operator_not_found"),
        ({"operator": "28410009"}, 404, "operator_not_found"),
        ({"area": "LDS99"}, 404, "area_not_found"),
        ({"period": "2026"}, 422, "period"),
        ({"period": "2026-04"}, 409, "period_not_over"),
        ({"period": "2019-12"}, 422, "period"),
    ):
        refused = client.post("/v1/reports", json={**order, **change})
        assert (refused.status_code, refused.json()["code"]) == (status, code), refused.text
    number = client.post("/v1/reports", json=order).json()["id"]
    second = client.post("/v1/reports", json=order)
    assert (second.status_code, second.json()["code"]) == (409, "report_exists")
    assert client.get(f"/v1/reports/{number}/message").json()["code"] == "report_not_closed"
    cancelled = client.post(f"/v1/reports/{number}/cells/01/energy/cancel", json=WHY)
    assert (cancelled.status_code, cancelled.json()["code"]) == (409, "not_overridden")
    assert client.get("/v1/reports/999").status_code == 404
    rows = client.get("/v1/reports/definitions/lds_consumption").json()["rows"]
    assert [row["code"] for row in rows if row["section"]] == [row["code"] for row in rows]
    assert len(client.get("/v1/reports/definitions").json()) == 3
    reader = {"Authorization": f"Bearer {READER_TOKEN}"}
    assert client.post("/v1/reports", json=order, headers=reader).status_code == 403
    assert client.get(f"/v1/reports/{number}", headers=reader).status_code == 200

    assert owed(desk)[2] == f"The report {number} is made, not closed."
    desk.site.do("UPDATE report SET state = 'discarded' WHERE lower(period) = '2026-03-01'")
    assert "has no report lds_consumption for 2026-03: make it." in owed(desk)[3]
    assert client.post(f"/v1/reports/{number}/discard", json=WHY).json()["state"] == "discarded"
    assert 2 not in owed(desk)


def owed(desk: Desk, network: str | None = None) -> dict[int, str]:
    """By month: what stands in the way of a network's report that is due on 2 April."""
    with transaction(desk.site.engine) as db:
        found = told_reports.find(db, Window(date(2026, 1, 1), date(2026, 4, 2)))
    return {each.due.first_day.month: each.problem or "" for each in found if network in (None, each.due.subject.code)}
