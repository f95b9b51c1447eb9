"""The technician's pages on the real database: sign in, today's way, an order with a state, a photo and a signature."""

import base64
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from central.api.app import create_app
from central.network.maintenance.order_states import OrderState
from central.network.maintenance.work_orders import Work, assign, create_orders, require_order
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.identity import SYSTEM
from central.platform.settings import Settings
from shared.testing import ManualClock

NOW = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
NOVAK, EVA, DISPATCHER = "token-of-novak-0123", "token-of-eva-012345", "token-of-dispatch-01"
JPEG = b"\xff\xd8\xff\xe0" + bytes(200)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
SITE = """
INSERT INTO concentrator (id, name, place) VALUES ('K1', 'K1', 'rozvodna');
INSERT INTO meter (id, serial, model, commodity, concentrator) VALUES ('M1', '1', 'E650', 'electricity', 'K1');
INSERT INTO evidence_channel (concentrator, device, register, unit, exponent, kind, step_ms) VALUES
    ('K1', 'M1', '1-0:1.8.1', 'Wh', 2, 'state', 0), ('K1', 'M1', '1-0:1.8.2', 'Wh', 2, 'state', 0);
INSERT INTO measuring_point (name, commodity, place) VALUES ('P1', 'electricity', 'hala A, sloup 3');
INSERT INTO register_version (evidence_channel, digits, unit, exponent, tariff, obis, valid)
    SELECT id, 8, 'Wh', 2, CASE register WHEN '1-0:1.8.1' THEN 'VT' ELSE 'NT' END, register, '[2020-01-01,)'
    FROM evidence_channel;
INSERT INTO meter_state (evidence_channel, kind, at, value, entered_at, entered_by)
    SELECT id, 'initial', '2026-01-01T00:00:00+01', 1000, now(), 'test' FROM evidence_channel;
"""


@pytest.fixture
def engine(database_url: str) -> Any:
    made = make_engine(database_url)
    with transaction(made) as connection:
        connection.execute(text(SITE))
        point = connection.execute(text("SELECT id FROM measuring_point")).scalar_one()
        works = [
            Work("reading", title, date(2026, 3, day), "klíč u vrátného", point, "M1" if meter else None)
            for title, day, meter in (("Odečet P1", 4, True), ("Revize", 9, False), ("Odečet zítra", 9, True))
        ]
        create_orders(connection, works, OrderState.PROPOSED, SYSTEM, NOW)
        for number, who, day, place in (
            ("P-2026-000001", "Novák", 5, 2),
            ("P-2026-000002", "Eva", 5, 1),
            ("P-2026-000003", "Novák", 6, 1),
        ):
            order = require_order(connection, number, locked=True)
            assign(connection, order, who, date(2026, 3, day), place, SYSTEM, NOW)
    yield made
    made.dispose()


