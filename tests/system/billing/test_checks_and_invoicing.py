"""From approved bases through the checks to issued invoices, their documents and the trace, on a real database."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest
from lxml import etree
from sqlalchemy import text

from central.checks.cancelling import cancel_errors
from central.checks.settings import PreventInvoicing, set_prevent_invoicing
from central.invoicing import rendering
from central.invoicing.isdoc import NAMESPACE, problems_of
from central.invoicing.issue import Issued, issue_invoices
from central.platform.database import transaction
from central.platform.errors import Refused
from central.settlement.runs import approve_run
from central.workflow.prepare import prepare
from tests.system.billing.site import CLERK, NOW, POINTS, READER_TOKEN, SETTLER_TOKEN, BilledSite, settle_march

NUMBERS = [f"26{number:08d}" for number in range(1, POINTS + 1)]


def approved_run(site: BilledSite) -> int:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
        run = settle_march(connection, site.clock).id
        approve_run(connection, run, CLERK, NOW)
    return run


def issue_all(site: BilledSite, run: int, **options: Any) -> Issued:
    with transaction(site.engine) as connection:
        return issue_invoices(connection, run, CLERK, NOW, **options)


def break_one_price(site: BilledSite) -> int:
    """Put a zero price under one basis, as a faulty price list would; returns the basis."""
    basis: int = site.one("SELECT min(id) FROM billing_basis WHERE rate = 12")
    site.do("UPDATE billing_basis SET unit_price = 0, amount = 0 WHERE id = :basis", basis=basis)
    return basis


def set_prevention(site: BilledSite, value: PreventInvoicing) -> None:
    with transaction(site.engine) as connection:
        set_prevent_invoicing(connection, value, CLERK, NOW)


def test_one_invoice_a_point_numbered_without_holes(site: BilledSite) -> None:
    run = approved_run(site)
    issued = issue_all(site, run)
    assert issued.numbers == NUMBERS
    assert issued.left_out == []
    assert issued.checks["error"] == issued.checks["warning"] == 0
    assert issued.checks["ok"] + issued.checks["info"] == site.one("SELECT count(*) FROM billing_basis")
    assert site.one("SELECT array_agg(DISTINCT state) FROM billing_basis") == ["invoiced"]
    assert site.one("SELECT sum(net) FROM invoice") == site.one("SELECT sum(amount) FROM billing_basis")
    assert site.one("SELECT count(*) FROM invoice WHERE vat <> round(net * 0.21, 2)") == 0
    sums = """
        SELECT count(*) FROM invoice i
         WHERE net <> (SELECT sum(amount) FROM invoice_line l WHERE l.invoice = i.id)
    """
    assert site.one(sums) == 0
    assert site.one("SELECT count(*) FROM invoice_line WHERE information AND rate = 8") == POINTS - 1
    assert site.one("SELECT array_agg(DISTINCT due_date - issue_date) FROM invoice") == [14]
    assert site.one("SELECT min(tax_date)::text || max(tax_date)::text FROM invoice") == "2026-03-312026-03-31"
    with pytest.raises(Refused, match="no basis left to invoice"):
        issue_all(site, run)


def test_every_isdoc_keeps_the_schema_and_tells_the_invoice(site: BilledSite) -> None:
    issue_all(site, approved_run(site))
    with transaction(site.engine) as connection:
        rows = connection.execute(
            text("SELECT i.number, i.gross, f.content FROM invoice i JOIN invoice_file f ON f.invoice = i.id"
                 " WHERE f.kind = 'isdoc'")
        ).all()  # fmt: skip
    assert len(rows) == POINTS
    for row in rows:
        assert problems_of(row.content) == []
        root = etree.fromstring(row.content)
        assert root.findtext(f"{{{NAMESPACE}}}ID") == row.number
        payable = root.findtext(f"{{{NAMESPACE}}}LegalMonetaryTotal/{{{NAMESPACE}}}PayableAmount")
        assert Decimal(str(payable)) == row.gross


def test_an_invoice_may_carry_all_points_of_a_payer(site: BilledSite) -> None:
    payers = site.one("SELECT count(DISTINCT payer) FROM contract c JOIN contract_item ci ON ci.contract = c.id")
    site.do("UPDATE contract SET payer = (SELECT min(payer) FROM contract)")
    issued = issue_all(site, approved_run(site), grouping="payer")
    assert payers > 1
    assert issued.numbers == ["2620000001"]
    assert site.one("SELECT kind FROM invoice") == "collective"
    assert site.one("SELECT count(DISTINCT supply_point) FROM invoice_line") == POINTS
    assert site.one("SELECT max(line_no) = count(*) FROM invoice_line") is True


def test_an_error_leaves_its_point_out_until_it_is_cancelled(site: BilledSite) -> None:
    run = approved_run(site)
    basis = break_one_price(site)
    issued = issue_all(site, run)
    assert len(issued.numbers) == POINTS - 1
    assert [entry["basis"] for entry in issued.left_out] == [basis]
    assert "jednotková cena je nulová" in issued.left_out[0]["reason"]
    with pytest.raises(Refused, match=r"left out for an error \(1\)"):
        issue_all(site, run)
    with transaction(site.engine) as connection:
        cancel_errors(connection, [basis], CLERK, NOW)
    again = issue_all(site, run)
    assert again.numbers == [NUMBERS[-1]]
    verdict = "SELECT result || ' ' || cancelled_by FROM basis_verdict WHERE basis = :basis"
    assert site.one(verdict, basis=basis) == "4 Fakturantka"


def test_an_error_can_forbid_the_whole_invoicing(site: BilledSite) -> None:
    run = approved_run(site)
    basis = break_one_price(site)
    set_prevention(site, PreventInvoicing.FORBID)
    with pytest.raises(Refused, match=f"1 bases and 0 calendar rows are in error. basis {basis} of"):
        issue_all(site, run)
    assert site.one("SELECT count(*) FROM invoice") == 0
    assert site.one("SELECT count(*) FROM invoice_series") == 0


def test_an_error_can_be_let_through(site: BilledSite) -> None:
    run = approved_run(site)
    break_one_price(site)
    set_prevention(site, PreventInvoicing.DO_NOT)
    assert issue_all(site, run).numbers == NUMBERS


def test_a_failure_in_the_middle_leaves_neither_holes_nor_halves(
    site: BilledSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = approved_run(site)
    rendered = rendering.render_pdf
    count = 0

    def fail_at_the_tenth(document: Any, isdoc: bytes) -> bytes:
        nonlocal count
        count += 1
        if count == 10:
            raise OSError("no space left on device")
        return rendered(document, isdoc)

    with monkeypatch.context() as patched:
        patched.setattr(rendering, "render_pdf", fail_at_the_tenth)
        with pytest.raises(OSError, match="no space left"):
            issue_all(site, run)
    assert count == 10
    assert site.one("SELECT (SELECT count(*) FROM invoice) + (SELECT count(*) FROM invoice_file)") == 0
    assert site.one("SELECT array_agg(DISTINCT state) FROM billing_basis") == ["approved"]
    assert issue_all(site, run).numbers == NUMBERS


def test_two_issuers_at_once_issue_everything_once(site: BilledSite) -> None:
    run = approved_run(site)
    outcomes: list[int | str] = []

    def issue_it() -> None:
        try:
            outcomes.append(len(issue_all(site, run).numbers))
        except Refused as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=issue_it) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == [str(POINTS), "nothing_to_invoice"]
    assert site.one("SELECT last FROM invoice_series") == POINTS


def test_the_interface_from_bases_to_the_meter(site: BilledSite) -> None:
    run = approved_run(site)
    with site.client() as client:
        checked = client.post("/v1/checks/runs", json={"run": run}).json()
        assert checked["results"]["error"] == 0
        assert checked["results"]["ok"] > POINTS
        assert len(client.get(f"/v1/checks/runs/{checked['id']}/log").json()) == checked["bases"]
        results = client.get("/v1/checks/results", params={"result": "ok"}).json()
        assert {entry["check"] for entry in results} == {6}

        answer = client.post("/v1/invoices", json={"run": run})
        assert answer.status_code == 201, answer.text
        assert answer.json()["invoices"] == NUMBERS
        assert len(client.get("/v1/invoices", params={"month": "2026-03"}).json()) == POINTS
        assert client.get("/v1/invoices", params={"month": "2026-02"}).json() == []
        assert client.get("/v1/invoices", params={"month": "March"}).status_code == 422
        assert client.get("/v1/invoices/2699999999").status_code == 404
        assert client.get("/v1/invoices/2699999999/pdf").status_code == 404
        pdf = client.get(f"/v1/invoices/{NUMBERS[0]}/pdf")
        assert (pdf.content[:5], pdf.headers["content-type"]) == (b"%PDF-", "application/pdf")
        assert problems_of(client.get(f"/v1/invoices/{NUMBERS[0]}/isdoc").content) == []
    with site.client(READER_TOKEN) as reader:
        assert reader.post("/v1/invoices", json={"run": run}).status_code == 403
        assert reader.get(f"/v1/invoices/{NUMBERS[0]}").status_code == 200


def test_who_may_settle_but_not_invoice_issues_nothing(site: BilledSite) -> None:
    with site.client(SETTLER_TOKEN) as settler:
        made = settler.post("/v1/settlement/runs", json={"month": "2026-03"}).json()
        assert settler.post(f"/v1/settlement/runs/{made['id']}/approve", json={}).status_code == 200
        refused = settler.post("/v1/invoices", json={"run": made["id"]})
    assert refused.status_code == 403
    assert "Zúčtovatelka lacks the right 'invoice'" in refused.json()["message"]
    with site.client("unknown-token-0123456789") as stranger:
        assert stranger.post("/v1/invoices", json={"run": made["id"]}).status_code == 401
    assert site.one("SELECT (SELECT count(*) FROM invoice) + (SELECT count(*) FROM invoice_series)") == 0
    with site.client() as clerk:
        assert clerk.post("/v1/invoices", json={"run": made["id"]}).status_code == 201
    acts = "SELECT jsonb_object_agg(act, person) FROM audit WHERE act LIKE 'settlement.%' OR act LIKE 'invoice.%'"
    assert site.one(acts) == {
        "settlement.run": "Zúčtovatelka",
        "settlement.approve": "Zúčtovatelka",
        "invoice.issue": CLERK.name,
    }
    assert site.one("SELECT array_agg(DISTINCT issued_by) FROM invoice") == [CLERK.name]


def test_new_bases_are_checked_at_once(site: BilledSite) -> None:
    with site.client() as client:
        made = client.post("/v1/settlement/runs", json={"month": "2026-03"}).json()
    assert made["checks"] == {"info": 0, "ok": made["billing_bases"], "warning": 0, "error_cancelled": 0, "error": 0}
    assert site.one("SELECT array_agg(kind || ' ' || bases) FROM check_run") == [f"automatic {made['billing_bases']}"]
    assert site.one("SELECT count(*) FROM basis_verdict") == made["billing_bases"]


def test_what_is_not_documented_is_marked_wherever_it_is_seen(site: BilledSite) -> None:
    run = approved_run(site)
    issue_all(site, run)
    unsure = (
        "SELECT DISTINCT component || ' ' || (why ->> 'mark') FROM billing_basis WHERE why ->> 'mark' <> 'documented'"
    )
    assert sorted(site.one(f"SELECT array_agg(told) FROM ({unsure}) AS found (told)")) == [
        "gas_capacity_year example",
        "gas_energy example",
        "unsolicited_reactive inferred",
    ]
    with site.client() as client:
        number, place = lines_of(client, "unsolicited_reactive", site)
        line = client.get(f"/v1/invoices/{number}").json()["lines"][place - 1]
        trace = client.get(f"/v1/invoices/{number}/lines/{place}/trace").json()
        isdoc = client.get(f"/v1/invoices/{number}/isdoc").content.decode()
        taken_over = "Cena 440 Kč/MVArh je převzatá hodnota (zdroj: Cenové rozhodnutí ERÚ pro rok 2021)"
        assert line["mark"] == trace["why"]["mark"] == "inferred"
        assert taken_over in line["assumptions"][0]["text"]
        assert taken_over in isdoc
        assert trace["why"]["rounding"]["reactive_mvarh"] == {"step": "0.001", "mark": "assumed"}
        (power_factor,) = [entry for entry in trace["inputs"]["findings"] if entry["component"] == "power_factor"]
        assert power_factor["mark"] == "inferred"
        assert "Mez je převzatá hodnota" in power_factor["text"]

        number, place = lines_of(client, "gas_energy", site)
        line = client.get(f"/v1/invoices/{number}").json()["lines"][place - 1]
        assert [entry["mark"] for entry in line["assumptions"]] == ["example", "assumed", "assumed", "inferred"]
        assert "Objemový koeficient 1 je předpoklad" in line["assumptions"][1]["text"]
        assert "Spalné teplo 10,6512 kWh/m³ je předpoklad" in line["assumptions"][2]["text"]

        number, place = lines_of(client, "use_of_networks", site)
        lines = client.get(f"/v1/invoices/{number}").json()["lines"]
        assert (lines[place - 1]["mark"], lines[place - 1]["assumptions"]) == ("documented", [])
        assert {line["mark"] for line in lines if line["information"]} == {"documented"}


def lines_of(client: Any, component: str, site: BilledSite) -> tuple[str, int]:
    number = site.one(
        "SELECT i.number || ' ' || l.line_no FROM invoice i JOIN invoice_line l ON l.invoice = i.id"
        " JOIN billing_basis b ON b.id = l.basis WHERE b.component = :component ORDER BY i.number LIMIT 1",
        component=component,
    )
    invoice, line = number.split()
    assert client.get(f"/v1/invoices/{invoice}").json()["lines"][int(line) - 1]["line_no"] == int(line)
    return invoice, int(line)


def test_the_trace_of_a_line_reaches_the_meter(site: BilledSite) -> None:
    run = approved_run(site)
    issue_all(site, run)
    with site.client() as client:
        number, line = lines_of(client, "use_of_networks", site)
        trace = client.get(f"/v1/invoices/{number}/lines/{line}/trace").json()
        assert trace["run"]["id"] == run
        assert trace["run"]["approved_by"] == CLERK.name
        assert trace["inputs"]["registry"]["digest"].startswith("sha256:")
        assert trace["inputs"]["package"]["name"] == "cz-electricity-2026"
        assert trace["why"]["price"]["source"] == "Cenový výměr ERÚ č. 13/2025"
        (measurement,) = trace["measurements"]
        assert (measurement["kind"], measurement["direction"]) == ("profile", "A+")
        assert len(measurement["days"]) == 31
        for day in measurement["days"]:
            assert day["version"] == 1
            assert [block["batch"] for block in day["blocks"]] == [batch["id"] for batch in day["batches"]]
            assert day["batches"][0]["seq"] > 0
            assert day["registers"][0]["concentrator"] == day["batches"][0]["concentrator"]
        one_day = client.get(f"/v1/invoices/{number}/lines/{line}/trace", params={"day": "2026-03-29"}).json()
        (day,) = one_day["measurements"][0]["days"]
        assert (day["day"], day["blocks"][0]["count"]) == ("2026-03-29", 92)

        number, line = lines_of(client, "energy_vt", site)
        trace = client.get(f"/v1/invoices/{number}/lines/{line}/trace").json()
        (period,) = trace["measurements"][0]["periods"]
        consumed = (period["to"]["value"] - period["from"]["value"]) * period["factor"]
        assert Decimal(trace["line"]["quantity"]) == round(Decimal(consumed).scaleb(-6), 3)
        for side in ("from", "to"):
            assert period[side]["trace"]["batches"][0]["concentrator"]
            assert period[side]["trace"]["registers"][0]["meter"]

        number, line = lines_of(client, "gas_energy", site)
        trace = client.get(f"/v1/invoices/{number}/lines/{line}/trace").json()
        assert sum(block["count"] for day in trace["measurements"][0]["days"] for block in day["blocks"]) == 743
        assert trace["why"]["price"]["example"] is True
        assert client.get(f"/v1/invoices/{number}/lines/99/trace").status_code == 404

        information = site.one(
            "SELECT i.number || ' ' || l.line_no FROM invoice i JOIN invoice_line l ON l.invoice = i.id"
            " WHERE l.information ORDER BY 1 LIMIT 1"
        ).split()
        trace = client.get(f"/v1/invoices/{information[0]}/lines/{information[1]}/trace").json()
        assert (trace["basis"], trace["line"]["amount"], trace["measurements"]) == (None, "0.00", [])
        assert "POZE" in trace["line"]["name"]
        assert trace["why"]["text"]
