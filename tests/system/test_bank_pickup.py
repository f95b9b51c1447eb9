"""Bank statements by a form and from the watched folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from central.invoicing.payments.pickup import BankPickup
from tests.system.payments_rig import Desk, Line, abo, camt, open_desk


@pytest.fixture
def desk(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Desk]:
    with open_desk(database_url, monkeypatch, tmp_path) as opened:
        yield opened


def test_statements_come_by_a_form_and_from_a_folder_each_once(desk: Desk, tmp_path: Path) -> None:
    content = abo([Line("10.00", "7001")])
    answer = desk.client.post("/v1/bank-statements/upload", files={"file": ("a\0b.gpc", content)})
    assert (answer.status_code, answer.json()["payments"]) == (201, 1)
    assert desk.client.post("/v1/bank-statements/upload", files={"file": ("x", b"\xff\xfe")}).status_code == 422
    folder = tmp_path / "bank"
    folder.mkdir()
    (folder / "a.gpc").write_bytes(content)
    (folder / "b.xml").write_bytes(camt([Line("20.00", "7001")], number=2, old="1010.00"))
    (folder / "c.gpc").write_bytes(abo([Line("5.00")], own="19-999"))
    (folder / "d.part").write_bytes(content)
    pickup = BankPickup(desk.engine, desk.clock, folder)
    assert pickup.look() == []  # somebody may still be writing them
    assert [taken.outcome for taken in pickup.look()] == ["known", "booked", "refused"]
    assert pickup.look() == []
    refused, *others = desk.get("/v1/bank-pickups")
    assert [row["outcome"] for row in others] == ["booked", "known"]
    assert "0000190000000999" in refused["reason"]
    assert desk.sql("SELECT sum(amount)::text FROM payment") == "30.00"
    desk.do("UPDATE party SET iban = 'CZ4008000000190000000999' WHERE code = 'SPRAVCE'")
    desk.do("UPDATE party SET roles = '{operator}' WHERE code = 'SPRAVCE'")
    again = f"/v1/bank-pickups/{refused['id']}/again"
    assert desk.post(again, {"reason": "účet doplněn"})["outcome"] == "again"
    assert [taken.outcome for taken in pickup.look()] == ["booked"]
    assert desk.post(again, {"reason": "účet doplněn"}, 409)["code"] == "not_refused"
    assert desk.post("/v1/bank-pickups/9999/again", {"reason": "x"}, 404)["code"] == "pickup_not_found"
    assert BankPickup(desk.engine, desk.clock, tmp_path / "away").look() == []
    assert BankPickup(desk.engine, desk.clock, None).look() == []
