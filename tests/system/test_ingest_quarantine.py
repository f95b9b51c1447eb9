"""Quarantine over the API: seen, mended, replayed; what is still bad stays."""

import asyncio
import base64
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from central.api.app import create_app
from central.ingest.committer import Committer, Preparer
from central.ingest.message import Message
from central.platform.settings import Settings, TokenSetting
from shared.clock import SystemClock
from shared.quantities import Kind
from shared.wire import Birth, Block, Key, Record, data_topic, encode_batch, pack_batch, user_properties
from tests.system.ingest_rig import LOAD, MIDNIGHT_MS, QUARTER_MS, STATE, create_channel, create_channels, number, rows

EPOCH = 0xABCD_0000_0000_0001
NEW = Key("LU-1", "1-0:2.29.0", "Wh", 0, Kind.INTERVAL)
TOKENS = (
    TokenSetting(token=SecretStr("reads-and-operates"), name="Olga", rights=frozenset({"read", "operate"})),
    TokenSetting(token=SecretStr("only-ever-reads-it"), name="Rudolf", rights=frozenset({"read"})),
)


class Client:
    """Asks the app as an HTTP client would."""

    def __init__(self, url: str) -> None:
        self.app = create_app(Settings(database_url=url, tokens=TOKENS))
        self.headers: dict[str, str] = {}

    def get(self, path: str, params: Any = None) -> httpx.Response:
        return asyncio.run(self._ask("GET", path, params, None))

    def post(self, path: str, json: Any = None) -> httpx.Response:
        return asyncio.run(self._ask("POST", path, None, json))

    async def _ask(self, method: str, path: str, params: Any, json: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://central", headers=self.headers) as client:
            return await client.request(method, path, params=params, json=json)


class Operator:
    """Someone at the API of a database that also takes batches."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.preparer = Preparer(url, SystemClock())
        self.committer = Committer(url, SystemClock())
        self.client = Client(url)
        self.client.headers["authorization"] = "Bearer reads-and-operates"

    def take(self, seq: int, blocks: list[Block], records: list[Record] | None = None, epoch: int = EPOCH) -> Message:
        message = Message(
            data_topic("CONC-1"),
            encode_batch(pack_batch(blocks, records or [])),
            user_properties("CONC-1", epoch, seq),
        )
        self.take_message(message)
        return message

    def take_message(self, message: Message) -> None:
        prepared, _ = self.preparer.prepare([message])
        self.committer.commit(prepared)

    def kept(self) -> list[tuple[object, ...]]:
        return rows(self.url, "SELECT id, reason_code FROM quarantine ORDER BY id")


@pytest.fixture
def operator(database_url: str) -> Iterator[Operator]:
    create_channels(database_url)
    one = Operator(database_url)
    yield one
    one.preparer.drop()
    one.committer.drop()
    one.client.app.state.engine.dispose()


def block(place: int, key: Key = LOAD, values: list[int] | None = None) -> Block:
    return Block(key, MIDNIGHT_MS + place * QUARTER_MS, QUARTER_MS, [place] if values is None else values, None, 2)


def mend(operator: Operator) -> None:
    """Create the channel that was missing."""
    with psycopg.connect(operator.url) as connection:
        create_channel(connection, "CONC-1", "LU-1", NEW.register, "interval", QUARTER_MS)


def test_entries_are_listed_with_counts_by_reason(operator: Operator) -> None:
    operator.take(1, [block(1), block(2, NEW), block(3, values=[-1]), block(4, NEW)])
    found = operator.client.get("/v1/quarantine").json()
    assert found["counts"] == {"out_of_range": 1, "unknown_channel": 2}
    assert [(item["index"], item["reason_code"]) for item in found["items"]] == [
        (1, "unknown_channel"),
        (2, "out_of_range"),
        (3, "unknown_channel"),
    ]
    assert found["items"][0]["epoch"] == f"{EPOCH:016x}"
    only = operator.client.get("/v1/quarantine", params={"reason": "out_of_range", "edge": "CONC-1"}).json()
    assert only["counts"] == {"out_of_range": 1} and len(only["items"]) == 1
    assert operator.client.get("/v1/quarantine", params={"edge": "CONC-9"}).json() == {"counts": {}, "items": []}
    rest = operator.client.get("/v1/quarantine", params={"after": found["items"][1]["id"], "limit": 5}).json()
    assert [item["index"] for item in rest["items"]] == [3]


def test_an_entry_shows_its_bytes_and_its_block(operator: Operator) -> None:
    operator.take(1, [block(1), Block(NEW, MIDNIGHT_MS, QUARTER_MS, [5, 6], [0, 16], 1)])
    ((entry, _),) = operator.kept()
    found = operator.client.get(f"/v1/quarantine/{entry}").json()
    assert found["blocks"] == [
        {
            "device": "LU-1",
            "register": "1-0:2.29.0",
            "unit": "Wh",
            "exponent": 0,
            "kind": "interval",
            "start": "2026-03-01T23:00:00Z",
            "start_ms": MIDNIGHT_MS,
            "step_ms": QUARTER_MS,
            "values": [5, 6],
            "quality": [0, 16],
        }
    ]
    assert base64.b64decode(found["body_base64"]) == encode_batch(
        pack_batch([Block(NEW, MIDNIGHT_MS, QUARTER_MS, [5, 6], [0, 16], 1)])
    )
    assert found["size"] == len(base64.b64decode(found["body_base64"]))


def test_an_instant_outside_of_the_calendar_can_be_looked_at(operator: Operator) -> None:
    operator.take(1, [Block(LOAD, -(2**63), QUARTER_MS, [1])])
    ((entry, reason),) = operator.kept()
    found = operator.client.get(f"/v1/quarantine/{entry}").json()
    assert reason == "too_early"
    assert (found["blocks"][0]["start"], found["blocks"][0]["start_ms"]) == (None, -(2**63))


def test_a_block_is_replayed_after_the_cause_is_mended(operator: Operator) -> None:
    operator.take(1, [block(1), Block(NEW, MIDNIGHT_MS, QUARTER_MS, [5, 6], [0, 16], 1)])
    with psycopg.connect(operator.url) as connection:
        connection.execute("UPDATE batch SET consolidated_at = now()")
    ((entry, _),) = operator.kept()
    refused = operator.client.post(f"/v1/quarantine/{entry}/replay")
    assert (refused.status_code, refused.json()["code"]) == (409, "unknown_channel")
    assert "LU-1 1-0:2.29.0" in refused.json()["message"]
    assert len(operator.kept()) == 1
    mend(operator)
    done = operator.client.post(f"/v1/quarantine/{entry}/replay")
    batch = number(operator.url, "SELECT id FROM batch")
    assert done.json() == {"id": entry, "batch_id": batch, "values": 2, "readings": 0, "events": 0, "refused": {}}
    assert operator.kept() == []
    assert rows(operator.url, 'SELECT batch_id, "values", quality, marks FROM block WHERE quality IS NOT NULL') == [
        (batch, [5, 6], [0, 16], 1)
    ]
    ((channels, consolidated),) = rows(operator.url, "SELECT evidence_channels, consolidated_at FROM batch")
    assert channels == [1, 3] and consolidated is None
    assert operator.client.post(f"/v1/quarantine/{entry}/replay").status_code == 404
    assert rows(operator.url, "SELECT person, act, subject FROM audit") == [
        ("Olga", "quarantine.replay", f"quarantine/{entry}")
    ]


def test_all_of_a_reason_are_replayed_and_the_others_stay(operator: Operator) -> None:
    operator.take(1, [block(1, NEW), block(2, values=[-1]), block(3, NEW)], [Record("gap", "LU-1", 7)])
    operator.take(2, [block(4, NEW), Block(Key("LU-404", "x", "Wh", 0, Kind.INTERVAL), MIDNIGHT_MS, QUARTER_MS, [1])])
    mend(operator)
    done = operator.client.post("/v1/quarantine/replay", json={"reason": "unknown_channel"}).json()
    assert sum(one["values"] for one in done["replayed"]) == len(done["replayed"]) == 3
    assert [one["code"] for one in done["kept"]] == ["unknown_channel"]
    assert [reason for _, reason in operator.kept()] == ["out_of_range", "record", "unknown_channel"]
    everything = operator.client.post("/v1/quarantine/replay", json={}).json()
    assert everything["replayed"] == []
    assert [one["code"] for one in everything["kept"]] == ["out_of_range", "record", "unknown_channel"]
    assert number(operator.url, "SELECT count(*) FROM block") == 3


def test_a_state_widens_its_batch(operator: Operator) -> None:
    operator.take(1, [Block(STATE, MIDNIGHT_MS, 0, [-5])])
    with psycopg.connect(operator.url) as connection:
        connection.execute("UPDATE evidence_channel SET min_value = -10")
    ((entry, _),) = operator.kept()
    assert operator.client.post(f"/v1/quarantine/{entry}/replay").json()["readings"] == 1
    assert rows(operator.url, "SELECT value FROM register_reading") == [(-5,)]
    assert rows(operator.url, "SELECT evidence_channels, first_start = last_end FROM batch") == [([2], True)]


def test_a_whole_body_is_replayed_and_its_bad_blocks_become_entries(operator: Operator) -> None:
    """A batch that came after its number was closed: a body that can be read, held back as a whole."""
    operator.take(1, [block(1)], epoch=5)
    operator.take(3, [block(3)], epoch=5)
    operator.committer.welcome("CONC-1", Birth(True, EPOCH))
    operator.take(2, [block(2), block(4, values=[-1])], [Record("gap", "LU-1", MIDNIGHT_MS)], epoch=5)
    ((entry, reason),) = operator.kept()
    assert reason == "closed_number"
    done = operator.client.post(f"/v1/quarantine/{entry}/replay").json()
    assert (done["values"], done["events"], done["refused"]) == (1, 1, {"out_of_range": 1})
    assert [reason for _, reason in operator.kept()] == ["out_of_range"]
    assert rows(operator.url, "SELECT evidence_channels, closed FROM batch WHERE seq = 2") == [([1], False)]


@pytest.mark.parametrize(
    ("properties", "body", "code"),
    [
        (user_properties("CONC-1", EPOCH, 1), b"\xc1", "body"),
        ([*user_properties("CONC-1", EPOCH, 1)[:3], ("schema", "2")], b"", "schema"),
        (user_properties("CONC-2", EPOCH, 1), b"", "edge_mismatch"),
        ([], b"", "address"),
    ],
)
def test_what_cannot_be_read_stays(
    operator: Operator, properties: list[tuple[str, str]], body: bytes, code: str
) -> None:
    operator.take_message(Message(data_topic("CONC-1"), body, properties))
    ((entry, reason),) = operator.kept()
    refused = operator.client.post(f"/v1/quarantine/{entry}/replay")
    assert (reason, refused.status_code, refused.json()["code"]) == (code, 409, code)
    assert operator.client.get(f"/v1/quarantine/{entry}").json()["blocks"] is None
    assert operator.kept() == [(entry, code)]


def test_events_are_listed(operator: Operator) -> None:
    operator.take(1, [], [Record("gap", "LU-1", MIDNIGHT_MS, {"n": 3}), Record("clock", "LU-1", MIDNIGHT_MS + 1)])
    found = operator.client.get("/v1/edge-events").json()
    assert [(event["kind"], event["data"]) for event in found] == [("gap", {"n": 3}), ("clock", {})]
    assert found[0]["at"] == "2026-03-01T23:00:00Z"
    params = {"kind": "clock", "edge": "CONC-1", "after": found[0]["id"]}
    assert [event["kind"] for event in operator.client.get("/v1/edge-events", params=params).json()] == ["clock"]


def test_replaying_needs_the_right_to_operate(operator: Operator) -> None:
    operator.take(1, [block(1, NEW)])
    ((entry, _),) = operator.kept()
    operator.client.headers["authorization"] = "Bearer only-ever-reads-it"
    assert operator.client.get("/v1/quarantine").status_code == 200
    for path, body in ((f"/v1/quarantine/{entry}/replay", None), ("/v1/quarantine/replay", {})):
        assert operator.client.post(path, json=body).status_code == 403
    del operator.client.headers["authorization"]
    assert operator.client.get("/v1/quarantine").status_code == 401
    assert len(operator.kept()) == 1


@pytest.mark.parametrize("path", ["/v1/quarantine/0", "/v1/quarantine/99999999999999999999", "/v1/quarantine?edge=%00"])
def test_what_is_asked_wrongly_is_said(operator: Operator, path: str) -> None:
    assert operator.client.get(path).status_code == 422


def test_an_entry_that_is_not_there(operator: Operator) -> None:
    missing = operator.client.get("/v1/quarantine/77")
    assert (missing.status_code, missing.json()["code"]) == (404, "quarantine_not_found")


def test_what_is_discarded_leaves_the_counts_and_stays_with_its_bytes(operator: Operator) -> None:
    operator.take(1, [block(1), block(2, NEW), block(3, values=[-1])])
    entry = next(item["id"] for item in operator.client.get("/v1/quarantine").json()["items"] if item["index"] == 2)
    path = f"/v1/quarantine/{entry}"
    body = operator.client.get(path).json()["body_base64"]
    assert operator.client.post(f"{path}/discard", {"reason": ""}).status_code == 422
    answer = operator.client.post(f"{path}/discard", {"reason": "the meter's firmware was faulty"})
    assert (answer.status_code, answer.json()["discarded_by"]) == (200, "Olga")
    assert operator.client.get("/v1/quarantine").json()["counts"] == {"unknown_channel": 1}
    given_up = operator.client.get("/v1/quarantine", params={"discarded": True}).json()
    assert [item["discard_reason"] for item in given_up["items"]] == ["the meter's firmware was faulty"]
    assert operator.client.get(path).json()["body_base64"] == body
    for act in ("discard", "replay"):
        refused = operator.client.post(f"{path}/{act}", {"reason": "again"} if act == "discard" else None)
        assert (refused.status_code, refused.json()["code"]) == (409, "discarded")
    assert operator.client.post("/v1/quarantine/replay", {}).json()["replayed"] == []
    acts = "SELECT person, details ->> 'reason' FROM audit WHERE act = 'quarantine.discard'"
    assert rows(operator.url, acts) == [("Olga", "the meter's firmware was faulty")]
    assert operator.client.post("/v1/quarantine/999999/discard", {"reason": "x"}).status_code == 404
