"""The issue's paragraph on bad input, line by line, through a real broker into a real database and out of the API."""

import json
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest

from central.api.app import create_app
from central.ingest.decode import prepare
from central.ingest.message import Message
from central.ingest.testing import KnownChannels
from central.platform.settings import Settings
from shared.clock import SystemClock
from shared.quantities import MISSING_VALUE, Kind
from shared.wire import (
    DELTA_ZLIB,
    Batch,
    Block,
    BlockColumns,
    Key,
    Record,
    data_topic,
    encode_batch,
    pack_batch,
    state_topic,
    user_properties,
)
from tests.system.conftest import BrokerAccess
from tests.system.ingest_rig import (
    LOAD,
    MIDNIGHT_MS,
    QUARTER_MS,
    STATE,
    concentrator,
    create_channels,
    ingest_process,
    rows,
)

pytestmark = pytest.mark.own_parts

TOKEN = "token-of-the-operator"
DAY_MS = 96 * QUARTER_MS
SOON_MS = SystemClock().now_ms() // QUARTER_MS * QUARTER_MS + 8 * QUARTER_MS

BAD_BLOCKS: dict[str, tuple[Block, str]] = {
    "channel": (Block(Key("LU-404", "x", "Wh", 0, Kind.INTERVAL), MIDNIGHT_MS, QUARTER_MS, [1]), "unknown_channel"),
    "register in another case": (
        Block(Key("lu-1", LOAD.register, "Wh", 0, Kind.INTERVAL), MIDNIGHT_MS, QUARTER_MS, [1]),
        "unknown_channel",
    ),
    "too much": (Block(LOAD, MIDNIGHT_MS, QUARTER_MS, [1, 100_001]), "out_of_range"),
    "negative": (Block(LOAD, MIDNIGHT_MS, QUARTER_MS, [-1]), "out_of_range"),
    "sentinel": (Block(LOAD, MIDNIGHT_MS, QUARTER_MS, [1, MISSING_VALUE]), "missing_value"),
    "future": (Block(LOAD, SOON_MS, QUARTER_MS, [1]), "future"),
    "end of time": (Block(LOAD, 2**63 - 1, QUARTER_MS, [1]), "future"),
    "before time": (Block(LOAD, -(2**63), QUARTER_MS, [1]), "too_early"),
    "unit": (Block(Key("LU-1", LOAD.register, "kWh", 0, Kind.INTERVAL), MIDNIGHT_MS, QUARTER_MS, [1]), "unit"),
    "exponent": (Block(Key("LU-1", LOAD.register, "Wh", 3, Kind.INTERVAL), MIDNIGHT_MS, QUARTER_MS, [1]), "unit"),
    "kind": (Block(Key("LU-1", LOAD.register, "Wh", 0, Kind.STATE), MIDNIGHT_MS, 0, [1]), "kind"),
    "step": (Block(LOAD, MIDNIGHT_MS, 60_000, [1]), "step"),
    "no step": (Block(LOAD, MIDNIGHT_MS, 0, [1]), "step"),
    "empty": (Block(LOAD, MIDNIGHT_MS, QUARTER_MS, []), "empty"),
    "across a day": (Block(LOAD, MIDNIGHT_MS + 95 * QUARTER_MS, QUARTER_MS, [1, 2]), "crosses_day"),
    "beside the grid": (Block(LOAD, MIDNIGHT_MS + 1, QUARTER_MS, [1]), "off_grid"),
    "state twice": (Block(STATE, MIDNIGHT_MS, 0, [1, 2]), "too_long"),
    "state below 0": (Block(STATE, MIDNIGHT_MS, 0, [-1]), "out_of_range"),
}


def columns(**changed: bytes | int) -> bytes:
    """A batch of one good block with some of its columns changed."""
    batch = pack_batch([Block(LOAD, MIDNIGHT_MS, QUARTER_MS, [1, 2])])
    assert batch.intervals is not None
    for name, value in changed.items():
        setattr(batch.intervals, name, value)
    return encode_batch(batch)


