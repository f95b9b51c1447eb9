"""Legislative packages on the real database: install, compare with contracts, pick up, and a damaged one."""

from __future__ import annotations

import copy
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from central.platform.database import transaction
from central.platform.errors import Refused
from central.platform.settings import Settings
from central.settlement.runs import approve_run
from central.tariffs.install import set_active
from central.tariffs.load import shipped_files
from central.tariffs.seal import seal
from central.workflow.package_pickup import PackagePickup
from central.workflow.prepare import prepare
from deploy import package_command
from shared.control.keys import key_id, key_text, signing_public
from tests.system.billing.site import CLERK, NOW, READER_TOKEN, BilledSite, settle_march

KEY = bytes(range(32))
PUBLIC = key_text(signing_public(KEY))


def _package(name: str = "cz-electricity-2026", **changes: Any) -> dict[str, Any]:
    path = next(path for path in shipped_files() if path.stem == name)
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {**copy.deepcopy(content), **changes}


def _with_energy_of(rate: str, **changes: Any) -> dict[str, Any]:
    content = _package(**changes)
    for table in content["tables"]:
        if table["component"] == "energy_vt":
            for row in table["rows"]:
                row[-1] = "1" if row[0] == rate else row[-1]
    return content


def _settle(site: BilledSite, *, approve: bool = False) -> int:
    with transaction(site.engine) as connection:
        run = settle_march(connection, site.clock).id
        if approve:
            approve_run(connection, run, CLERK, NOW)
    return run


def test_install_and_what_it_would_change(site: BilledSite) -> None:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
    rate = site.one("SELECT min(rate) FROM contract_item WHERE rate LIKE 'D2%' OR rate LIKE 'C2%'")
    contracts = site.one("SELECT count(DISTINCT contract) FROM contract_item WHERE rate = :rate", rate=rate)
    new = seal(_with_energy_of(rate, version="2026.900"), KEY)
    with site.client() as client:
        (found,) = client.post("/v1/packages/diff", json={"new": {"content": new}}).json()
        assert (found["old"], found["new"]) == ("cz-electricity-2026 2026.4", "cz-electricity-2026 2026.900")
        texts = [each["text"] for each in found["differences"] if each["money"]]
        assert all(f"energy_vt for rate {rate}" in text and "becomes 1 CZK/MWh" in text for text in texts)
        assert found["contracts"] == contracts == len(found["effect"])
        assert all("2026-03-01" in row["unsettled"] and not row["settled"] for row in found["effect"])

        _settle(site, approve=True)
        site.do(
            "UPDATE billing_basis SET state = 'invoiced' WHERE contract = (SELECT id FROM contract WHERE number = :n)",
            n=found["effect"][0]["contract"],
        )
        (again,) = client.post("/v1/packages/diff", json={"new": {"content": new}}).json()
        first, *others = again["effect"]
        assert (first["invoiced"], first["settled"]) == (["2026-03-01"], [])
        assert all(row["settled"] == ["2026-03-01"] and not row["invoiced"] for row in others)
        before = site.one("SELECT md5(string_agg(b::text, ',' ORDER BY id)) FROM billing_basis b")

        refused = client.post("/v1/packages", json={"content": new})
        assert (refused.status_code, refused.json()["code"]) == (422, "package_invalid")
        assert client.post("/v1/packages/verify", json={"content": new}).status_code == 422
        trusted = client.post("/v1/packages/keys", json={"public_key": PUBLIC, "name": "ERÚ", "reason": "ověřen"})
        assert trusted.json() == {"id": key_id(signing_public(KEY))}
        assert client.post("/v1/packages/verify", json={"content": new}).json()["signer"] == trusted.json()["id"]
        assert client.post("/v1/packages", json={"content": new}).json()["installed"] is True
        assert client.post("/v1/packages", json={"content": new}).json()["installed"] is False
        changed = seal({**new, "notes": ["other"]}, KEY)
        assert client.post("/v1/packages", json={"content": changed}).status_code == 409
        assert site.one("SELECT md5(string_agg(b::text, ',' ORDER BY id)) FROM billing_basis b") == before
        pair = {"old": {"name": "cz-electricity-2026", "version": "2026.4"}}
        pair["new"] = {"name": "cz-electricity-2026", "version": "2026.900"}
        assert client.post("/v1/packages/diff", json=pair).json()[0]["contracts"] == contracts

        states = {
            each["version"]: each["active"]
            for each in client.get("/v1/packages").json()
            if each["name"] == "cz-electricity-2026"
        }
        assert states == {"2026.4": False, "2026.900": True}
    with site.client(READER_TOKEN) as reader:
        assert reader.post("/v1/packages", json={"content": new}).status_code == 403


