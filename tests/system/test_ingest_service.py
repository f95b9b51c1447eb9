"""The ingest service as processes, with a real broker and database that come and go."""

import asyncio
import random
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from central.platform.database import make_engine, transaction
from central.platform.incarnation import new_incarnation
from deploy.stack.local import LocalStack
from shared.quantities import Kind
from shared.wire import Birth, Block, Key, encode_batch, pack_batch
from tests.system.conftest import BrokerAccess
from tests.system.ingest_rig import (
    LOAD,
    MIDNIGHT_MS,
    QUARTER_MS,
    Concentrator,
    IngestProcess,
    concentrator,
    create_channels,
    device_of,
    ingest_process,
    number,
    rows,
)

pytestmark = pytest.mark.own_parts

KILLS = 6


@pytest.fixture
def site(database_url: str) -> str:
    """A database that knows the meters of two edges."""
    create_channels(database_url, ("CONC-1", "CONC-2"), meters=4)
    return database_url


def one_block(seq: int, edge: str | None = None) -> list[Block]:
    """The block of a batch: one quarter-hour of one of four meters, its value the number."""
    key = Key(device_of(edge, seq % 4 + 1), LOAD.register, "Wh", 0, Kind.INTERVAL)
    return [Block(key, MIDNIGHT_MS + seq * QUARTER_MS, QUARTER_MS, [seq])]


def values_of(url: str, edge: str) -> list[tuple[object, ...]]:
    return rows(
        url,
        "SELECT v.value, count(*) FROM block_value v JOIN evidence_channel e ON e.id = v.evidence_channel "
        "WHERE e.concentrator = %s GROUP BY 1 ORDER BY 1",
        edge,
    )


def once_each(count: int) -> list[tuple[int, int]]:
    return [(value, 1) for value in range(1, count + 1)]


async def flow(one: Concentrator, count: int, edge: str | None, pause_s: float = 0.0) -> None:
    """Send `count` batches with at most 64 open, repeating what is not acknowledged after a second."""
    body = {seq: encode_batch(pack_batch(one_block(seq, edge))) for seq in range(1, count + 1)}
    sent: dict[int, float] = {}
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(120):
        while len(one.acknowledged) < count:
            unacknowledged = [seq for seq in body if seq not in one.acknowledged][:64]
            for seq in unacknowledged:
                if loop.time() - sent.get(seq, -9.0) > 1.0:
                    sent[seq] = loop.time()
                    await one.publish(seq, body[seq])
                    await asyncio.sleep(pause_s)
            await asyncio.sleep(0.02)


async def test_two_processes_share_the_stream(site: str, broker: BrokerAccess, tmp_path: Path) -> None:
    with ExitStack() as processes:
        both = [processes.enter_context(ingest_process(site, broker.url, tmp_path)) for _ in range(2)]
        async with concentrator("CONC-1", broker.host, broker.port, broker.add_edge("CONC-1")) as one:
            await flow(one, 400, None)
            await asyncio.sleep(2.5)
        shares = [process.status()["messages"] for process in both]
    assert values_of(site, "CONC-1") == once_each(400)
    assert all(isinstance(share, int) and share > 50 for share in shares), shares
    assert number(site, "SELECT count(*) FROM quarantine") == 0


async def test_killed_at_random_moments_nothing_is_lost_or_doubled(
    site: str, broker: BrokerAccess, tmp_path: Path
) -> None:
    count, chance = 1_000, random.Random(20_260_301)
    process = IngestProcess(site, broker.url, tmp_path)
    process.start()
    passwords = [broker.add_edge(edge) for edge in ("CONC-1", "CONC-2")]
    async with (
        concentrator("CONC-1", broker.host, broker.port, passwords[0]) as first,
        concentrator("CONC-2", broker.host, broker.port, passwords[1], epoch=5) as second,
    ):
        flowing = asyncio.gather(flow(first, count, None, pause_s=0.002), flow(second, count, "CONC-2", pause_s=0.002))
        for _ in range(KILLS):
            await asyncio.to_thread(process.wait_until_ready)
            await asyncio.sleep(chance.uniform(0.0, 0.4))
            process.kill()
            process.start()
        await flowing
        await asyncio.to_thread(process.wait_until_ready)
    assert process.stop() == 0
    assert values_of(site, "CONC-1") == once_each(count)
    assert values_of(site, "CONC-2") == once_each(count)
    assert number(site, "SELECT count(*) FROM batch") == 2 * count


async def test_a_database_that_goes_away_costs_nothing_but_time(
    site: str, broker: BrokerAccess, stack: LocalStack, tmp_path: Path
) -> None:
    with ingest_process(site, broker.url, tmp_path) as process:
        async with concentrator("CONC-1", broker.host, broker.port, broker.add_edge("CONC-1")) as one:
            await one.send(1, one_block(1))
            await one.until_acknowledged(1)
            await asyncio.to_thread(stack.kill_database)
            try:
                for seq in range(2, 50):
                    await one.send(seq, one_block(seq))
                await asyncio.sleep(1.5)
                assert one.acknowledged == {1}
            finally:
                await asyncio.to_thread(stack.start_database)
            await one.until_acknowledged(*range(1, 50), within_s=30)  # without a resend: they had waited
        assert process.stop() == 0
    assert values_of(site, "CONC-1") == once_each(49)