def number_octets(value: int, width: int = 4) -> bytes:
    return value.to_bytes(width, "little", signed=True)


GOOD = encode_batch(pack_batch([Block(LOAD, MIDNIGHT_MS, QUARTER_MS, [1])]))
BAD_BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "body"),
    "not msgpack": (b"\xc1\xc1", "body"),
    "json": (b'{"keys": []}', "body"),
    "cut": (GOOD[:-3], "body"),
    "something behind": (GOOD + b"\x00", "body"),
    "invalid utf-8 in a key": (b"\x91\x91\x95\xa2\xff\xfe\xa1b\xa2Wh\x00\xa8interval", "body"),
    "deep": (b"\x91" * 100_000, "body"),
    "deep within": (b"\x94\x90\xc0\xc0\x91\x94\xa1a\xa1b\x01\x81\xa1c" + b"\x91" * 100_000, "body"),
    "4 G keys declared": (b"\x94\xdd\xff\xff\xff\xff", "body"),
    "4 G octets declared": (b"\x92\x90\x99\xc6\xff\xff\xff\xff", "body"),
    "negative count": (columns(count=number_octets(-2)), "column"),
    "count beyond the values": (columns(count=number_octets(2**31 - 1)), "column"),
    "a key that is not there": (columns(key=number_octets(1)), "column"),
    "a negative key": (columns(key=number_octets(-1)), "column"),
    "a column too short": (columns(start=b"\0" * 7), "column"),
    "qualities without a block": (columns(quality=b"\0\0"), "column"),
    "a flagged block that is not there": (columns(flagged=number_octets(1), quality=b"\0" * 4), "column"),
    "unknown packing": (columns(packing=7), "packing"),
    "not deflated": (columns(packing=DELTA_ZLIB), "packing"),
    "a bomb": (columns(packing=DELTA_ZLIB, values=zlib.compress(bytes(1 << 26))), "packing"),
}


