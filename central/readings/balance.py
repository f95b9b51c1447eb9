"""Balance of nodes: what entered a node less what its children measured is its losses (bilance uzlu, ztráty). Pure.

An interval in which the node's own value or one of its children is missing counts as missing and stands in none of the
sums, so that children + losses = parent always holds, to the unit.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from central.readings.calendar import Ints
from central.readings.formulas.exact import RANK_OF_QUALITY, WORST, Codes
from central.readings.profiles import Profiles
from shared.metering_day import MeteringDay
from shared.quantities import MISSING_VALUE


@dataclass(frozen=True, slots=True)
class Link:
    """A channel below a node (its place among the nodes) on the days [first, end), counted with its sign."""

    node: int
    channel: int
    sign: int = 1
    first: date = date.min
    end: date = date.max


@dataclass(frozen=True, slots=True)
class Balance:
    """Sums (nodes, days) in the common unit; `rank` is that of the worst quality, `missing` and `negative` count the
    intervals that are left out and those in which the children measured more than the node."""

    parent: Ints
    children: Ints
    losses: Ints
    rank: Codes
    missing: Ints
    negative: Ints


class NodeSums:
    """Takes profiles in any number of chunks, each channel once, and gives the balance when all have come."""

    def __init__(self, nodes: Sequence[int], links: Sequence[Link], days: Sequence[MeteringDay], offset: Ints) -> None:
        """`nodes` are the channels that measure the nodes; `days` and `offset` are those of the chunks."""
        shape = (len(nodes), int(offset[-1]))
        self._node_of = {channel: place for place, channel in enumerate(nodes)}
        self._links: dict[int, list[Link]] = {}
        for link in links:
            self._links.setdefault(link.channel, []).append(link)
        self._dates = [day.date for day in days]
        self._offset = offset
        self._parent = np.zeros(shape, np.int64)
        self._children = np.zeros(shape, np.int64)
        self._rank = np.zeros(shape, np.uint8)
        self._seen = {link.channel for link in links} | set(nodes)

    def add(self, chunk: Profiles, factors: Ints | None = None) -> None:
        """Take the channels of a chunk that belong to the tree; `factors` turn their values into the common unit."""
        rows = [row for row, channel in enumerate(chunk.channels) if channel in self._seen]
        self._seen -= {chunk.channels[row] for row in rows}
        own = [(row, self._node_of[chunk.channels[row]]) for row in rows if chunk.channels[row] in self._node_of]
        if own:
            source, target = (np.array(side, np.int64) for side in zip(*own, strict=True))
            values, rank = _read(chunk, source, factors)
            self._parent[target] = values
            self._rank[target] = np.maximum(self._rank[target], rank)
        whole: list[tuple[Link, int]] = []
        partial: list[tuple[Link, int]] = []
        for row in rows:
            for link in self._links.get(chunk.channels[row], ()):
                (whole if self._columns(link) == slice(0, self._parent.shape[1]) else partial).append((link, row))
        self._add_whole(sorted(whole, key=lambda pair: (pair[0].node, pair[1])), chunk, factors)
        for link, row in partial:
            columns = self._columns(link)
            values, rank = _read(chunk, np.array([row]), factors)
            self._children[link.node, columns] += link.sign * values[0, columns]
            np.maximum(self._rank[link.node, columns], rank[0, columns], out=self._rank[link.node, columns])

    def balance(self) -> Balance:
        """By node and day; a channel that no chunk brought is missing throughout."""
        for channel in self._seen:
            for place in [self._node_of[channel]] if channel in self._node_of else []:
                self._rank[place] = WORST
            for link in self._links.get(channel, ()):
                self._rank[link.node, self._columns(link)] = WORST
        starts = self._offset[:-1]
        missing = self._rank == WORST
        some = bool(missing.any())
        parent = np.where(missing, 0, self._parent) if some else self._parent
        children = np.where(missing, 0, self._children) if some else self._children
        parents, sums = (np.add.reduceat(side, starts, axis=1) for side in (parent, children))
        return Balance(
            parents,
            sums,
            parents - sums,
            np.maximum.reduceat(self._rank, starts, axis=1),
            np.add.reduceat(missing, starts, axis=1, dtype=np.int64),
            np.add.reduceat(children > parent, starts, axis=1, dtype=np.int64),
        )

    def _columns(self, link: Link) -> slice:
        low, high = bisect_left(self._dates, link.first), bisect_left(self._dates, link.end)
        return slice(int(self._offset[low]), int(self._offset[high]))

    def _add_whole(self, pairs: Sequence[tuple[Link, int]], chunk: Profiles, factors: Ints | None) -> None:
        """Links of the whole period: one `reduceat` over the children in the order of their nodes."""
        if not pairs:
            return
        nodes = np.array([link.node for link, _ in pairs], np.int64)
        signs = np.array([link.sign for link, _ in pairs], np.int64)
        values, rank = _read(chunk, np.array([row for _, row in pairs], np.int64), factors)
        if (signs != 1).any():
            values = values * signs[:, None]
        starts = np.flatnonzero(np.concatenate([[True], nodes[1:] != nodes[:-1]]))
        target = nodes[starts]
        self._children[target] += np.add.reduceat(values, starts, axis=0, dtype=np.int64)
        if rank.any():
            self._rank[target] = np.maximum(self._rank[target], np.maximum.reduceat(rank, starts, axis=0))


def _read(chunk: Profiles, rows: Ints, factors: Ints | None) -> tuple[NDArray[Any], Codes]:
    """Values with 0 where missing, and ranks."""
    quality = chunk.quality[rows]
    values: NDArray[Any] = chunk.values[rows]
    if not quality.any():
        rank = np.zeros(quality.shape, np.uint8)
    else:
        rank = RANK_OF_QUALITY[quality]
        values = np.where(values == MISSING_VALUE, 0, values)
    return (values if factors is None else values * factors[rows, None]), rank