async def test_a_broker_that_comes_back_is_found(
    site: str, broker: BrokerAccess, stack: LocalStack, tmp_path: Path
) -> None:
    with ingest_process(site, broker.url, tmp_path):
        password = broker.add_edge("CONC-1")
        async with concentrator("CONC-1", broker.host, broker.port, password) as one:
            await one.send(1, one_block(1))
            await one.until_acknowledged(1)
            # An orderly leave first: the test's own client must not end with an error.
        await asyncio.to_thread(stack.kill_broker)
        await asyncio.to_thread(stack.start_broker)
        async with concentrator("CONC-1", broker.host, broker.port, password) as one:
            await flow(one, 5, None)
    assert values_of(site, "CONC-1") == once_each(5)


async def test_a_message_that_the_database_refuses_does_not_take_others_with_it(
    site: str, broker: BrokerAccess, tmp_path: Path
) -> None:
    with psycopg.connect(site) as connection:
        connection.execute('ALTER TABLE block ADD CONSTRAINT no_beast CHECK ("values"[1] <> 666)')
    with ingest_process(site, broker.url, tmp_path) as process:
        async with concentrator("CONC-1", broker.host, broker.port, broker.add_edge("CONC-1")) as one:
            cursed = [Block(LOAD, MIDNIGHT_MS, QUARTER_MS, [666])]
            for seq in range(1, 41):
                await one.send(seq, cursed if seq == 17 else one_block(seq))
            await one.until_acknowledged(*range(1, 41))
            refused = [refusal for ack in one.acks for refusal in ack.refused]
        await asyncio.sleep(2.5)
        assert process.status()["bisections"]
    assert (17, -1, "store") in refused
    assert [value for value, _ in values_of(site, "CONC-1")] == [n for n in range(1, 41) if n != 17]
    ((body, reason),) = rows(site, "SELECT body, reason FROM quarantine")
    assert body == encode_batch(pack_batch(cursed))
    assert "no_beast" in str(reason)


async def test_bad_messages_are_answered_and_the_service_goes_on(
    site: str, broker: BrokerAccess, tmp_path: Path
) -> None:
    with ingest_process(site, broker.url, tmp_path):
        async with concentrator("CONC-1", broker.host, broker.port, broker.add_edge("CONC-1")) as one:
            await one.publish(1, b"\xc1\xc1\xc1")
            await one.publish(2, b"", [("edge", "CONC-1")])
            await one.publish(3, encode_batch(pack_batch(one_block(3))))
            await one.until_acknowledged(1, 3)
            refused = [refusal for ack in one.acks for refusal in ack.refused]
    assert (1, -1, "body") in refused
    assert 2 not in one.acknowledged
    assert rows(site, "SELECT reason_code, seq FROM quarantine ORDER BY 1") == [("address", None), ("body", 1)]
    assert values_of(site, "CONC-1") == [(3, 1)]


async def test_births_are_answered_also_by_a_process_that_starts_later(
    site: str, broker: BrokerAccess, tmp_path: Path
) -> None:
    async with concentrator("CONC-2", broker.host, broker.port, broker.add_edge("CONC-2")) as one:
        await one.be_born(Birth(True, one.epoch, [(one.epoch, 1, 2)]))
        with ingest_process(site, broker.url, tmp_path):
            await one.until(lambda: one.welcomes)
            first = one.welcomes[-1]
            assert first.incarnation and first.marks == [] and first.closed == []
            await one.send(1, one_block(4, "CONC-2"))
            await one.until_acknowledged(1)
            await one.be_born(Birth(True, one.epoch, [(one.epoch, 1, 2)], first.incarnation))
            await one.until(lambda: one.welcomes[-1].marks)
        device = device_of("CONC-2", 1)
        assert one.welcomes[-1].marks == [(device, LOAD.register, MIDNIGHT_MS + 5 * QUARTER_MS)]
        await one.forget_birth()


async def test_a_new_incarnation_is_told_to_every_edge_that_is_there(
    site: str, broker: BrokerAccess, tmp_path: Path
) -> None:
    passwords = {edge: broker.add_edge(edge) for edge in ("CONC-1", "CONC-2")}
    with ingest_process(site, broker.url, tmp_path):
        async with (
            concentrator("CONC-1", broker.host, broker.port, passwords["CONC-1"]) as first,
            concentrator("CONC-2", broker.host, broker.port, passwords["CONC-2"]) as second,
        ):
            for one in (first, second):
                await one.be_born(Birth(True, one.epoch))
                await one.until(lambda one=one: one.welcomes)
            engine = make_engine(site)
            with transaction(engine) as connection:
                new = new_incarnation(connection, datetime.now(UTC), "test")
            engine.dispose()
            await first.send(1, one_block(1))
            await second.until(lambda: second.welcomes[-1].incarnation == new)
            await first.until(lambda: first.acks and first.acks[-1].incarnation == new)
            assert {first.acks[-1].incarnation, second.welcomes[-1].incarnation} == {new}
            assert second.welcomes[0].incarnation != new
            await first.forget_birth()
            await second.forget_birth()


async def test_several_kinds_of_outage_while_data_flow(
    site: str, broker: BrokerAccess, stack: LocalStack, tmp_path: Path
) -> None:
    """The database stops in order and starts, twice, under two processes."""
    with ingest_process(site, broker.url, tmp_path), ingest_process(site, broker.url, tmp_path):
        async with concentrator("CONC-1", broker.host, broker.port, broker.add_edge("CONC-1")) as one:
            flowing = asyncio.create_task(flow(one, 1_500, None, pause_s=0.002))
            for _ in range(2):
                await asyncio.sleep(0.7)
                await asyncio.to_thread(stack.stop_database)
                await asyncio.sleep(0.3)
                await asyncio.to_thread(stack.start_database)
            await flowing
    assert values_of(site, "CONC-1") == once_each(1_500)