async def test_bad_input_is_kept_counted_named_and_replayable(
    database_url: str, broker: BrokerAccess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_channels(database_url)
    expected: set[tuple[int, int, str]] = set()
    bodies: dict[int, bytes] = {}
    with ingest_process(database_url, broker.url, tmp_path):
        async with concentrator("CONC-1", broker.host, broker.port, broker.add_edge("CONC-1")) as one:
            # Garbage where a birth should be, retained, before and while data flow.
            for garbage in (b"\xc1", b"\xdf\xff\xff\xff\xff", b"\x81\xa6online\xa3yes", b"\x91" * 100_000):
                await one._client.publish(state_topic("CONC-1"), garbage, qos=1, retain=True)
            seq = 1
            # All bad blocks in one batch, a good one among them, and one with each key twice.
            blocks = [block for block, _ in BAD_BLOCKS.values()]
            intervals = [block for block in blocks if block.key.kind is Kind.INTERVAL]
            states = [block for block in blocks if block.key.kind is Kind.STATE]
            reason = {id(block): why for block, why in BAD_BLOCKS.values()}
            good = Block(LOAD, MIDNIGHT_MS + 4 * QUARTER_MS, QUARTER_MS, [77])
            await one.send(seq, [*intervals, good, *states], [Record("gap", "LU-1", SOON_MS)])
            for index, block in enumerate([*intervals, None, *states]):
                if block is not None:
                    expected.add((seq, index, reason[id(block)]))
            expected.add((seq, len(blocks) + 1, "record"))
            seq = 2
            twice = pack_batch([Block(LOAD, MIDNIGHT_MS + n * DAY_MS, QUARTER_MS, [n]) for n in (1, 2)])
            assert twice.intervals is not None
            twice.keys.append(LOAD)
            twice.intervals.key = number_octets(0) + number_octets(1)
            await one.publish(seq, encode_batch(twice))
            for body, why in BAD_BODIES.values():
                seq += 1
                bodies[seq] = body
                expected.add((seq, -1, why))
                await one.publish(seq, body)
            for changed, why in ((("schema", "99"), "schema"), (("edge", "CONC-2"), "edge_mismatch")):
                seq += 1
                bodies[seq] = GOOD
                expected.add((seq, -1, why))
                properties = [changed if name == changed[0] else (name, value) for name, value in one_properties(seq)]
                await one.publish(seq, GOOD, properties)
            await one.publish(0, GOOD, [("edge", "CONC-1"), ("epoch", "xyz"), ("seq", "1"), ("schema", "1")])
            await one.publish(0, GOOD, [])
            seq += 1
            await one.send(seq, [Block(LOAD, MIDNIGHT_MS + 5 * QUARTER_MS, QUARTER_MS, [78])])
            await one.until_acknowledged(*range(1, seq + 1))
            # Repeated, as an edge does that missed the answer: nothing is kept twice.
            for again in (3, 4, 5):
                await one.publish(again, bodies[again])
            told: Callable[[], set[tuple[int, int, str]]] = lambda: {each for ack in one.acks for each in ack.refused}  # noqa: E731
            await one.until(lambda: told() >= expected)
            assert told() == expected
            await one.forget_birth()
    assert rows(database_url, 'SELECT "values" FROM block ORDER BY start') == [([77],), ([78],), ([1],), ([2],)]
    kept = rows(database_url, "SELECT seq, index, reason_code FROM quarantine WHERE seq IS NOT NULL")
    assert {(row[0], row[1], row[2]) for row in kept} == expected
    assert len(kept) == len(expected)
    assert rows(database_url, "SELECT count(*) FROM quarantine WHERE seq IS NULL AND reason_code = 'address'") == [(2,)]
    for number, body in bodies.items():
        assert rows(database_url, "SELECT body FROM quarantine WHERE seq = %s", number) == [(body,)]

    # In the API; and after the limit is raised, what was too much is taken, once.
    monkeypatch.setenv("ROZVODNA_TOKENS", json.dumps([{"token": TOKEN, "name": "Eva", "rights": ["read", "operate"]}]))
    monkeypatch.setenv("ROZVODNA_DATABASE_URL", database_url)
    app = create_app(Settings())
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE evidence_channel SET max_value = 200000 WHERE kind = 'interval'")
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://central", headers=headers) as client:
        listed = (await client.get("/v1/quarantine?limit=1000")).json()
        assert sum(listed["counts"].values()) == len(listed["items"]) == len(expected) + 2
        for item in listed["items"]:
            answer = await client.get(f"/v1/quarantine/{item['id']}")
            assert answer.status_code == 200, answer.text
            assert item["reason"].endswith(".")
        done = (await client.post("/v1/quarantine/replay", json={"limit": 1000})).json()
        assert len(done["replayed"]) == 1
        assert len(done["kept"]) == len(expected) + 1
    app.state.engine.dispose()
    assert rows(database_url, 'SELECT "values" FROM block ORDER BY start LIMIT 1') == [([1, 100_001],)]
    assert rows(database_url, "SELECT person, act FROM audit") == [("Eva", "quarantine.replay_many")]


def one_properties(seq: int) -> list[tuple[str, str]]:
    return user_properties("CONC-1", 0xE000_0000_0000_0001, seq)


def test_a_large_message_of_bad_blocks_does_not_hold_up_ingest() -> None:
    """A foreign broker may let 16 MB through: 800,000 empty blocks. Here a quarter: no reading of all for each one."""
    count = 200_000
    key = Key("LU-404", "x", "Wh", 0, Kind.INTERVAL)
    empty = BlockColumns(bytes(4 * count), bytes(8 * count), bytes(4 * count), bytes(4 * count), bytes(count), b"")
    message = Message(data_topic("CONC-1"), encode_batch(Batch([key], empty)), one_properties(1))
    begun = time.process_time()
    prepared, _ = prepare([message], KnownChannels([]), SystemClock().now_ms())
    assert prepared.refusals
    assert time.process_time() - begun < 15
