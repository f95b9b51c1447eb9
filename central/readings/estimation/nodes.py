"""What a node's other meters leave over: the balance of the collections that a channel stands in, as its own value."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from sqlalchemy import Connection, text

from central.readings.calendar import Ints
from central.readings.estimation.methods import balance
from central.readings.profiles import Profiles, read_base
from shared.quantities import MISSING_VALUE, Commodity, Quality

# The channel's node, the channel of the node above, and all other nodes below that one. A neighbour without a channel,
# or in another unit, makes the node useless: what it takes is not known.
_NODES = text("""
    SELECT mine.id AS node, mine.channel, mine.sign, above.channel AS parent, other.channel AS other,
           coalesce(other.sign, 1) AS other_sign,
           above.channel IS NOT NULL AND (other.id IS NULL OR other.channel IS NOT NULL)
           AND coalesce((p.unit, p.exponent, p.step_ms) = (c.unit, c.exponent, c.step_ms), false)
           AND (other.id IS NULL OR coalesce((o.unit, o.exponent, o.step_ms) = (c.unit, c.exponent, c.step_ms), false))
               AS usable,
           greatest(lower(mine.valid), lower(above.valid), lower(other.valid), CAST(:first AS date)) AS since,
           least(upper(mine.valid), upper(above.valid), upper(other.valid), CAST(:end AS date)) AS until
    FROM (SELECT DISTINCT id FROM unnest(CAST(:channels AS integer[])) AS given (id)) wanted
    JOIN channel c ON c.id = wanted.id
    JOIN collection_node mine ON mine.channel = wanted.id AND mine.valid && daterange(:first, :end)
    JOIN collection_node above ON above.collection = mine.collection AND above.node = mine.parent
        AND above.valid && mine.valid
    LEFT JOIN channel p ON p.id = above.channel
    LEFT JOIN collection_node other ON other.collection = mine.collection AND other.parent = mine.parent
        AND other.id <> mine.id AND other.valid && mine.valid * above.valid * daterange(:first, :end)
    LEFT JOIN channel o ON o.id = other.channel
    ORDER BY mine.id, other.id
""")


@dataclass(slots=True)
class Node:
    """A channel below a node: the node's channel, the other channels below it with their signs, days [first, end)."""

    channel: int
    sign: int
    parent: int
    others: list[tuple[int, int]]
    first: date
    end: date


def read_balances(
    connection: Connection, commodity: Commodity, channels: Sequence[int], base: Profiles
) -> dict[int, Ints]:
    """By channel the balance of its node in the columns of `base`; MISSING_VALUE where a meter of the node is missing,
    or where the others took more than the node had. Losses of the node fall to the channel."""
    nodes = _read_nodes(connection, channels, base.days[0].date, base.days[-1].next.date)
    wanted = sorted({node.parent for node in nodes} | {other for node in nodes for other, _ in node.others})
    if not wanted:
        return {}
    read = read_base(connection, commodity, wanted, base.days[0].date, base.days[-1].next.date)
    good = np.isin(read.quality, (Quality.MEASURED, Quality.EDITED))
    measured = np.where(good, read.values, MISSING_VALUE).astype(np.int64)
    result: dict[int, Ints] = {}
    for node in nodes:
        others = [_signed(measured[wanted.index(other)], sign) for other, sign in node.others]
        left = _signed(balance(measured[wanted.index(node.parent)], others), node.sign)
        left[left < 0] = MISSING_VALUE
        first, end = ((day - base.days[0].date).days for day in (node.first, node.end))
        columns = slice(int(base.offset[first]), int(base.offset[end]))
        into = result.setdefault(node.channel, np.full(int(base.offset[-1]), MISSING_VALUE, np.int64))
        into[columns] = np.where(into[columns] == MISSING_VALUE, left[columns], into[columns])
    return result


def _signed(values: Ints, sign: int) -> Ints:
    return np.where(values == MISSING_VALUE, MISSING_VALUE, values * sign)


def _read_nodes(connection: Connection, channels: Sequence[int], first: date, end: date) -> list[Node]:
    found: dict[int, Node | None] = {}
    for row in connection.execute(_NODES, {"channels": list(channels), "first": first, "end": end}):
        node = found.setdefault(row.node, Node(row.channel, row.sign, row.parent, [], row.since, row.until))
        if node is None or not row.usable or row.since >= row.until:
            found[row.node] = None
            continue
        if row.other is not None:
            node.others.append((row.other, row.other_sign))
        node.first, node.end = max(node.first, row.since), min(node.end, row.until)
    return [node for node in found.values() if node is not None and node.first < node.end]
