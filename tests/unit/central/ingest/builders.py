"""Batches, messages and channels for the tests of ingest."""

from collections.abc import Sequence
from datetime import UTC, datetime

from central.ingest.channels import EvidenceChannel
from central.ingest.check import milliseconds
from central.ingest.message import Message
from shared.quantities import Commodity, Kind
from shared.wire import PLAIN, Block, Key, Record, data_topic, encode_batch, pack_batch, user_properties

EDGE = "CONC-1"
EPOCH = 0xF000_0000_0000_0001
QUARTER_MS = 900_000
HOUR_MS = 3_600_000
NOW_MS = milliseconds(datetime(2026, 4, 1, 6, tzinfo=UTC))
LOAD = Key("LU-1", "1-0:1.29.0", "Wh", 0, Kind.INTERVAL)
STATE = Key("LU-1", "1-0:1.8.0", "Wh", 1, Kind.STATE)
GAS = Key("GAS-1", "7-0:13.29.0", "m3", -3, Kind.INTERVAL)


def ms(*parts: int) -> int:
    """A UTC instant in ms."""
    return milliseconds(datetime(*parts, tzinfo=UTC))


def channel(
    number: int,
    key: Key,
    step_ms: int,
    limits: tuple[int | None, int | None] = (None, None),
    commodity: Commodity = Commodity.ELECTRICITY,
    edge: str = EDGE,
) -> EvidenceChannel:
    """The registry's word on a key."""
    return EvidenceChannel(
        number, edge, key.device, key.register, key.unit, key.exponent, key.kind, step_ms, *limits, commodity
    )


CHANNELS = (
    channel(11, LOAD, QUARTER_MS, (0, 100_000)),
    channel(12, STATE, 0, (0, None)),
    channel(13, GAS, HOUR_MS, (0, 100_000), Commodity.GAS),
)


def message(
    blocks: Sequence[Block] = (),
    records: Sequence[Record] = (),
    edge: str = EDGE,
    epoch: int = EPOCH,
    seq: int = 1,
    packing: int = PLAIN,
) -> Message:
    """A data message as it comes from the broker."""
    body = encode_batch(pack_batch(blocks, records, packing))
    return Message(data_topic(edge), body, user_properties(edge, epoch, seq))
