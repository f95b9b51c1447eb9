"""Documents of every shape, issued through the API on one month: valid, summed, readable, traced there and back.

Collective ones with a change of supplier and of several contracts, a final contract beside one that goes on, an annual
statement, a correction of some lines of several contracts, and a cancelled part.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from io import BytesIO
from typing import Any, NamedTuple

import pikepdf
import pytest
from fastapi.testclient import TestClient
from lxml import etree

from central.invoicing.isdoc import NAMESPACE, problems_of
from central.platform.database import transaction
from central.workflow.prepare import prepare
from deploy.stack.local import LocalStack
from tests.system.billing.site import CLERK, NOW, BilledSite, billed_site
from tests.system.billing.test_bases import high_voltage, new_version, post, settle_and_approve
from tests.system.billing.test_parts_of_a_month import STATE, SUPPLIERS, do_each
from tests.system.billing.test_pins_and_states import first_point

D = Decimal
FIND = {"i": NAMESPACE}
UNCHANGED = "reserved_capacity_year"
"""A line that no newer profile changes."""
ANOTHER = """
    SELECT sp.id FROM supply_point sp
      JOIN channel c ON c.supply_point = sp.id AND c.direction = 'JT' AND c.kind = 'state'
     WHERE sp.id > :point AND sp.point_type = 'consumption' ORDER BY sp.ean LIMIT 1 OFFSET :place
"""

OTHER_BREAKER = """
    UPDATE contract_item SET breaker_amps = CASE breaker_amps WHEN 25 THEN 32 ELSE 25 END
     WHERE supply_point = :point AND contract = (SELECT id FROM contract WHERE number = 'R/S1')
