"""Why a number, and what if it were otherwise, through the API over the settled model site."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import text

from central.platform.database import transaction
from central.workflow.prepare import prepare
from tests.system.billing.site import CLERK, NOW, READER_TOKEN, BilledSite, settle_march

WRITTEN = """
    SELECT (SELECT count(*) FROM billing_basis) + (SELECT count(*) FROM settlement_run) + (SELECT count(*) FROM audit)
"""


def test_every_basis_tells_why(site: BilledSite) -> None:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
        settle_march(connection, site.clock)
    with site.client(READER_TOKEN) as client:
        with transaction(site.engine) as connection:
            found = connection.execute(text("SELECT component, max(id) FROM billing_basis GROUP BY 1")).all()
        one_of_each = {row[0]: row[1] for row in found}
        assert {"reserved_capacity_year", "breaker", "energy_vt", "use_of_networks"} <= set(one_of_each)
        for component, basis in one_of_each.items():
            answer = client.get(f"/v1/bases/{basis}/why")
            assert answer.status_code == 200
            told = answer.json()
            assert told["component"] == component
            assert told["price"]["source"] in told["text"]["cs"]
            assert told["rule"]["package"].startswith("cz-")
        networks = client.get(f"/v1/bases/{one_of_each['use_of_networks']}/why").json()
        (energy,) = networks["inputs"]
        assert energy["sources"][0]["kind"] == "profile"
        assert energy["sources"][0]["versions"][0] >= 1
        assert "energie v MWh" in networks["text"]["cs"]
        assert "energy in MWh" in networks["text"]["en"]
        assert client.get("/v1/bases/999999999/why").status_code == 404


def test_what_if_prices_otherwise_and_writes_nothing(site: BilledSite) -> None:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
        run = settle_march(connection, site.clock).id
    high = site.one("SELECT id FROM supply_point WHERE voltage_level = 'VN' AND point_type = 'consumption' LIMIT 1")
    low = site.one("""
        SELECT sp.id FROM supply_point sp JOIN contract_item i ON i.supply_point = sp.id
         WHERE i.rate = 'C25d' LIMIT 1
    """)
    billed = site.one(
        "SELECT sum(amount) FROM billing_basis WHERE run = :run AND supply_point = :point", run=run, point=high
    )
    before = site.one(WRITTEN)
    march = {"from": "2026-03-01", "to": "2026-04-01"}
    with site.client(READER_TOKEN) as client:

        def ask(path: str, **order: object) -> tuple[int, Any]:
            answer = client.post(f"/v1/settlement/what-if{path}", json=order)
            return answer.status_code, answer.json()

        status, told = ask("", supply_point=high, **march, reserved_capacity_year_kw=1000)
        assert status == 200
        assert Decimal(told["as_is"]["net"]) == billed
        assert Decimal(told["difference"]) == Decimal(told["what_if"]["net"]) - billed
        status, single = ask("", supply_point=low, **march, rate="C02d", breaker="3x25")
        assert status == 200
        assert {line["rate"] for line in single["what_if"]["lines"]} >= {12, 13}
        status, plan = ask("/capacity", supply_point=high, months=1, month="2026-03")
        assert status == 200
        assert Decimal(str(plan["cost"])) <= Decimal(str(plan["agreed_cost"])) == billed
        assert ask("", supply_point=high, **march)[0] == 422
        assert ask("", supply_point=10**12, **march, rate="C02d")[0] == 404
        assert ask("", supply_point=low, **march, rate="C99d")[0] == 409
        assert ask("/capacity", supply_point=low, months=1, month="2026-03")[0] == 409
        assert ask("/capacity", supply_point=high)[0] == 409  # only March was measured
        package = {"name": "cz-electricity-1999", "version": "1"}
        assert ask("", supply_point=high, **march, package=package)[0] == 404
    assert site.one(WRITTEN) == before
