"""A full outbox: what goes, what stays, who is told. Billing data never go; meters rest until there is room."""

from pathlib import Path

import pytest

from edge import inspect
from edge.agent import MEGABYTE, Agent
from edge.outbox.model import Deposit, Lane, Worth
from edge.outbox.outbox import Outbox
from edge.uplink.testing import FakeBroker
from shared.testing import ManualClock
from tests.unit.edge.examples import MARCH, config_data, edge_config, interval_block

VALUES = list(range(1000))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


def agent(path: Path) -> Agent:
    data = config_data()
    data["outbox"] = {"path": str(path), "budget_mb": 1}
    return Agent(edge_config(data), ManualClock(MARCH), FakeBroker())


def deposits(device: str, worth: Worth, count: int) -> list[Deposit]:
    return [
        Deposit([interval_block(device, n * 900_000, VALUES)], lane=Lane.BACKFILL, worth=worth) for n in range(count)
    ]


async def test_measurements_make_room_for_billing_data_and_no_meter_rests(path: Path) -> None:
    found, outbox = agent(path), await Outbox.open(path)
    for each in [*deposits("LU-1", Worth.BILLING, 100), *deposits("EA-1", Worth.MEASUREMENT, 300)]:
        await outbox.deposit(each)
    await found._make_room(outbox)
    assert found.has_room
    assert await outbox.used_bytes() <= MEGABYTE
    assert sum(outbox.counts.dropped.values()) > 100
    devices = [each.block.key.device for each in inspect.committed_blocks(path)]
    assert devices.count("LU-1") == 100
    (told,) = inspect.committed_records(path)
    assert (told.kind, told.data["worth"], told.data["first"]) == ("dropped", "measurement", 0)
    assert told.data["count"] == 300 - devices.count("EA-1")
    await outbox.close()


async def test_full_of_billing_data_meters_rest_and_central_is_told_once(path: Path) -> None:
    found, outbox = agent(path), await Outbox.open(path)
    for each in deposits("LU-1", Worth.BILLING, 400):
        await outbox.deposit(each)
    for _ in range(3):
        await found._make_room(outbox)
        assert not found.has_room
    assert len(inspect.committed_blocks(path)) == 400, "never dropped"
    while (batch := await outbox.number(7, 64, 10**6)) is not None:
        await outbox.acknowledge(7, batch.address.seq, [], [], found.clock.now_ms())
    await found._make_room(outbox)
    assert found.has_room
    assert [each.kind for each in inspect.committed_records(path)] == ["outbox-has-room"]
    assert await outbox.used_bytes() <= MEGABYTE
    await outbox.close()