"""
"""Of the days of the first supplier alone."""


class Shapes(NamedTuple):
    """A site, its API and its documents by what they show."""

    site: BilledSite
    client: TestClient
    numbers: dict[str, str]


def issue(client: TestClient, **order: Any) -> list[str]:
    made = post(client, "/invoices", 201, **order)
    assert made["left_out"] == []
    numbers: list[str] = made["invoices"]
    return numbers


def contract_of(site: BilledSite, point: int) -> str:
    number: str = site.one(
        "SELECT c.number FROM contract c JOIN contract_item i ON i.contract = c.id WHERE i.supply_point = :p"
        " ORDER BY lower(i.valid) DESC LIMIT 1",
        p=point,
    )
    return number


def one_payer(site: BilledSite, points: list[int]) -> str:
    """Give the contracts of these points one payer; its code."""
    numbers = [contract_of(site, point) for point in points]
    site.do(
        "UPDATE contract SET payer = (SELECT payer FROM contract WHERE number = :first) WHERE number = ANY (:all)",
        first=numbers[0],
        all=numbers,
    )
    code: str = site.one(
        "SELECT p.code FROM contract c JOIN party p ON p.id = c.payer WHERE c.number = :n", n=numbers[0]
    )
    return code


def framed(site: BilledSite) -> list[int]:
    """A point that changes its supplier on 11 March, and one that the first supplier keeps."""
    moved = first_point(site, "JT", "state")
    kept: int = site.one(ANOTHER, point=moved, place=0)
    do_each(site, SUPPLIERS, point=moved)
    do_each(site, STATE, point=moved)
    site.do(
        "UPDATE contract_item SET kind = 'framework', contract = (SELECT id FROM contract WHERE number = 'R/S1')"
        " WHERE supply_point = :p",
        p=kept,
    )
    site.do("UPDATE supply_point SET supplier = (SELECT id FROM party WHERE code = 'S1') WHERE id = :p", p=kept)
    return [moved, kept]


def correct(client: TestClient, points: list[int]) -> list[str]:
    """Find what changed under the points, order it, and issue what comes of it."""
    post(client, "/corrections/look", 200, **{"from": "2026-03-01", "to": "2026-04-01"})
    found = [each["id"] for each in client.get("/v1/corrections", params={"state": "open"}).json()]
    assert len(found) == len(points)
    ordered = post(client, "/corrections/order", 201, corrections=found, why="oprava měření 10. 3.")
    return [number for run in ordered["runs"] for number in issue(client, run=run)]


@pytest.fixture(scope="module")
def shapes(stack: LocalStack, filled_template: str) -> Iterator[Shapes]:
    """All documents, issued once."""
    name = f"shapes_{uuid.uuid4().hex[:12]}"
    with billed_site(stack.create_database(name, template=filled_template)) as site:
        with transaction(site.engine) as connection:
            prepare(connection, CLERK, NOW)
        pair, suppliers = high_voltage(site), framed(site)
        final, going, annual, language = (site.one(ANOTHER, point=suppliers[1], place=n) for n in range(4))
        payer, leaver = one_payer(site, pair), one_payer(site, [final, going])
        site.do("UPDATE contract SET statement_months = 12 WHERE number = :n", n=contract_of(site, annual))
        numbers: dict[str, str] = {}
        with site.client() as client:
            for code in ("S2", site.one("SELECT p.code FROM contract c JOIN party p ON p.id = c.payer"
                                        " WHERE c.number = :n", n=contract_of(site, language))):  # fmt: skip
                assert client.put(f"/v1/invoices/languages/{code}", json={"language": "en"}).status_code == 204
            run = settle_and_approve(client, suppliers)
            numbers["first supplier"], numbers["second supplier"] = issue(client, run=run)
            site.do(OTHER_BREAKER, point=suppliers[0])
            (numbers["first supplier corrected"],) = correct(client, suppliers[:1])
            settle_and_approve(client, pair)
            (numbers["collective"],) = issue(client, payer=payer, grouping="payer")
            settle_and_approve(client, [final], "final")
            settle_and_approve(client, [going])
            (numbers["final and regular"],) = issue(client, payer=leaver, grouping="payer")
            (numbers["annual"],) = issue(client, run=settle_and_approve(client, [annual], "annual"))
            (numbers["english"],) = issue(client, run=settle_and_approve(client, [language]))
            for point in pair:
                new_version(site, point)
            (numbers["corrective"],) = correct(client, pair)
            for point in pair[:1]:
                new_version(site, point, by=7_000)
            (numbers["corrective of a corrective"],) = correct(client, pair[:1])
            (numbers["cancelling"],) = post(client, f"/invoices/{numbers['english']}/cancel", 201, reason="omyl")[
                "invoices"
            ]
            yield Shapes(site, client, numbers)
    stack.drop_database(name)


ALL = (
    ("first supplier", "collective", "1", "cs"),
    ("second supplier", "collective", "1", "en"),
    ("first supplier corrected", "corrective", "3", "cs"),
    ("collective", "collective", "1", "cs"),
    ("final and regular", "collective", "1", "cs"),
    ("annual", "annual", "1", "cs"),
    ("english", "regular", "1", "en"),
    ("corrective", "corrective", "2", "cs"),
    ("corrective of a corrective", "corrective", "3", "cs"),
    ("cancelling", "cancelling", "2", "en"),
)


@pytest.mark.parametrize(("shape", "kind", "type_", "language"), ALL)
def test_a_document_is_valid_summed_and_readable(
    shapes: Shapes, shape: str, kind: str, type_: str, language: str
) -> None:
    number = shapes.numbers[shape]
    client = shapes.client
    told = client.get(f"/v1/invoices/{number}").json()
    isdoc, pdf = (client.get(f"/v1/invoices/{number}/{form}").content for form in ("isdoc", "pdf"))
    assert (told["kind"], str(told["document_type"]), told["language"]) == (kind, type_, language)
    assert problems_of(isdoc) == []
    root = etree.fromstring(isdoc)
    assert (root.findtext("i:ID", namespaces=FIND), root.findtext("i:DocumentType", namespaces=FIND)) == (number, type_)
    told_net, told_gross = D(told["net"]), D(told["gross"])
    lines = [D(line["amount"]) for line in told["lines"]]
    bases: Decimal = shapes.site.one(
        "SELECT sum(b.amount) FROM invoice_line l JOIN billing_basis b ON b.id = l.basis"
        " JOIN invoice i ON i.id = l.invoice WHERE i.number = :n",
        n=number,
    )
    assert sum(lines) == bases == told_net
    assert [D(str(each.text)) for each in root.iterfind(".//i:LineExtensionAmount", FIND)] == lines
    assert D(str(root.findtext(".//i:TaxInclusiveAmount", namespaces=FIND))) != 0
    assert D(str(root.findtext("i:LegalMonetaryTotal/i:TaxInclusiveAmount", namespaces=FIND))) == told_gross
    assert D(str(root.findtext("i:LegalMonetaryTotal/i:PayableAmount", namespaces=FIND))) == D(told["payable"])
    assert told_net + D(told["vat"]) == told_gross
    with pikepdf.open(BytesIO(pdf)) as read:
        metadata = read.open_metadata()
        assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("3", "B")
        assert bytes(read.attachments[f"{number}.isdoc"].get_file().read_bytes()) == isdoc
        assert str(read.Root.Lang).startswith(language)


@pytest.mark.parametrize("shape", [shape for shape, *_ in ALL])
def test_every_line_is_traced_to_its_run_and_readings(shapes: Shapes, shape: str) -> None:
    number = shapes.numbers[shape]
    read = 0
    client = shapes.client
    for line in client.get(f"/v1/invoices/{number}").json()["lines"]:
        trace = client.get(f"/v1/invoices/{number}/lines/{line['line_no']}/trace", params={"day": "2026-03-10"})
        assert trace.status_code == 200, trace.text
        told = trace.json()
        assert told["run"]["state"] == "approved"
        # only the point that changed its supplier has lines of a part of the month
        if told["basis"] is not None:
            parted = "2026-03-10T23:00:00Z" in (told["basis"]["from"], told["basis"]["to"])
            assert (told["basis"]["rounding"] is not None) == parted
        for measurement in told["measurements"]:
            read += 1
            if measurement["kind"] == "profile":
                assert all(day["batches"] for day in measurement["days"])
            else:
                assert all(period["from"]["trace"] for period in measurement["periods"])
    assert read > 0 or shape == "first supplier corrected"  # a breaker is not read


def test_each_supplier_has_a_part_for_its_days_and_points(shapes: Shapes) -> None:
    parts = """
        SELECT count(DISTINCT (l.supply_point, b.valid)) FROM invoice_line l JOIN invoice i ON i.id = l.invoice
          JOIN billing_basis b ON b.id = l.basis WHERE i.number = :n
    """
    assert shapes.site.one(parts, n=shapes.numbers["first supplier"]) == 2
    assert shapes.site.one(parts, n=shapes.numbers["second supplier"]) == 1


def test_a_collective_document_over_a_change_of_supplier_is_corrected_for_one_of_its_parts(shapes: Shapes) -> None:
    shown = {
        shape: shapes.client.get(f"/v1/invoices/{shapes.numbers[shape]}").json()
        for shape in ("first supplier", "first supplier corrected", "second supplier")
    }
    original, corrected, other = shown.values()
    assert corrected["original"]["number"] == original["number"]
    assert (original["state"], corrected["state"], other["state"]) == ("corrected", "issued", "issued")
    # what is paid by the breaker at the one point that left the supplier: taken back, and billed anew
    (ean,) = {line["ean"] for line in corrected["lines"]}
    of_point = [line for line in original["lines"] if line["ean"] == ean]
    assert len(of_point) < len(original["lines"])
    assert len(corrected["lines"]) % 2 == 0
    assert 0 < len(corrected["lines"]) // 2 < len(of_point)
    assert {line["rate"] for line in corrected["lines"]} < {line["rate"] for line in of_point}


def test_a_correction_holds_changed_lines_alone_of_all_contracts_and_nets_to_the_new_truth(shapes: Shapes) -> None:
    site, numbers = shapes.site, shapes.numbers
    family = [numbers[shape] for shape in ("collective", "corrective", "corrective of a corrective")]
    assert site.one("SELECT state FROM invoice WHERE number = :n", n=family[0]) == "corrected"
    components = """
        SELECT array_agg(DISTINCT b.component) FROM invoice_line l JOIN invoice i ON i.id = l.invoice
          JOIN billing_basis b ON b.id = l.basis WHERE i.number = :n
    """
    assert UNCHANGED in site.one(components, n=family[0])
    assert UNCHANGED not in site.one(components, n=family[1])
    contracts = """
        SELECT count(DISTINCT b.contract) FROM invoice_line l JOIN invoice i ON i.id = l.invoice
          JOIN billing_basis b ON b.id = l.basis WHERE i.number = :n
    """
    assert [site.one(contracts, n=number) for number in family] == [2, 2, 1]
    net = site.one("SELECT sum(net) FROM invoice WHERE number = ANY (:family)", family=family)
    vat = site.one("SELECT sum(vat) FROM invoice WHERE number = ANY (:family)", family=family)
    standing = """
        SELECT sum(b.amount) FROM billing_basis b
         WHERE b.supply_point = ANY (:points) AND b.state <> 'cancelled'
    """
    assert net == site.one(standing, points=high_voltage(site))
    assert vat == (net * D("0.21")).quantize(D("0.01"), rounding=ROUND_HALF_UP)
    client = shapes.client
    told = client.get(f"/v1/invoices/{family[1]}").json()
    assert (told["original"]["number"], told["reason"]) == (family[0], "oprava měření 10. 3.")
    assert client.get(f"/v1/invoices/{family[2]}").json()["original"]["number"] == family[1]


def test_a_final_contract_stands_beside_one_that_goes_on(shapes: Shapes) -> None:
    statements = """
        SELECT array_agg(DISTINCT r.statement ORDER BY r.statement)
          FROM invoice_line l JOIN invoice i ON i.id = l.invoice
          JOIN billing_basis b ON b.id = l.basis JOIN settlement_run r ON r.id = b.run WHERE i.number = :n
    """
    assert shapes.site.one(statements, n=shapes.numbers["final and regular"]) == ["final", "regular"]


def test_readings_lead_on_to_what_was_billed_by_them(shapes: Shapes) -> None:
    site, numbers = shapes.site, shapes.numbers
    channel: int = site.one(
        "SELECT id FROM channel WHERE supply_point = :p AND direction = 'A+' AND kind = 'interval'",
        p=high_voltage(site)[0],
    )
    client = shapes.client
    found = client.get(f"/v1/channels/{channel}/days/2026-03-10/invoices")
    assert found.status_code == 200, found.text
    told = found.json()
    family = [numbers[shape] for shape in ("collective", "corrective", "corrective of a corrective")]
    assert sorted({line["invoice"] for line in told}) == sorted(family)
    versions = {line["invoice"]: line["version"] for line in told if line["statement_type"] in (0, 8)}
    assert [versions[number] for number in family] == [1, 2, 3]
    for line in told:
        way = f"/v1/invoices/{line['invoice']}/lines/{line['line']}/trace"
        trace = client.get(way, params={"day": "2026-03-10"}).json()
        assert trace["basis"]["id"] == line["basis"]
        assert channel in {measurement["channel"] for measurement in trace["measurements"]}
    assert client.get(f"/v1/channels/{channel}/days/2026-04-10/invoices").json() == []
    assert client.get("/v1/channels/999999/days/2026-03-10/invoices").status_code == 404
    assert client.get(f"/v1/channels/{channel}/days/0001-01-01/invoices").status_code in (200, 422)

    number = numbers["second supplier"]
    traces = {
        line["line_no"]: client.get(f"/v1/invoices/{number}/lines/{line['line_no']}/trace").json()
        for line in client.get(f"/v1/invoices/{number}").json()["lines"]
    }
    place, traced = next((place, told) for place, told in traces.items() if told["measurements"])
    state = traced["measurements"][0]["periods"][0]["from"]
    asked = {"evidence_channel": state["evidence_channel"], "at": state["at"]}
    back = client.get("/v1/readings/states/invoices", params=asked).json()
    # the state of the change ends what the first supplier is billed and begins what the second one is
    assert {line["invoice"] for line in back} == {numbers["first supplier"], number}
    assert (number, place) in {(line["invoice"], line["line"]) for line in back}
    assert client.get("/v1/readings/states/invoices", params={**asked, "evidence_channel": 10**9}).status_code == 404