def test_unsigned_and_informative_packages_need_an_explicit_word(site: BilledSite) -> None:
    unsigned = seal(_package(version="2026.901"), None)
    informative = seal(
        _package(name="cz-electricity-2026", version="2027.900")
        | {"name": "our-2027", "binding": False, "valid": ["2030-01-01", "2031-01-01"]},
        KEY,
    )
    with site.client() as client:
        prepared = client.post("/v1/prepare").json()["packages"]
        assert "cz-electricity-2026 2026.4" in prepared
        client.post("/v1/packages/keys", json={"public_key": PUBLIC, "name": "ERÚ", "reason": "ověřen"})
        assert client.post("/v1/packages", json={"content": unsigned}).json()["code"] == "package_unsigned"
        allowed = client.post("/v1/packages", json={"content": unsigned, "unsigned_reason": "opis z výměru"})
        assert allowed.status_code == 201
        assert client.post("/v1/packages", json={"content": informative}).status_code == 201
        active = "SELECT active FROM package WHERE name = 'our-2027'"
        assert site.one(active) is False
        assert client.post("/v1/packages/our-2027/2027.900/activate", json={"reason": "zkouška"}).status_code == 200
        assert site.one(active) is True
        client.post("/v1/packages/our-2027/2027.900/deactivate", json={"reason": "konec zkoušky"})
        assert site.one(active) is False
        acts = site.one("SELECT array_agg(act ORDER BY id) FROM audit WHERE subject = 'package/our-2027'")
        assert acts == ["package.install", "package.activate", "package.deactivate"]


def test_a_damaged_package_stops_the_run_before_it_writes(site: BilledSite) -> None:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
    one = "WHERE name = 'cz-electricity-2026'"
    signature = site.one(f"SELECT signature FROM package {one}")
    for damage, sentence in (
        ("content = jsonb_set(content, '{vat,percent}', '\"12\"')", "changed after it was built"),
        ("scope = 'cz-other'", "its row in the database says another"),
        ("valid = '[2026-02-01,2027-01-01)'", "its row in the database says another"),
        ("checksum = 'sha256:0'", "its row in the database says another"),
    ):
        site.do(f"CREATE TABLE saved AS SELECT * FROM package {one}")
        site.do(f"UPDATE package SET {damage} {one}")
        with pytest.raises(Refused, match=sentence):
            _settle(site)
        site.do(
            "UPDATE package p SET content = s.content, scope = s.scope, valid = s.valid, checksum = s.checksum "
            "FROM saved s WHERE s.id = p.id"
        )
        site.do("DROP TABLE saved")
    resign = (
        "UPDATE package SET signature = :s, content = jsonb_set(content, '{signature}', to_jsonb(CAST(:s AS text))) "
        + one
    )
    forged = seal(_package(), KEY)["signature"].replace(key_id(signing_public(KEY)), signature.split(":")[1])
    site.do(resign, s=forged)
    with pytest.raises(Refused, match="is bad: its content is not what the owner of the key"):
        _settle(site)
    site.do(resign, s=signature)
    with site.client() as client:
        client.post(f"/v1/packages/keys/{signature.split(':')[1]}/distrust", json={"reason": "klíč unikl"})
        answer = client.post("/v1/settlement/runs", json={"month": "2026-03"})
        assert (answer.status_code, answer.json()["code"]) == (409, "package_damaged")
        assert "not trusted here" in answer.json()["message"]
    site.do("DELETE FROM package_key")
    site.do("ALTER TABLE package DROP CONSTRAINT package_scope_valid_excl")
    site.do(f"UPDATE package SET active = true {one}")
    other = seal(_package(name="cz-electricity-2026", version="1") | {"name": "twin"}, None)
    site.do(
        "INSERT INTO package (name, version, scope, commodity, valid, example, binding, checksum, unsigned_reason, "
        "content, active, installed_at, installed_by) SELECT 'twin', '1', scope, commodity, valid, example, true, "
        f":sum, 'test', CAST(:content AS jsonb), true, now(), 'test' FROM package {one}",
        sum=other["checksum"],
        content=json.dumps(other),
    )
    with pytest.raises(Refused, match="are both in force from 2026-01-01"):
        _settle(site)
    assert site.one("SELECT count(*) FROM settlement_run") == 0
    with transaction(site.engine) as connection:
        set_active(connection, "twin", "1", False, "doubled", CLERK, NOW)
    assert _settle(site) > 0


