"""What changes under invoiced lines is found with its difference in money, and corrected on order."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from central.invoicing.issue import issue_invoices
from central.platform.database import transaction
from central.settlement.runs import approve_run
from central.workflow.prepare import prepare
from tests.system.billing.site import CLERK, NOW, READER_TOKEN, BilledSite, settle_march

LOOK = {"from": "2026-03-01", "to": "2026-04-01"}
LEVEL = "VN"


def invoiced(site: BilledSite) -> None:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
        run = settle_march(connection, site.clock).id
        approve_run(connection, run, CLERK, NOW)
        issue_invoices(connection, run, CLERK, NOW)


def newer_profile(site: BilledSite, point: int, more: int) -> None:
    """A version of 10 March in which one quarter-hour of take-off is higher by `more` (Wh x 10^exponent)."""
    site.do(
        """
        INSERT INTO day_profile (channel, day, version, step_ms, "values", quality, missing, batches, digest, made_at,
                                 made_by)
        SELECT channel, day, version + 1, step_ms, "values"[1:10] || ("values"[11] + :more) || "values"[12:],
               quality, missing, batches, decode(md5("values"::text || :more), 'hex'), :at, 'test'
          FROM day_profile p
         WHERE p.day = '2026-03-10' AND p.channel = (
               SELECT id FROM channel WHERE supply_point = :point AND direction = 'A+' AND kind = 'interval')
         ORDER BY version DESC LIMIT 1
        """,
        point=point,
        more=more,
        at=NOW,
    )


def high_voltage(site: BilledSite, place: int = 0) -> int:
    point: int = site.one(
        "SELECT DISTINCT b.supply_point FROM billing_basis b JOIN supply_point sp ON sp.id = b.supply_point"
        " WHERE sp.voltage_level = :level ORDER BY 1 OFFSET :place LIMIT 1",
        level=LEVEL,
        place=place,
    )
    return point


def look(client: Any) -> Any:
    answer = client.post("/v1/corrections/look", json=LOOK)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_nothing_changed_is_nothing_to_correct(site: BilledSite) -> None:
    invoiced(site)
    with site.client() as client:
        assert look(client) == {"points": 47, "open": 0, "gone": 0, "left_out": []}
        assert client.get("/v1/corrections").json() == []


def test_a_newer_profile_is_found_valued_and_corrected_once(site: BilledSite) -> None:
    invoiced(site)
    point = high_voltage(site)
    before: Decimal = site.one("SELECT sum(amount) FROM billing_basis WHERE supply_point = :p", p=point)
    newer_profile(site, point, 4_000)
    with site.client() as client:
        assert look(client)["open"] == 1
        (found,) = client.get("/v1/corrections", params={"state": "open"}).json()
        assert [cause["kind"] for cause in found["causes"]] == ["profile"]
        changed = {line["component"]: Decimal(line["difference"]) for line in found["lines"]}
        assert {"use_of_networks", "system_services"} <= changed.keys()
        assert "reserved_capacity_year" not in changed
        assert Decimal(found["difference"]) == sum(changed.values()) > 0

        ordered = client.post(
            "/v1/corrections/order", json={"corrections": [found["id"]], "why": "oprava měření 10. 3."}
        )
        assert ordered.status_code == 201, ordered.text
        assert ordered.json()["cancelled"] == ordered.json()["corrective"] == len(changed)
        types = "SELECT array_agg(DISTINCT statement_type ORDER BY statement_type) FROM billing_basis WHERE run = :run"
        (run,) = ordered.json()["runs"]
        assert site.one(types, run=run) == [7, 8]
        assert site.one("SELECT bool_and(original IS NOT NULL AND reason LIKE 'oprava%' AND state = 'approved')"
                        " FROM billing_basis WHERE run = :run", run=run)  # fmt: skip
        net: Decimal = site.one("SELECT sum(amount) FROM billing_basis WHERE run = :run", run=run)
        assert net == Decimal(found["difference"])
        assert site.one("SELECT sum(amount) FROM billing_basis WHERE supply_point = :p", p=point) == before + net
        assert site.one("SELECT state FROM settlement_run WHERE id = :run", run=run) == "approved"

        assert look(client)["open"] == 0
        again = client.post("/v1/corrections/order", json={"corrections": [found["id"]], "why": "ještě jednou"})
        assert (again.status_code, again.json()["code"]) == (409, "correction_decided")

        # the correction itself turns out wrong before it is invoiced: its lines give way, the originals stay cancelled
        newer_profile(site, point, -4_000)
        assert look(client)["open"] == 1
        (second,) = client.get("/v1/corrections", params={"state": "open"}).json()
        assert Decimal(second["difference"]) == -net
        client.post("/v1/corrections/order", json={"corrections": [second["id"]], "why": "zpět na původní"})
        living = "SELECT sum(amount) FROM billing_basis WHERE supply_point = :p AND state <> 'cancelled'"
        assert site.one(living, p=point) == before
        assert look(client)["open"] == 0


def test_what_is_left_as_it_is_comes_back_only_when_it_changes(site: BilledSite) -> None:
    invoiced(site)
    point = high_voltage(site)
    newer_profile(site, point, 4_000)
    with site.client() as client:
        look(client)
        (found,) = client.get("/v1/corrections").json()
        assert client.post(f"/v1/corrections/{found['id']}/dismiss", json={"why": "pod hranicí"}).status_code == 200
        assert look(client)["open"] == 0
        newer_profile(site, point, 3_000)
        assert look(client)["open"] == 1
        # and one whose cause is undone is gone
        newer_profile(site, point, -7_000)
        assert look(client) == {"points": 47, "open": 0, "gone": 1, "left_out": []}


def test_a_registry_fact_and_the_time_limit_of_the_law(site: BilledSite) -> None:
    invoiced(site)
    point = high_voltage(site, 1)
    site.do("UPDATE reserved_capacity SET kw = kw - 1 WHERE supply_point = :point AND kind = 'year'", point=point)
    with site.client() as client:
        assert look(client)["open"] == 1
        (found,) = client.get("/v1/corrections").json()
        assert "registry" in {cause["kind"] for cause in found["causes"]}
        assert "reserved_capacity_year" in {line["component"] for line in found["lines"]}
        # the law counts from the day of the finding: 36 months before 1 April 2029 are since 1 April 2026
        found_on(site, found["id"], datetime(2029, 4, 1, 10, tzinfo=UTC))
        late = client.post("/v1/corrections/order", json={"corrections": [found["id"]], "why": "příliš pozdě"})
        assert (late.status_code, late.json()["code"]) == (409, "correction_too_old")
        # 31 March 2029 in Prague; ordered later than that
        found_on(site, found["id"], datetime(2029, 3, 31, 21, tzinfo=UTC))
        site.clock.set(datetime(2029, 5, 2, tzinfo=UTC))
        early = client.post("/v1/corrections/order", json={"corrections": [found["id"]], "why": "chybná kapacita"})
        assert early.status_code == 201, early.text
        (run,) = early.json()["runs"]
        assert client.get(f"/v1/settlement/runs/{run}").json()["reason"] == "chybná kapacita"


def found_on(site: BilledSite, correction: int, at: datetime) -> None:
    site.do("UPDATE correction SET found_at = :at WHERE id = :id", id=correction, at=at)


def test_a_rate_of_vat_is_corrected_with_its_difference_in_money(site: BilledSite) -> None:
    """A service of the operator is billed with 21 % and should have been with 12 %."""
    point = high_voltage_item(site)
    attach(site, point)
    invoiced(site)
    site.do("UPDATE own_service SET vat_percent = 12 WHERE code = 'NAJEM'")
    with site.client() as client:
        assert look(client)["open"] == 1
        (found,) = client.get("/v1/corrections").json()
        (line,) = found["lines"]
        assert (line["component"], line["difference"]) == ("service:NAJEM", "0.00")
        assert line["billed_vat"] == {"percent": ["21.00"], "vat": "21.00"}
        assert line["correct_vat"] == {"percent": ["12.00"], "vat": "12.00"}
        assert (found["difference"], found["vat_difference"], found["gross_difference"]) == ("0.00", "-9.00", "-9.00")
        ordered = client.post("/v1/corrections/order", json={"corrections": [found["id"]], "why": "chybná sazba daně"})
        (run,) = ordered.json()["runs"]
        rates = "SELECT array_agg(vat_percent::int ORDER BY statement_type) FROM billing_basis WHERE run = :run"
        assert site.one(rates, run=run) == [21, 12]
        made = client.post("/v1/invoices", json={"run": run})
        assert made.status_code == 201, made.text
        assert site.one("SELECT net || ' ' || vat FROM invoice ORDER BY id DESC LIMIT 1") == "0.00 -9.00"
        assert look(client)["open"] == 0


def test_what_is_only_taken_back_stands_under_a_corrective_run(site: BilledSite) -> None:
    """A service that was never rendered is billed: nothing comes in its place."""
    attach(site, high_voltage_item(site))
    invoiced(site)
    site.do("DELETE FROM contract_service")
    with site.client() as client:
        look(client)
        (found,) = client.get("/v1/corrections").json()
        assert (found["difference"], found["vat_difference"], found["gross_difference"]) == (
            "-100.00", "-21.00", "-121.00",
        )  # fmt: skip
        ordered = client.post("/v1/corrections/order", json={"corrections": [found["id"]], "why": "nebylo dodáno"})
        assert ordered.status_code == 201, ordered.text
        (run,) = ordered.json()["runs"]
        assert (ordered.json()["cancelled"], ordered.json()["corrective"]) == (1, 0)
        told = client.get(f"/v1/settlement/runs/{run}").json()
        assert (told["statement"], told["state"], told["reason"]) == ("corrective", "approved", "nebylo dodáno")
        assert Decimal(told["net"]) == -100
        assert site.one("SELECT array_agg(statement_type) FROM billing_basis WHERE run = :run", run=run) == [7]
        assert client.get("/v1/corrections").json()[0]["run"] == run
        assert look(client) == {"points": 47, "open": 0, "gone": 0, "left_out": []}


def test_a_point_that_no_contract_has_any_more_and_another_customer(site: BilledSite) -> None:
    """One is taken back whole; the other is billed to the same payer, of another who takes it."""
    invoiced(site)
    gone, moved = (high_voltage(site, place) for place in (0, 1))
    site.do("UPDATE contract_item SET valid = '[2025-01-01,2026-03-01)' WHERE supply_point = :p", p=gone)
    site.do(
        "UPDATE contract SET customer = (SELECT min(p.id) FROM party p WHERE p.id <> customer AND 'customer' ="
        " ANY (p.roles)) WHERE id = (SELECT contract FROM contract_item WHERE supply_point = :p)",
        p=moved,
    )
    net = "SELECT sum(amount) FROM billing_basis WHERE supply_point = :p AND state <> 'cancelled'"
    before = {point: site.one(net, p=point) for point in (gone, moved)}
    with site.client() as client:
        told = look(client)
        assert (told["open"], told["left_out"]) == (2, [])
        ean = "SELECT ean FROM supply_point WHERE id = :p"
        listed = {each["ean"]: each for each in client.get("/v1/corrections").json()}
        found = {point: listed[site.one(ean, p=point)] for point in (gone, moved)}
        assert Decimal(found[gone]["difference"]) == -before[gone]
        assert Decimal(found[moved]["difference"]) == 0
        assert len({line["customer"] for line in found[moved]["lines"]}) == 2
        for point, kinds, after in ((gone, [7], Decimal(0)), (moved, [7, 8], before[moved])):
            order = {"corrections": [found[point]["id"]], "why": "chybná smlouva"}
            ordered = client.post("/v1/corrections/order", json=order)
            assert ordered.status_code == 201, ordered.text
            (run,) = ordered.json()["runs"]
            types = (
                "SELECT array_agg(DISTINCT statement_type ORDER BY statement_type) FROM billing_basis WHERE run = :r"
            )
            assert site.one(types, r=run) == kinds
            made = client.post("/v1/invoices", json={"run": run})
            assert made.status_code == 201, made.text
            assert made.json()["invoices"], made.text
            assert site.one(net, p=point) == after
        assert look(client)["open"] == 0

        # the contract was right after all: its document is cancelled, so the point gets a statement of its own
        site.do("UPDATE contract_item SET valid = '[2025-01-01,)' WHERE supply_point = :p", p=gone)
        assert look(client)["open"] == 1
        (again,) = client.get("/v1/corrections", params={"state": "open"}).json()
        assert Decimal(again["difference"]) == before[gone]
        order = {"corrections": [again["id"]], "why": "smlouva přece jen platí"}
        ordered = client.post("/v1/corrections/order", json=order)
        assert ordered.status_code == 201, ordered.text
        made = client.post("/v1/invoices", json={"run": ordered.json()["runs"][0]})
        assert made.status_code == 201, made.text
        (told,) = (client.get(f"/v1/invoices/{number}").json() for number in made.json()["invoices"])
        assert (told["kind"], told["original"], site.one(net, p=gone)) == ("regular", None, before[gone])
        assert look(client)["open"] == 0


def high_voltage_item(site: BilledSite) -> int:
    item: int = site.one(
        "SELECT i.id FROM contract_item i JOIN supply_point sp ON sp.id = i.supply_point"
        " WHERE sp.voltage_level = :level AND sp.point_type = 'consumption' ORDER BY i.id LIMIT 1",
        level=LEVEL,
    )
    return item


def attach(site: BilledSite, item: int) -> None:
    """A service of the operator for 100 Kč a month."""
    site.do(
        "INSERT INTO own_service (code, rate, name_cs, name_en, unit, vat_percent)"
        " VALUES ('NAJEM', 3001, 'Nájem', 'Rent', 'měs', 21)"
    )
    site.do(
        "INSERT INTO own_service_price (service, price, source, valid)"
        " SELECT id, 100, 'ceník', '[2026-01-01,)' FROM own_service"
    )
    site.do(
        "INSERT INTO contract_service (contract_item, service, quantity, fixed, valid)"
        " SELECT :item, id, 'fixed', 1, '[2026-01-01,)' FROM own_service",
        item=item,
    )


def test_bad_orders_are_sentences(site: BilledSite) -> None:
    with site.client() as client:
        assert client.post("/v1/corrections/order", json={"corrections": [9], "why": "proč"}).status_code == 404
        assert client.post("/v1/corrections/9/dismiss", json={"why": "proč"}).status_code == 404
        turned = client.post("/v1/corrections/look", json={"from": "2026-04-01", "to": "2026-03-01"})
        assert (turned.status_code, turned.json()["code"]) == (422, "period")
    with site.client(READER_TOKEN) as reader:
        assert reader.post("/v1/corrections/look", json=LOOK).status_code == 403