@pytest.fixture
async def phone(engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    people = [
        {"token": NOVAK, "name": "Novák", "rights": ["work"]},
        {"token": EVA, "name": "Eva", "rights": ["work"]},
        {"token": DISPATCHER, "name": "Dispečer", "rights": ["read", "operate"]},
        {"token": "token-of-a-reader-01", "name": "Čtenář", "rights": ["read"]},
    ]
    monkeypatch.setenv("ROZVODNA_TOKENS", json.dumps(people))
    monkeypatch.setenv("ROZVODNA_DATABASE_URL", database_url)
    app = create_app(Settings())
    app.dependency_overrides[get_clock] = lambda: ManualClock(NOW)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://central", follow_redirects=True) as opened:
        yield opened
    app.state.engine.dispose()


async def sign_in(phone: httpx.AsyncClient, token: str) -> str:
    """Sign in; gives the key that forms carry."""
    answer = await phone.post("/m/sign-in", data={"token": token})
    assert answer.status_code == 200, answer.text
    found = re.search(r'name="form_key" value="([^"]+)"', answer.text)
    assert found
    return found[1]


async def test_nobody_sees_anything_before_signing_in(phone: httpx.AsyncClient) -> None:
    answer = await phone.get("/m/")
    assert answer.status_code == 401
    assert "Přístupový kód" in answer.text
    wrong = await phone.post("/m/sign-in", data={"token": "token-of-nobody-0000"})
    assert wrong.status_code == 401
    assert "not known here" in wrong.text
    reader = await phone.post("/m/sign-in", data={"token": "token-of-a-reader-01"})
    assert (reader.status_code, "lacks the right" in reader.text) == (403, True)
    assert (await phone.get("/m/orders/P-2026-000001")).status_code == 401
    assert "script-src" not in answer.headers["content-security-policy"]
    assert (await phone.get("/m/static/../routes.py")).status_code == 404


async def test_a_technician_sees_todays_way_and_only_the_own_orders(phone: httpx.AsyncClient) -> None:
    await sign_in(phone, NOVAK)
    page = (await phone.get("/m/")).text
    assert "Odečet P1" in page
    assert "hala A, sloup 3" in page
    assert "po termínu" in page
    assert "Revize" not in page
    assert "zítra" not in page
    foreign = await phone.get("/m/orders/P-2026-000002")
    assert (foreign.status_code, "is not assigned to Novák" in foreign.text) == (403, True)
    english = (await phone.get("/m/?lang=en")).text
    assert "My work orders" in english
    assert "My work orders" in (await phone.get("/m/")).text, "the choice stays"
    await sign_in(phone, DISPATCHER)
    both = (await phone.get("/m/?lang=cs")).text
    assert both.index("Revize") < both.index("Odečet P1")


async def test_a_state_a_photo_and_a_signature_come_back_as_one(phone: httpx.AsyncClient, engine: Engine) -> None:
    key = await sign_in(phone, NOVAK)
    path = "/m/orders/P-2026-000001"
    assert 'name="state"' not in (await phone.get(path)).text
    begun = await phone.post(f"{path}/begin", data={"form_key": key})
    assert begun.status_code == 200
    assert ">Smazat podpis<" in begun.text
    assert "4. 3. 2026" in begun.text
    assert "object at" not in begun.text
    assert re.search(r"VT 1-0:1.8.1 \[kWh\].*?naposledy 100\.0 · 01\.01\.2026 00:00", begun.text, re.DOTALL)
    data = {
        "form_key": key,
        "result": "odečteno",
        "outcome": "done",
        "register": ["1-0:1.8.1", "1-0:1.8.2"],
        "state": ["1234,5", "99,9"],
        "signature": "data:image/png;base64," + base64.b64encode(PNG).decode(),
    }
    photos = [("photo", ("čelo.jpg", JPEG, "image/jpeg"))]
    lower = await phone.post(f"{path}/finish", data=data, files=photos)
    assert lower.status_code == 409
    assert "999" in lower.text, "the state below the last one is named"
    assert 'value="1234,5"' in lower.text, "what was written is not lost"
    with transaction(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM document")).scalar_one() == 0
        assert connection.execute(text("SELECT count(*) FROM meter_state WHERE kind = 'own'")).scalar_one() == 0
    data["state"] = ["1234,5", ""]
    done = await phone.post(f"{path}/finish", data=data, files=photos)
    assert done.status_code == 200, done.text
    with transaction(engine) as connection:
        state = connection.execute(text("SELECT * FROM meter_state WHERE kind = 'own'")).one()
        assert (state.value, state.at, state.entered_by, state.note) == (12345, NOW, "Novák", "P-2026-000001")
        roles = connection.execute(
            text("SELECT role, octets FROM work_order_document JOIN document ON id = document ORDER BY role")
        ).all()
        assert [(row.role, bytes(row.octets)) for row in roles] == [("photo", JPEG), ("signature", PNG)]
        order = require_order(connection, "P-2026-000001")
        assert (order["state"], order["result"], order["finished_by"]) == ("done", "odečteno", "Novák")
    again = await phone.post(f"{path}/finish", data=data, files=photos)
    assert again.status_code == 409
    shown = (await phone.get(path)).text
    link = re.search(r'href="([^"]+/documents/\d+)"', shown)
    assert link
    assert (await phone.get(link[1])).content == JPEG


async def test_forms_of_other_sessions_and_nonsense_are_refused(phone: httpx.AsyncClient) -> None:
    key = await sign_in(phone, EVA)
    path = "/m/orders/P-2026-000002"
    forged = await phone.post(f"{path}/begin", data={"form_key": "x" * 32})
    assert (forged.status_code, "not of this session" in forged.text) == (401, True)
    await phone.post(f"{path}/begin", data={"form_key": key})
    data = {"form_key": key, "result": "revize bez závad", "outcome": "done"}
    for wrong, status, said in [
        ({"outcome": "perhaps"}, 422, "not complete"),
        ({"result": " "}, 422, "without a word"),
        ({"signature": "data:text/html;base64,PHA+"}, 422, "no drawing"),
        ({"register": ["1-0:1.8.1"], "state": ["1"]}, 409, "about no meter"),
    ]:
        answer = await phone.post(f"{path}/finish", data={**data, **wrong})
        assert (answer.status_code, said in answer.text) == (status, True), answer.text
    for content, said in [("A" * 1_000_000, "no drawing"), ("A" * 1_500_000, "exceeded maximum size")]:
        answer = await phone.post(f"{path}/finish", data={**data, "signature": f"data:image/png;base64,{content}"})
        assert (answer.status_code in (400, 422), said in answer.text, "<html" in answer.text) == (True, True, True)
    for strange in ("/m/orders/%00", "/m/orders/a%00b", "/m/none", "/m/orders/P-2026-000002/documents/9" + "9" * 30):
        answer = await phone.get(strange)
        assert (answer.status_code in (404, 422), "<html" in answer.text) == (True, True), strange
    answer = await phone.post(f"{path}/finish", data={**data, "result": "<script>x()</script>", "signature": "?"})
    assert "&lt;script&gt;x()" in answer.text and "<script>x()" not in answer.text
    text_file = [("photo", ("a.jpg", b"<script>", "image/jpeg"))]
    answer = await phone.post(f"{path}/finish", data=data, files=text_file)
    assert (answer.status_code, "does not begin as image/jpeg" in answer.text) == (422, True)
    assert (await phone.post(f"{path}/finish", data=data)).status_code == 200
    await phone.post("/m/sign-out", data={"form_key": key})
    assert (await phone.get("/m/")).status_code == 401
