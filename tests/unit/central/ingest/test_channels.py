"""The table of channels: what is resolved once, and what is forgotten."""

import msgspec

from central.ingest.channels import ChannelTable
from central.ingest.reasons import Reason
from shared.quantities import Kind
from shared.wire import Key
from tests.unit.central.ingest.builders import CHANNELS, EDGE, LOAD, QUARTER_MS, STATE, channel


def raw(*keys: Key) -> bytes:
    return msgspec.msgpack.encode(list(keys))


def test_a_repeated_table_of_keys_is_resolved_once() -> None:
    table = ChannelTable()
    table.add(CHANNELS, [EDGE])
    first = table.resolve(EDGE, raw(LOAD, STATE))
    assert first.tolist() == [0, 1]
    assert table.resolve(EDGE, raw(LOAD, STATE)) is first
    assert table.id[first].tolist() == [11, 12]


def test_keys_that_cannot_be_taken_carry_their_reason() -> None:
    table = ChannelTable()
    table.add(CHANNELS, [EDGE])
    unknown = Key("LU-7", "1-0:1.29.0", "Wh", 0, Kind.INTERVAL)
    unit = Key("LU-1", "1-0:1.29.0", "Wh", 3, Kind.INTERVAL)
    kind = Key("LU-1", "1-0:1.29.0", "Wh", 0, Kind.STATE)
    keys = raw(LOAD, unknown, unit, kind)
    assert table.resolve(EDGE, keys).tolist() == [0, -Reason.UNKNOWN_CHANNEL, -Reason.UNIT, -Reason.KIND]
    assert table.unknown_keys(EDGE, keys) == [unknown, unit, kind]


def test_a_changed_channel_replaces_what_was_known() -> None:
    table = ChannelTable()
    table.add(CHANNELS, [EDGE])
    table.resolve(EDGE, raw(LOAD))
    table.add([channel(11, LOAD, QUARTER_MS, (0, 5))])
    row = int(table.resolve(EDGE, raw(LOAD))[0])
    assert (int(table.low[row]), int(table.high[row])) == (0, 5)
    assert len(table) == len(CHANNELS)


def test_the_cache_is_bounded_by_what_its_tables_weigh() -> None:
    table = ChannelTable(cached_octets=10 * len(raw(LOAD)))
    table.add(CHANNELS, [EDGE])
    first = table.resolve(EDGE, raw(LOAD))
    for n in range(20):
        table.resolve(EDGE, raw(Key(f"L{n:03}", "1-0:1.29.0", "Wh", 0, Kind.INTERVAL)))
    assert table.resolve(EDGE, raw(LOAD)) is not first


def test_forgetting_leaves_nothing() -> None:
    table = ChannelTable()
    table.add(CHANNELS, [EDGE])
    table.forget()
    assert len(table) == 0 and table.edges == set() and len(table.id) == 0
    assert table.resolve(EDGE, raw(LOAD)).tolist() == [-Reason.UNKNOWN_CHANNEL]
