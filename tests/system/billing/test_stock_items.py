"""Stock items through the API: shipped ones, one of the operator, which one a basis has."""

from __future__ import annotations

from central.platform.database import transaction
from central.workflow.prepare import prepare
from tests.system.billing.site import CLERK, NOW, READER_TOKEN, BilledSite, settle_march

ITEM = {
    "code": "520-07", "name_cs": "Použití sítí", "name_en": "Use of networks", "rate": 7,
    "component": "use_of_networks", "ote_item_type": "DIST_USE", "source": "účetní osnova",
}  # fmt: skip


def test_a_basis_has_the_item_of_its_rate_component_and_seller(site: BilledSite) -> None:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
        prepare(connection, CLERK, NOW)
        settle_march(connection, site.clock)
    basis, seller = site.one("SELECT array_agg(ARRAY[b.id, b.seller]) FROM (SELECT * FROM billing_basis "
                             "WHERE component = 'use_of_networks' ORDER BY id LIMIT 1) b")[0]  # fmt: skip
    owner = site.one("SELECT code FROM party WHERE id = :id", id=seller)
    with site.client() as client:
        (shipped,) = client.get("/v1/stock-items", params={"rate": "7"}).json()
        assert (shipped["code"], shipped["ote_item_type"], shipped["mark"]) == ("E-0007", "DIST_USE", "documented")
        assert client.get(f"/v1/bases/{basis}").json()["stock_item"] == "E-0007"
        made = client.post("/v1/stock-items", json=ITEM)
        assert (made.status_code, made.json()["mark"], made.json()["owner"]) == (201, "own", None)
        assert client.get(f"/v1/bases/{basis}").json()["stock_item"] == "520-07"
        assert client.post("/v1/stock-items", json=ITEM | {"code": "other"}).status_code == 409
        assert client.post("/v1/stock-items", json=ITEM | {"code": "other", "owner": "nobody"}).status_code == 422
        mine = ITEM | {"code": "521-07", "owner": owner, "ote_item_type": None}
        assert client.post("/v1/stock-items", json=mine).status_code == 201
        told = client.get(f"/v1/bases/{basis}").json()
        assert (told["stock_item"], told["ote_item_type"]) == ("521-07", None)
        change = {name: value for name, value in mine.items() if name != "code"} | {"rate": 8, "why": "jiná sazba"}
        assert client.put("/v1/stock-items/521-07", json=change).status_code == 428
        tag = client.get("/v1/stock-items/521-07").headers["ETag"]
        changed = client.put("/v1/stock-items/521-07", json=change, headers={"If-Match": tag})
        assert (changed.status_code, changed.json()["rate"]) == (200, 8)
        assert client.put("/v1/stock-items/521-07", json=change, headers={"If-Match": tag}).status_code == 412
        assert client.get(f"/v1/bases/{basis}").json()["stock_item"] == "520-07"
        assert client.get("/v1/stock-items/none").json()["code"] == "stock_item_not_found"
    acts = "SELECT array_agg(act ORDER BY id) FROM audit WHERE subject = 'stock_item/521-07'"
    assert site.one(acts) == ["stock_item.create", "stock_item.revise"]
    with site.client(READER_TOKEN) as client:
        assert client.post("/v1/stock-items", json=ITEM).status_code == 403