class _Publisher(http.server.BaseHTTPRequestHandler):
    content = b""
    etag = '"1"'
    asked: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        self.asked.append(self.headers.get("If-None-Match"))
        if self.path == "/gone":
            self.send_error(404)
        elif self.headers.get("If-None-Match") == self.etag:
            self.send_response(304)
            self.end_headers()
        else:
            self.send_response(200)
            self.send_header("ETag", self.etag)
            self.end_headers()
            self.wfile.write(self.content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _published() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Publisher)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_packages_are_picked_up(site: BilledSite, tmp_path: Path) -> None:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
    signed = json.dumps(seal(_package(version="2026.902"), KEY)).encode()
    path = tmp_path / "new.json"
    path.write_bytes(signed[:1000])
    (tmp_path / "unfinished.json.part").write_bytes(b"{")
    pickup = PackagePickup(site.engine, site.clock, tmp_path)
    assert pickup.look() == []
    path.write_bytes(signed)
    assert pickup.look() == []
    (quarantined,) = pickup.look()
    assert quarantined.outcome == "quarantined"
    assert "not trusted here" in (quarantined.reason or "")
    assert pickup.look() == []
    with site.client() as client:
        (row,) = client.get("/v1/packages/pickups").json()
        assert (row["package"], row["outcome"]) == ("cz-electricity-2026 2026.902", "quarantined")
        client.post("/v1/packages/keys", json={"public_key": PUBLIC, "name": "ERÚ", "reason": "ověřen"})
        again = client.post(f"/v1/packages/pickups/{row['id']}/retry")
        assert again.json() == {"outcome": "installed", "package": "cz-electricity-2026 2026.902", "reason": None}
        assert client.post(f"/v1/packages/pickups/{row['id']}/retry").status_code == 409
        assert client.post("/v1/packages/pickups/999/retry").status_code == 404
    assert site.one("SELECT version FROM package WHERE name = 'cz-electricity-2026' AND active") == "2026.902"

    with _published() as address:
        _Publisher.content = json.dumps(seal(_package(version="2026.903"), KEY)).encode()
        watching = PackagePickup(
            site.engine, site.clock, None, (f"{address}/law.json", f"{address}/gone"), insecure=True
        )
        assert [taken.outcome for taken in watching.look()] == ["installed"]
        assert watching.look() == []
        assert _Publisher.asked[-2:] == ['"1"', None]
        _Publisher.content, _Publisher.etag = b"not a package", '"2"'
        assert [taken.outcome for taken in watching.look()] == ["quarantined"]
        assert site.one("SELECT answer FROM package_source WHERE url LIKE '%gone'") == "404"
    assert watching.look() == []  # nobody answers any more
    assert "ConnectError" in site.one("SELECT answer FROM package_source WHERE url LIKE '%law.json'")
    assert site.one("SELECT version FROM package WHERE name = 'cz-electricity-2026' AND active") == "2026.903"


