"""The month by duckdb: from Parquet of the same rows, a row a value."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.bench.harness import cores
from tests.bench.parts.month_of_meters import DAYS, QUARTERS, STEP_MS, Month, narrow_rows
from tests.bench.parts.month_result import Result

# The newest version of each channel's day is found first; then each question is one pass over those rows.
_PREPARE = """
CREATE OR REPLACE TEMP VIEW slotted AS
SELECT channel, version, value, ((epoch_ms(ts) - {start}) // {step})::INTEGER AS slot FROM read_parquet('{path}');
CREATE OR REPLACE TEMP TABLE later AS
SELECT channel, slot // {quarters} AS day, max(version) AS version FROM slotted WHERE version > 1 GROUP BY ALL;
CREATE OR REPLACE TEMP TABLE newest AS
SELECT s.channel, s.slot, s.value
FROM slotted s LEFT JOIN later l ON l.channel = s.channel AND l.day = s.slot // {quarters}
WHERE s.version = coalesce(l.version, 1);
"""
_CHANNELS = """
SELECT n.channel,
       coalesce(sum(n.value) FILTER (WHERE t.low), 0)::BIGINT AS low,
       coalesce(sum(n.value) FILTER (WHERE NOT t.low), 0)::BIGINT AS high,
       max(n.value) * 4 AS maximum,
       arg_max(n.slot, n.value::BIGINT * 4096 - n.slot) AS maximum_at,
       {intervals} - count(*) AS missing
FROM newest n JOIN channel c ON c.channel = n.channel JOIN tariff t ON t.schedule = c.schedule AND t.slot = n.slot
GROUP BY n.channel ORDER BY n.channel
"""
_BALANCE = """
WITH below AS (
    SELECT c.parent AS node, n.slot, sum(n.value) AS children, count(*) AS size
    FROM newest n JOIN channel c ON c.channel = n.channel
    WHERE c.parent >= 0 GROUP BY ALL
), whole AS (
    SELECT b.node, n.value AS parent, b.children
    FROM below b JOIN node k ON k.node = b.node AND k.size = b.size
    JOIN newest n ON n.channel = 2 * b.node + 1 AND n.slot = b.slot
)
SELECT k.node, coalesce(sum(parent), 0)::BIGINT, coalesce(sum(children), 0)::BIGINT,
       count(*) FILTER (WHERE children > parent)
FROM node k LEFT JOIN whole USING (node) GROUP BY k.node ORDER BY k.node
"""


def write_parquet(path: Path, month: Month) -> None:
    """The rows of the narrow table as one file, a row group a day."""
    schema = pa.schema(
        [("channel", pa.int32()), ("ts", pa.timestamp("ms")), ("version", pa.int16()), ("value", pa.int32())]
    )
    with pq.ParquetWriter(path, schema) as writer:
        for day in range(len(DAYS)):
            columns = narrow_rows(month, day)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def sum_month(path: Path, month: Month) -> Result:
    """From the file to the sums."""
    with duckdb.connect() as connection:
        connection.execute(f"SET threads TO {cores()}")
        connection.execute("SET enable_progress_bar TO false")
        _register(connection, month)
        start = int(DAYS[0].start.timestamp() * 1000)
        connection.execute(_PREPARE.format(start=start, step=STEP_MS, path=path, quarters=QUARTERS))
        channels = connection.execute(_CHANNELS.format(intervals=len(DAYS) * QUARTERS)).fetchnumpy()
        nodes = list(connection.execute(_BALANCE).fetchnumpy().values())
    return Result(*list(channels.values())[1:], *nodes[1:])


def _register(connection: Any, month: Month) -> None:
    channel = np.arange(1, month.channels + 1)
    parent = np.where(channel % 2 == 1, np.repeat(month.parent, 2), -1)
    slots = month.low.shape[1]
    tables = {
        "channel": {"channel": channel, "schedule": month.schedule, "parent": parent},
        "tariff": {
            "schedule": np.repeat(np.arange(len(month.low)), slots),
            "slot": np.tile(np.arange(slots), len(month.low)),
            "low": month.low.ravel(),
        },
        "node": {
            "node": np.arange(month.nodes),
            "size": np.bincount(month.parent[month.parent >= 0], minlength=month.nodes),
        },
    }
    for name, columns in tables.items():
        connection.register("given", pa.table(columns))
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
        connection.unregister("given")
