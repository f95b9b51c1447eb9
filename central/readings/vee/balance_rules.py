"""The rule on nodes: what entered less what the children measured stays within the node's tolerance."""

from dataclasses import dataclass

import numpy as np
import structlog
from sqlalchemy import Connection, select

from central.network.collection_tables import collection_node
from central.network.collections import nodes_between
from central.platform.errors import BadInput, Refused
from central.readings.node_balance import balance_nodes
from central.readings.vee.rule import Chunk, Findings, Floats, Input, Rule, Severity, findings_of_days

BALANCE = "balance"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Balances:
    """By channel and day of a chunk, NaN where a channel measures no node or the day is not complete: share of what
    entered that was lost, losses in the channel's unit, and the tolerance."""

    share: Floats
    losses: Floats
    tolerance: Floats

    @classmethod
    def none(cls, shape: tuple[int, int]) -> "Balances":
        """No channel measures a node."""
        return cls(*(np.full(shape, np.nan) for _ in range(3)))


def read_balances(connection: Connection, chunk: Chunk) -> Balances:
    """Balances of the nodes that the chunk's channels measure; of several collections the worst counts.

    A collection whose channels have no common unit has none, and nothing is judged by it.
    """
    first, end = chunk.days[0].date, chunk.days[-1].next.date
    channels = chunk.channels.tolist()
    found = Balances.none((len(channels), len(chunk.days)))
    query = select(collection_node.c.collection).where(collection_node.c.channel.in_(channels)).distinct()
    row_of = {channel: row for row, channel in enumerate(channels)}
    for number in sorted(connection.execute(query).scalars()):
        nodes = nodes_between(connection, number, first, end)
        try:
            balances = balance_nodes(connection, nodes, first, end, row_of.keys())
        except (BadInput, Refused) as error:  # a tree for records may hold gas beside electricity
            _log.warning("a collection has no balance", collection=number, why=str(error))
            continue
        for node in balances:
            row = row_of[node.channel]
            share = np.where(node.there & (node.missing == 0), node.share, np.nan)
            worse = ~np.isnan(share) & ~(np.abs(share) <= np.nan_to_num(np.abs(found.share[row]), nan=-1.0))
            found.share[row, worse] = share[worse]
            scale = 10.0 ** (node.exponent - int(chunk.facts.exponent[row]))
            found.losses[row, worse] = node.losses[worse] * scale
            found.tolerance[row, worse] = float(node.tolerance)
    return found


def node_balance(chunk: Chunk) -> Findings:
    """abs(parent - children) / parent of a complete day above the tolerance of the node.

    Source: practice of distributors, 1 to 5 %; the tolerance is data of the node.
    """
    balances: Balances = chunk.inputs[BALANCE]
    enabled = chunk.parameter("node_balance", "enabled")[:, None] > 0
    beyond = np.abs(balances.share) > balances.tolerance
    return findings_of_days(
        chunk,
        "node_balance",
        beyond & enabled,
        severity=np.where(np.nan_to_num(balances.losses) < 0, Severity.ERROR, Severity.WARNING),
        measured=balances.share,
        limit=balances.tolerance,
        evidence={"losses": np.nan_to_num(balances.losses)},
    )


RULES = (Rule("node_balance", node_balance, inputs=(BALANCE,), parameters=("enabled",)),)
INPUTS = (Input(BALANCE, read_balances),)