def test_the_command_line_on_the_database(
    site: BilledSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(package_command, "get_settings", lambda: Settings(database_url=site.url))
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
    _settle(site)
    rate = site.one("SELECT min(rate) FROM contract_item WHERE rate LIKE 'D2%' OR rate LIKE 'C2%'")
    file = tmp_path / "new.json"
    file.write_text(json.dumps(seal(_with_energy_of(rate, version="2026.904"), KEY)), encoding="utf-8")

    def said(*arguments: str, status: int = 0) -> str:
        assert package_command.main(list(arguments)) == status
        answer = capsys.readouterr()
        return answer.out + answer.err

    assert "not trusted here" in said("install", str(file), status=2)
    said("trust", PUBLIC, "--name", "ERÚ", "--reason", "ověřen")
    told = said("diff", str(file))
    assert "cz-electricity-2026 2026.4 -> cz-electricity-2026 2026.904" in told
    assert f"energy_vt for rate {rate}" in told
    assert "settled, not invoiced 2026-03" in told
    assert "2026.904: installed" in said("install", str(file))
    listed = said("list")
    assert "cz-electricity-2026@2026.904  2026-01-01 to 2027-01-01  active, signed" in listed
    assert "cz-electricity-2027-informative@2027.1  2027-01-01 to 2028-01-01  inactive" in listed
    assert "becomes 1 CZK/MWh" in said("diff", "cz-electricity-2026@2026.4", "cz-electricity-2026@2026.904")
    said("activate", "cz-electricity-2026@2026.4", "--reason", "zpět")
    assert "cz-electricity-2026@2026.4  2026-01-01 to 2027-01-01  active" in said("list")
    assert "is not installed" in said("deactivate", "nothing@1", "--reason", "x", status=2)
    assert "There is no key 0" in said("distrust", "0", "--reason", "x", status=2)


def test_what_the_superior_distributor_should_bill_changes_with_the_package_too(site: BilledSite) -> None:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
    site.do("""
        INSERT INTO contract (number, kind, customer, payer, valid)
        SELECT 'N/1', 'purchase', operator, operator, '[2026-01-01,)' FROM supply_point
         WHERE point_type = 'entry' LIMIT 1
    """)
    site.do("""
        INSERT INTO contract_item (contract, supply_point, prices, reserved_input_kw, operator, valid, kind)
        SELECT c.id, e.id, 'CEZ', 4000, (SELECT max(id) FROM party), '[2026-01-01,)', 'purchase'
          FROM contract c, (SELECT id FROM supply_point WHERE point_type = 'entry' ORDER BY ean LIMIT 1) e
         WHERE c.number = 'N/1'
    """)
    site.do("""
        INSERT INTO reserved_capacity (supply_point, kind, kw, valid)
        SELECT supply_point, 'year', 300, '[2026-01-01,)' FROM contract_item WHERE kind = 'purchase'
    """)
    content = _package(version="2026.900")
    for table in content["tables"]:
        if table["component"] == "use_of_networks":
            table["rows"] = [[*row[:-1], "1"] for row in table["rows"]]
    new = {"new": {"content": seal(content, KEY)}}
    with site.client() as client:
        for state in ("unsettled", "settled"):
            (found,) = client.post("/v1/packages/diff", json=new).json()
            (entry,) = [row for row in found["effect"] if row["contract"] == "N/1"]
            assert "2026-03-01" in entry[state]
            assert entry["invoiced"] == []
            if state == "unsettled":
                point = site.one("SELECT supply_point FROM contract_item WHERE kind = 'purchase'")
                order = {"month": "2026-03", "points": [point]}
                made = client.post("/v1/settlement/runs", json=order)
                assert (made.status_code, made.json()["omitted"]) == (201, 0), made.text
