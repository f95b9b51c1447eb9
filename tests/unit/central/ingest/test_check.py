"""The checks of blocks, each with the border between good and bad."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.ingest.check import day_start_and_end, refuse_record
from central.ingest.decode import prepare
from central.ingest.reasons import Reason
from central.ingest.testing import KnownChannels
from shared.metering_day import day_of
from shared.quantities import MISSING_VALUE, Commodity, Kind
from shared.wire import Block, Key, Record, decode_batch, unpack_batch
from tests.unit.central.ingest.builders import (
    CHANNELS,
    EDGE,
    GAS,
    HOUR_MS,
    LOAD,
    NOW_MS,
    QUARTER_MS,
    STATE,
    channel,
    message,
    ms,
)

FAST = Key("LU-1", "1-0:1.7.0", "Wh", 0, Kind.INTERVAL)
MIDNIGHT = ms(2026, 3, 1, 23)
"""2 March 2026 00:00 in Prague."""
LATEST = NOW_MS + 15 * 60_000


def reason_of(block: Block) -> str | None:
    """Code of the refusal of a single block; None when it is taken."""
    source = KnownChannels([*CHANNELS, channel(14, FAST, 10_000)])
    prepared, _ = prepare([message([block])], source, NOW_MS)
    if not prepared.refusals:
        assert len(prepared.blocks) + len(prepared.readings) == 1
        return None
    assert not prepared.blocks and not prepared.readings
    (position, refusal), *rest = prepared.refusals
    assert not rest and position == 0 and refusal.index == 0 and refusal.sentence.endswith(".")
    kept, _ = unpack_batch(decode_batch(refusal.body or b""))
    assert kept == [Block(block.key, block.start_ms, block.step_ms, kept[0].values, kept[0].quality, block.marks)]
    assert list(kept[0].values) == list(block.values)
    return refusal.reason.code


def load(start: int = MIDNIGHT, values: object = 96, step: int = QUARTER_MS) -> Block:
    return Block(LOAD, start, step, [1] * values if isinstance(values, int) else values)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        pytest.param(load(), None, id="a day"),
        pytest.param(Block(Key("LU-9", "x", "Wh", 0, Kind.INTERVAL), MIDNIGHT, QUARTER_MS, [1]), "unknown_channel"),
        pytest.param(Block(Key("LU\0", "x", "Wh", 0, Kind.INTERVAL), MIDNIGHT, QUARTER_MS, [1]), "unknown_channel"),
        pytest.param(Block(Key("LU-1", "1-0:1.29.0", "Wh", 3, Kind.INTERVAL), MIDNIGHT, QUARTER_MS, [1]), "unit"),
        pytest.param(Block(Key("LU-1", "1-0:1.29.0", "varh", 0, Kind.INTERVAL), MIDNIGHT, QUARTER_MS, [1]), "unit"),
        pytest.param(Block(Key("LU-1", "1-0:1.29.0", "Wh", 0, Kind.STATE), MIDNIGHT, 0, [1]), "kind"),
        pytest.param(load(step=HOUR_MS, values=1), "step"),
        pytest.param(load(step=0, values=1), "step"),
        pytest.param(load(step=-QUARTER_MS, values=1), "step"),
        pytest.param(load(values=0), "empty"),
        pytest.param(load(start=0), "too_early", id="1970"),
        pytest.param(load(start=-(2**63)), "too_early"),
        pytest.param(load(start=2**63 - 1), "future"),
        pytest.param(load(start=LATEST - QUARTER_MS, values=1), None, id="ends 15 minutes ahead"),
        pytest.param(load(start=LATEST, values=1), "future"),
        pytest.param(load(values=97), "crosses_day"),
        pytest.param(load(start=MIDNIGHT - QUARTER_MS, values=2), "crosses_day"),
        pytest.param(load(start=MIDNIGHT + 1), "crosses_day"),
        pytest.param(load(start=MIDNIGHT + 1, values=1), "off_grid"),
        pytest.param(load(start=ms(2026, 3, 28, 23), values=92), None, id="spring: 92"),
        pytest.param(load(start=ms(2026, 3, 28, 23), values=93), "crosses_day", id="spring: not 93"),
        pytest.param(load(start=ms(2025, 10, 25, 22), values=100), None, id="autumn: 100"),
        pytest.param(load(start=ms(2025, 10, 25, 22), values=101), "crosses_day", id="autumn: not 101"),
        pytest.param(load(values=[1, MISSING_VALUE]), "missing_value"),
        pytest.param(load(values=[0, 100_000]), None, id="at the limits"),
        pytest.param(load(values=[0, 100_001]), "out_of_range"),
        pytest.param(load(values=[-1]), "out_of_range"),
        pytest.param(Block(STATE, MIDNIGHT + 7, 0, [2**40]), None, id="a state at its own time"),
        pytest.param(Block(STATE, MIDNIGHT, 0, [-1]), "out_of_range"),
        pytest.param(Block(STATE, MIDNIGHT, 0, [1, 2]), "too_long"),
        pytest.param(Block(STATE, MIDNIGHT, 0, [MISSING_VALUE]), "out_of_range"),
        pytest.param(Block(STATE, LATEST, 0, [1]), None, id="a state 15 minutes ahead"),
        pytest.param(Block(STATE, LATEST + 1, 0, [1]), "future"),
        pytest.param(Block(GAS, ms(2026, 3, 2, 5), HOUR_MS, [1] * 24), None, id="a gas day"),
        pytest.param(Block(GAS, ms(2026, 3, 1, 23), HOUR_MS, [1] * 24), "crosses_day", id="not from midnight"),
        pytest.param(Block(GAS, ms(2026, 3, 28, 5), HOUR_MS, [1] * 23), None, id="the gas day of 23 hours"),
        pytest.param(Block(GAS, ms(2026, 3, 28, 5), HOUR_MS, [1] * 24), "crosses_day"),
        pytest.param(Block(FAST, MIDNIGHT - 5_000, 10_000, [1] * 1_000), None, id="fast blocks cross midnight"),
        pytest.param(Block(FAST, MIDNIGHT, 10_000, [1] * 1_001), "too_long"),
    ],
)
def test_a_block_is_refused_for_the_first_reason_that_holds(block: Block, expected: str | None) -> None:
    assert reason_of(block) == expected


@given(st.integers(ms(2001, 1, 1), ms(2099, 1, 1)), st.booleans())
def test_day_borders_agree_with_the_calendar(instant: int, gas: bool) -> None:
    from datetime import UTC, datetime

    day = day_of(Commodity.GAS if gas else Commodity.ELECTRICITY, datetime.fromtimestamp(instant / 1000, UTC))
    first, last = day_start_and_end(np.array([instant]), np.array([gas]))
    assert (int(first[0]), int(last[0])) == (day.start.timestamp() * 1000, day.end.timestamp() * 1000)


def test_records_are_refused_for_their_time_or_their_letters() -> None:
    assert refuse_record(Record("gap", "LU-1", NOW_MS, {"n": 1}), EDGE, NOW_MS) is None
    assert refuse_record(Record("gap", "LU-1", LATEST, {}), EDGE, NOW_MS) is None
    for bad in (
        Record("gap", "LU-1", LATEST + 1, {}),
        Record("gap", "LU-1", 0, {}),
        Record("gap", "LU\0", NOW_MS, {}),
        Record("gap", "LU-1", NOW_MS, {"a\0": 1}),
        Record("gap", "LU-1", NOW_MS, {"a": "\0"}),
    ):
        sentence = refuse_record(bad, EDGE, NOW_MS)
        assert sentence is not None and EDGE in sentence


def test_the_sentence_names_the_thing_the_value_and_what_was_expected() -> None:
    prepared, _ = prepare([message([load(values=[5, 200_000])])], KnownChannels(CHANNELS), NOW_MS)
    assert prepared.refusals[0][1].sentence == (
        "The block of LU-1 1-0:1.29.0 at CONC-1 from 2026-03-01T23:00:00+00:00 holds 200000; "
        "the registry allows 0 to 100000."
    )
    assert prepared.refusals[0][1].reason is Reason.OUT_OF_RANGE
