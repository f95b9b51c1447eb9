"""The uplink against a broker in memory and a model of central: numbers, resends, refusals, restores, kills."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from edge.config import UplinkConfig
from edge.outbox.model import Deposit, Lane, RegisterStretch
from edge.outbox.outbox import Outbox
from edge.timeline import Known, Stretch
from edge.uplink.link import NOT_AUTHORIZED, SUCCESS, Message
from edge.uplink.testing import CentralModel, FakeBroker
from edge.uplink.uplink import Identity, Uplink
from shared.testing import ManualClock
from shared.wire import (
    MARK_REREAD,
    Welcome,
    ack_topic,
    data_topic,
    decode_birth,
    encode_message,
    parse_properties,
    state_topic,
)
from tests.unit.edge.examples import MARCH, device, interval_block, state_block

EDGE = "CONC-1"
FAST = UplinkConfig(
    resend_first_s=0.05,
    resend_most_s=0.1,
    refused_first_s=0.05,
    refused_most_s=0.1,
    reconnect_first_s=0.005,
    reconnect_most_s=0.02,
    linger_s=0.005,
    batch_blocks=4,
)
EPOCHS = itertools.count(2**63 + 5)


@asynccontextmanager
async def uplink(
    path: Path, broker: FakeBroker, settings: UplinkConfig = FAST, on_days: Callable[[], None] = lambda: None
) -> AsyncIterator[tuple[Uplink, Outbox]]:
    """A running uplink with its outbox; ends as by SIGKILL if an exception passes, else in order."""
    outbox = await Outbox.open(path)
    identity = Identity(EDGE, next(EPOCHS), "test", 1)
    found = Uplink(identity, settings, broker, outbox, ManualClock(MARCH), [device("LU-1")], on_days)
    await found.prepare()
    task = asyncio.create_task(found.run())
    try:
        yield found, outbox
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await outbox.close()


async def until(holds: Callable[[], bool], timeout: float = 3.0) -> None:
    async with asyncio.timeout(timeout):
        while not holds():
            await asyncio.sleep(0.002)


def idle(outbox: Outbox) -> bool:
    return not (outbox.counts.pending or outbox.counts.unacked or outbox.counts.reoffered)


def data(broker: FakeBroker) -> list[tuple[int, int]]:
    found = [parse_properties(m.properties) for m in broker.accepted if m.topic == data_topic(EDGE)]
    return [(each.epoch, each.seq) for each in found]


async def test_birth_batches_acknowledgement_goodbye(tmp_path: Path) -> None:
    broker, central = FakeBroker(), CentralModel()
    central.attach(broker)
    async with uplink(tmp_path / "o", broker) as (found, outbox):
        await asyncio.gather(*(outbox.deposit(Deposit([state_block("EA-1", n, n)])) for n in range(10)))
        await until(lambda: idle(outbox))
        assert found.status.connected
        assert found.status.incarnation == "one"
        birth = decode_birth(broker.retained[state_topic(EDGE)].payload)
        assert birth.online
        assert birth.held[0][1] == 1
    assert sorted(block.values[0] for block in central.blocks(EDGE)) == list(range(10))
    assert {seq for _, seq in data(broker)} == {1, 2, 3}
    goodbye = decode_birth(broker.retained[state_topic(EDGE)].payload)
    assert not goodbye.online
    assert goodbye.held == []


async def test_batches_that_central_did_not_hear_are_sent_again_under_the_same_number(tmp_path: Path) -> None:
    broker, central = FakeBroker(), CentralModel()
    async with uplink(tmp_path / "o", broker) as (_, outbox):
        await outbox.deposit(Deposit([state_block("EA-1", 1, 1)]))
        await until(lambda: len(data(broker)) >= 3)
        central.attach(broker)
        await until(lambda: idle(outbox))
    assert len(set(data(broker))) == 1
    assert len(central.blocks(EDGE)) == 1


async def test_a_welcome_hurries_what_waits(tmp_path: Path) -> None:
    broker, central = FakeBroker(), CentralModel()
    slow = UplinkConfig(resend_first_s=5.0, linger_s=0.005)
    async with uplink(tmp_path / "o", broker, slow) as (_, outbox):
        await outbox.deposit(Deposit([state_block("EA-1", 1, 1)]))
        await until(lambda: len(data(broker)) == 1)
        central.attach(broker)
        await asyncio.sleep(1.01)  # a fifth of the resend time: central may be at work on it no longer
        broker.accept(Message(ack_topic(EDGE), encode_message(Welcome("one"))))
        await until(lambda: idle(outbox))
    assert len(data(broker)) == 2


async def test_it_keeps_up_while_the_broker_is_there_and_central_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = FakeBroker()
    settings = UplinkConfig(window=2, linger_s=0.0, batch_blocks=1)
    async with uplink(tmp_path / "o", broker, settings) as (found, outbox):
        assert not found.keeps_up, "not connected yet"
        await until(lambda: found.keeps_up)
        await outbox.deposit(Deposit([state_block("EA-1", n, n) for n in range(3)]))
        await until(lambda: outbox.counts.unacked == 2)
        assert found.keeps_up, "central has had no time to answer: what is read now is no backlog yet"
        monkeypatch.setattr("edge.uplink.uplink.PATIENCE_S", 0.0)
        assert not found.keeps_up, "central does not answer"


async def test_no_more_than_the_window_is_unacknowledged(tmp_path: Path) -> None:
    broker = FakeBroker()
    settings = UplinkConfig(window=5, linger_s=0.0, batch_blocks=1, resend_first_s=0.02, resend_most_s=0.02)
    async with uplink(tmp_path / "o", broker, settings) as (_, outbox):
        await outbox.deposit(Deposit([state_block("EA-1", n, n) for n in range(20)]))
        await until(lambda: len(data(broker)) > 20)
        assert outbox.counts.unacked == 5
        assert outbox.counts.pending == 15
        assert {seq for _, seq in data(broker)} == {1, 2, 3, 4, 5}
        central = CentralModel()
        central.attach(broker)
        await until(lambda: idle(outbox))
    assert len(central.blocks(EDGE)) == 20


async def test_a_publish_that_the_broker_refuses_is_counted_and_kept(tmp_path: Path) -> None:
    broker, central = FakeBroker(), CentralModel()
    central.attach(broker)
    broker.refuse = lambda message: NOT_AUTHORIZED if message.topic == data_topic(EDGE) else SUCCESS
    async with uplink(tmp_path / "o", broker) as (found, outbox):
        await outbox.deposit(Deposit([state_block("EA-1", 1, 1)]))
        await until(lambda: found.status.publish_refused >= 2)
        assert outbox.counts.unacked == 1
        assert central.blocks(EDGE) == []
        broker.refuse = lambda message: SUCCESS
        await until(lambda: idle(outbox))
    assert len(central.blocks(EDGE)) == 1


async def test_a_block_that_central_refuses_is_recorded(tmp_path: Path) -> None:
    broker, central = FakeBroker(), CentralModel()
    central.refuse = lambda block: "unknown channel" if block.key.device == "EA-9" else None
    central.attach(broker)
    async with uplink(tmp_path / "o", broker) as (found, outbox):
        await outbox.deposit(Deposit([state_block("EA-1", 1, 1), state_block("EA-9", 2, 2)]))
        await until(lambda: idle(outbox))
        assert outbox.counts.refused == 1
        assert found.status.blocks_refused == 1
    assert [block.key.device for block in central.blocks(EDGE)] == ["EA-1"]


async def test_what_central_says_may_be_nonsense(tmp_path: Path) -> None:
    broker, central = FakeBroker(), CentralModel()
    central.attach(broker)
    async with uplink(tmp_path / "o", broker) as (found, outbox):
        await until(lambda: found.status.connected)
        for payload in (b"", b"\xff" * 9, b"\x81\xa4type\xa3ack"):
            broker.accept(Message(ack_topic(EDGE), payload))
        await outbox.deposit(Deposit([state_block("EA-1", 1, 1)]))
        await until(lambda: idle(outbox))
        assert found.status.sessions == 1


async def test_a_restored_database_gets_everything_kept_again(tmp_path: Path) -> None:
    broker, central = FakeBroker(), CentralModel()
    central.attach(broker)
    async with uplink(tmp_path / "o", broker) as (found, outbox):
        await outbox.deposit(Deposit([state_block("EA-1", n, n) for n in range(12)]))
        await until(lambda: idle(outbox))
        for key in sorted(central.committed)[1:]:
            del central.committed[key]
        central.incarnation = "two"
        await outbox.deposit(Deposit([state_block("EA-1", 99, 99)]))
        await until(lambda: idle(outbox) and found.status.incarnation == "two")
    assert sorted(block.values[0] for block in central.blocks(EDGE)) == [*range(12), 99]
    assert central.closed == set()


async def test_a_connection_that_breaks_while_a_restored_database_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, central = FakeBroker(), CentralModel()
    central.attach(broker)
    async with uplink(tmp_path / "o", broker) as (found, outbox):
        for n in range(5):
            await outbox.deposit(Deposit([state_block("EA-1", n, n)]))
        await until(lambda: idle(outbox))
        central.committed.clear()
        central.incarnation = "two"
        begun = asyncio.Event()

        async def interrupted(incarnation: str) -> int:
            begun.set()
            return await asyncio.Event().wait()

        with monkeypatch.context() as hanging:
            hanging.setattr(outbox, "offer_again", interrupted)
            broker.break_connections()
            await until(begun.is_set)
            assert found.status.incarnation == "one"
            broker.break_connections()
            await outbox.deposit(Deposit([state_block("EA-1", 5, 5)]))  # its publish fails, which ends the session
            await until(lambda: not found.status.connected)
        await until(lambda: idle(outbox) and found.status.incarnation == "two")
    assert sorted(block.values[0] for block in central.blocks(EDGE)) == list(range(6))


async def test_a_new_outbox_hears_what_is_in_evidence(tmp_path: Path) -> None:
    broker, central = FakeBroker(), CentralModel()
    central.attach(broker)
    start = 1_772_319_600_000
    async with uplink(tmp_path / "lost", broker) as (_, outbox):
        await outbox.deposit(Deposit([interval_block("LU-1", start, list(range(96)))]))
        await until(lambda: idle(outbox))
    told = []
    async with uplink(tmp_path / "new", broker, on_days=lambda: told.append(1)) as (found, outbox):
        assert not found.acquainted
        await until(lambda: found.acquainted)
        assert told == [1]
        progress = await outbox.progress()
        assert progress["LU-1"].registers == {"1-0:1.29.0": [Stretch(start, start + 96 * 900_000, Known.READ)]}, (
            "what central has is not read again, and nobody knows more of the other register"
        )
    async with uplink(tmp_path / "new", broker) as (found, _):
        assert found.acquainted


async def test_closed_numbers_are_read_again(tmp_path: Path) -> None:
    broker, central = FakeBroker(), CentralModel()
    central.attach(broker)
    told = []
    async with uplink(tmp_path / "o", broker, on_days=lambda: told.append(1)) as (found, outbox):
        await until(lambda: found.acquainted)
        told.clear()
        read = RegisterStretch("LU-1", "1-0:1.29.0", Stretch(0, 900_000, Known.READ))
        await outbox.deposit(Deposit([interval_block("LU-1", 0, [1])], [], Lane.BACKFILL, [read]))
        await until(lambda: idle(outbox))
        await outbox._run(outbox._store._execute, "DELETE FROM batch_body")  # nobody holds it any more
        await outbox._run(outbox._store._execute, "DELETE FROM batch")
        epoch = data(broker)[0][0]
        broker.accept(Message(ack_topic(EDGE), encode_message(Welcome("one", [], [(epoch, 1, 1)]))))
        await until(lambda: bool(told))
        assert (await outbox.progress())["LU-1"].registers["1-0:1.29.0"] == [Stretch(0, 900_000, Known.AGAIN)]


async def test_numbers_that_central_closed_although_we_hold_them_go_out_anew(tmp_path: Path) -> None:
    broker, central = FakeBroker(), CentralModel()
    async with uplink(tmp_path / "o", broker) as (_, outbox):
        await outbox.deposit(Deposit([state_block("EA-1", 1, 1)]))
        await until(lambda: len(data(broker)) >= 1)
        epoch = data(broker)[0][0]
        broker.accept(Message(ack_topic(EDGE), encode_message(Welcome("one", [], [(epoch, 1, 1)]))))
        await until(lambda: (epoch, 2) in data(broker))
        central.attach(broker)
        await until(lambda: idle(outbox))
    assert [block.marks for block in central.blocks(EDGE)] == [MARK_REREAD]


def _session_stands(found: Uplink, number: int) -> bool:
    return found.status.connected and found.status.sessions == number


async def test_one_uplink_outlives_many_broken_connections(tmp_path: Path) -> None:
    broker, central = FakeBroker(), CentralModel()
    central.attach(broker)
    async with uplink(tmp_path / "o", broker) as (found, outbox):
        for n in range(5):
            await until(partial(_session_stands, found, n + 1))
            await outbox.deposit(Deposit([state_block("EA-1", n, n)]))
            if n % 2:
                await until(lambda: idle(outbox))
            broker.break_connections()
        await until(lambda: idle(outbox))
        assert found.status.sessions >= 6
    assert sorted(block.values[0] for block in central.blocks(EDGE)) == list(range(5))
    assert not decode_birth(broker.retained[state_topic(EDGE)].payload).online


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_breaks_nothing_is_lost_or_doubled(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    broker, central = FakeBroker(), CentralModel()
    listen = central.attach(broker)
    deaf = [False]
    broker.listeners[:] = [lambda message: None if deaf[0] else listen(message)]
    values = itertools.count()
    told: list[int] = []
    path = tmp_path / "o"
    for _life in range(4):
        async with uplink(path, broker) as (_, outbox):
            for _ in range(12):
                await asyncio.sleep(draw.uniform(0, 0.02))
                match draw.randrange(7):
                    case 0:
                        broker.break_connections()
                    case 1:
                        broker.up = False
                        broker.break_connections()
                    case 2:
                        broker.up = True
                    case 3:
                        deaf[0] = not deaf[0]
                    case 4:
                        addresses = sorted(central.committed)
                        for key in draw.sample(addresses, len(addresses) // 3):
                            del central.committed[key]
                        central.incarnation += "'"
                    case _:
                        fresh = [next(values) for _ in range(draw.randrange(1, 9))]
                        await outbox.deposit(Deposit([state_block("EA-1", n, n) for n in fresh]))
                        told += fresh
    broker.up, deaf[0] = True, False
    async with uplink(path, broker) as (found, outbox):
        await until(lambda: idle(outbox) and found.status.incarnation == central.incarnation, 10.0)
    assert sorted(block.values[0] for block in central.blocks(EDGE)) == told
    assert central.closed == set()


async def test_what_is_told_goes_out_and_another_configuration_is_born(tmp_path: Path) -> None:
    broker = FakeBroker()
    broker.up = False
    async with uplink(tmp_path / "outbox.sqlite", broker) as (found, _):
        found.tell(Message("rzv/1/CONC-1/result", b"one"))
        found.tell(Message("rzv/1/CONC-1/result", b"two"))
        await asyncio.sleep(0.01)
        broker.up = True
        await until(lambda: [m.payload for m in broker.accepted if m.topic.endswith("result")] == [b"one", b"two"])
        found.reconfigured(7, FAST, [])

        def born() -> list[int]:
            births = [decode_birth(m.payload) for m in broker.accepted if m.topic == state_topic(EDGE)]
            return [each.config_number for each in births]

        await until(lambda: born()[-1] == 7)
        assert born() == [1, 7]


async def test_messages_of_other_topics_go_to_who_asked_for_them(tmp_path: Path) -> None:
    broker, heard = FakeBroker(), []
    outbox = await Outbox.open(tmp_path / "outbox.sqlite")
    found = Uplink(
        Identity(EDGE, 1, "test", 1), FAST, broker, outbox, ManualClock(MARCH), [],
        on_message={"rzv/1/CONC-1/config": heard.append},
    )  # fmt: skip
    task = asyncio.create_task(found.run())
    await until(lambda: found.status.connected)
    broker.accept(Message("rzv/1/CONC-1/config", b"x"))
    await until(lambda: [m.payload for m in heard] == [b"x"])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await outbox.close()
