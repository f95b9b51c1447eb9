"""The month by pandas: binary COPY from a row a value, one frame, joins and group-by."""

from typing import Any

import numpy as np
import pandas as pd
import psycopg

from tests.bench.parts.month_of_meters import DAYS, NARROW, QUARTERS, STEP_MS, Month
from tests.bench.parts.month_result import Result

_ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("l0", ">i4"),
        ("channel", ">i4"),
        ("l1", ">i4"),
        ("ts", ">i8"),
        ("l2", ">i4"),
        ("version", ">i2"),
        ("l3", ">i4"),
        ("value", ">i4"),
    ]
)
_PG_MS = 946_684_800_000


def sum_month(url: str, month: Month) -> Result:
    """From the database to the sums."""
    frame = _newest(_read(url))
    tariff = _tariffs(month)
    per_channel = _channels(frame, tariff, month)
    return Result(*per_channel, *_balance(frame, month))


def _read(url: str) -> pd.DataFrame:
    buffer = bytearray()
    query = f"COPY (SELECT channel, ts, version, value FROM {NARROW}) TO STDOUT (FORMAT BINARY)"
    with psycopg.connect(url) as connection, connection.cursor() as cursor, cursor.copy(query.encode()) as copy:
        for part in copy:
            buffer += part
    rows = np.frombuffer(buffer, _ROW, (len(buffer) - 21) // _ROW.itemsize, 19)
    start_ms = int(DAYS[0].start.timestamp() * 1000)
    slot = ((rows["ts"].astype(np.int64) // 1000 + _PG_MS - start_ms) // STEP_MS).astype(np.int32)
    return pd.DataFrame(
        {
            "channel": rows["channel"].astype(np.int32),
            "slot": slot,
            "version": rows["version"].astype(np.int16),
            "value": rows["value"].astype(np.int32),
        }
    )


def _newest(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of the newest version of each channel's day."""
    day_key = frame["channel"].to_numpy(np.int64) * len(DAYS) + frame["slot"].to_numpy() // QUARTERS
    newest = np.ones(int(day_key.max()) + 1, np.int16)
    later = frame["version"].to_numpy() > 1
    np.maximum.at(newest, day_key[later], frame["version"].to_numpy()[later])
    return frame.loc[frame["version"].to_numpy() == newest[day_key], ["channel", "slot", "value"]]


def _tariffs(month: Month) -> Any:
    """Is (schedule, slot) in low tariff."""
    return month.low


def _channels(frame: pd.DataFrame, low: Any, month: Month) -> list[Any]:
    schedule = month.schedule[frame["channel"].to_numpy() - 1]
    in_low = low[schedule, frame["slot"].to_numpy()]
    index = pd.RangeIndex(1, month.channels + 1)
    total = frame.groupby("channel")["value"].sum()
    low_sum = frame[in_low].groupby("channel")["value"].sum().reindex(index, fill_value=0)
    count = frame.groupby("channel")["value"].size()
    highest = frame.loc[frame.groupby("channel")["value"].idxmax()].set_index("channel")
    missing = len(DAYS) * QUARTERS - count
    return [
        low_sum.to_numpy(),
        (total - low_sum).to_numpy(),
        highest["value"].to_numpy() * 4,
        highest["slot"].to_numpy(),
        missing.to_numpy(),
    ]


def _balance(frame: pd.DataFrame, month: Month) -> list[Any]:
    active = frame[frame["channel"] % 2 == 1]
    meter = (active["channel"].to_numpy() - 1) // 2
    parent = month.parent[meter]
    below = active[parent >= 0].assign(node=parent[parent >= 0])
    children = below.groupby(["node", "slot"], sort=False)["value"].agg(["sum", "size"])
    own = active[meter < month.nodes].assign(node=meter[meter < month.nodes]).set_index(["node", "slot"])["value"]
    joined = children.join(own.rename("parent"), how="inner").reset_index()
    size = np.bincount(month.parent[month.parent >= 0], minlength=month.nodes)
    joined = joined[joined["size"].to_numpy() == size[joined["node"].to_numpy()]]
    joined["negative"] = joined["sum"] > joined["parent"]
    nodes = joined.groupby("node")[["parent", "sum", "negative"]].sum().reindex(range(month.nodes), fill_value=0)
    return [nodes["parent"].to_numpy(), nodes["sum"].to_numpy(), nodes["negative"].to_numpy()]
