"""The evidence channels that ingest knows, as columns; a table of keys that an edge repeats is resolved once.

Pure: who fills it from the database is `registry.py`.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from central.ingest.reasons import Reason
from shared.quantities import MISSING_VALUE, Commodity, Kind
from shared.wire import Key, WireError

CACHED_OCTETS: Final = 16 * 1024 * 1024
"""Tables of keys kept resolved, by their raw size: about 5,000 tables of 64 keys."""

_INT32: Final = (MISSING_VALUE + 1, 2**31 - 1)
_INT64: Final = (-(2**63), 2**63 - 1)


@dataclass(frozen=True, slots=True)
class EvidenceChannel:
    """What the registry says of one register of one device at one edge."""

    id: int
    edge: str
    device: str
    register: str
    unit: str
    exponent: int
    kind: Kind
    step_ms: int
    min_value: int | None
    max_value: int | None
    commodity: Commodity


_keys = msgspec.msgpack.Decoder(list[Key])


def decode_keys(raw: bytes) -> list[Key]:
    """The keys of a raw table; raises WireError."""
    try:
        return _keys.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError("body", f"The table of keys of {len(raw)} bytes cannot be decoded: {error}.") from None


class ChannelTable:
    """Evidence channels by row number; columns are parallel arrays that grow edge by edge."""

    def __init__(self, cached_octets: int = CACHED_OCTETS) -> None:
        self._cached_octets = cached_octets
        self.forget()

    def forget(self) -> None:
        """Know nothing any more: the registry has changed."""
        self.edges: set[str] = set()
        self._rows: dict[tuple[str, str, str], int] = {}
        self._channels: list[EvidenceChannel] = []
        self._resolved: OrderedDict[tuple[str, bytes], NDArray[np.int32]] = OrderedDict()
        self._octets = 0
        self._columns(())

    def __len__(self) -> int:
        return len(self._channels)

    def add(self, channels: Iterable[EvidenceChannel], edges: Iterable[str] = ()) -> None:
        """Learn channels; `edges` are known in full from now on. A channel known already is replaced."""
        self.edges.update(edges)
        for channel in channels:
            place = (channel.edge, channel.device, channel.register)
            row = self._rows.setdefault(place, len(self._channels))
            if row == len(self._channels):
                self._channels.append(channel)
            else:
                self._channels[row] = channel
        self._columns(self._channels)
        self._resolved.clear()
        self._octets = 0

    def _columns(self, channels: Sequence[EvidenceChannel]) -> None:
        self.id = _column(np.int32, [channel.id for channel in channels])
        self.step = _column(np.int32, [channel.step_ms for channel in channels])
        self.is_state = _column(np.bool_, [channel.kind is Kind.STATE for channel in channels])
        self.is_gas = _column(np.bool_, [channel.commodity is Commodity.GAS for channel in channels])
        limits = [_limits(channel) for channel in channels]
        self.low = _column(np.int64, [low for low, _ in limits])
        self.high = _column(np.int64, [high for _, high in limits])

    def channel(self, row: int) -> EvidenceChannel:
        """The channel of a row."""
        return self._channels[row]

    def find(self, edge: str, key: Key) -> EvidenceChannel | None:
        """The channel of a key's names, whatever its unit and kind."""
        row = self._rows.get((edge, key.device, key.register))
        return None if row is None else self._channels[row]

    def resolve(self, edge: str, raw: bytes) -> NDArray[np.int32]:
        """Row per key of a raw table; a key that cannot be taken has minus its Reason instead. Raises WireError."""
        place = (edge, raw)
        rows = self._resolved.get(place)
        if rows is not None:
            self._resolved.move_to_end(place)
            return rows
        rows = _column(np.int32, [self._row(edge, key) for key in decode_keys(raw)])
        self._resolved[place] = rows
        self._octets += len(raw)
        while self._octets > self._cached_octets and len(self._resolved) > 1:
            (_, oldest), _ = self._resolved.popitem(last=False)
            self._octets -= len(oldest)
        return rows

    def _row(self, edge: str, key: Key) -> int:
        row = self._rows.get((edge, key.device, key.register))
        if row is None:
            return -Reason.UNKNOWN_CHANNEL
        channel = self._channels[row]
        if channel.kind is not key.kind:
            return -Reason.KIND
        if channel.unit != key.unit or channel.exponent != key.exponent:
            return -Reason.UNIT
        return row

    def unknown_keys(self, edge: str, raw: bytes) -> list[Key]:
        """The keys of a raw table that are not known, or known differently."""
        rows = self.resolve(edge, raw)
        if not len(rows) or int(rows.min()) >= 0:
            return []
        keys = decode_keys(raw)
        return [keys[place] for place in np.flatnonzero(rows < 0).tolist()]


def _limits(channel: EvidenceChannel) -> tuple[int, int]:
    lowest, highest = _INT64 if channel.kind is Kind.STATE else _INT32
    low = lowest if channel.min_value is None else max(channel.min_value, lowest)
    high = highest if channel.max_value is None else min(channel.max_value, highest)
    return low, high


def _column(dtype: Any, values: Sequence[Any]) -> NDArray[Any]:
    return np.array(values, dtype=dtype)
