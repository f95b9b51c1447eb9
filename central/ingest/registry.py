"""Reads evidence channels from the database, edge by edge, and learns of changes.

A change of the table `evidence_channel` is notified (trigger of migration 0003), upon which everything is forgotten
and read again with the next message. A key that is not known is looked for once more before it is refused, so a
channel that was created a moment ago is found whatever the notification does.
"""

from collections.abc import Collection, Iterable
from typing import Any, Final

import psycopg

from central.ingest.channels import ChannelTable, EvidenceChannel
from shared.quantities import Commodity, Kind
from shared.wire import Key

MOST_CHANNELS: Final = 400_000
"""Above this, channels are forgotten and read again as they come (about 500 bytes each)."""

_SELECT: Final = """
    SELECT e.id, e.concentrator, e.device, e.register, e.unit, e.exponent, e.kind, e.step_ms, e.min_value, e.max_value,
           m.commodity
    FROM evidence_channel e JOIN meter m ON m.id = e.device
"""


class Registry:
    """Keeps a `ChannelTable` as the database has it.

    With `listen`, the connection is in autocommit mode, used by nobody else, and heard for changes; without, what is
    read is good for one transaction.
    """

    def __init__(
        self,
        connection: "psycopg.Connection[tuple[Any, ...]]",
        table: ChannelTable | None = None,
        *,
        listen: bool = True,
    ) -> None:
        self.table = table if table is not None else ChannelTable()
        self._connection = connection
        self._listen = listen
        self._changed = False
        if listen:
            connection.add_notify_handler(self._note)
            connection.execute("LISTEN evidence_channel")

    def _note(self, _notify: psycopg.Notify) -> None:
        self._changed = True

    def require(self, edges: Collection[str]) -> None:
        """Know the channels of `edges`, as the database has them now as far as it has said."""
        if self._listen:
            # A round trip: whatever was committed before it has been notified by its end.
            self._connection.execute("SELECT 1")
        if self._changed:
            self._changed = False
            self.table.forget()
        if len(self.table) > MOST_CHANNELS:
            self.table.forget()
        missing = sorted(edge for edge in edges if edge not in self.table.edges)
        if missing:
            self._read(_SELECT + " WHERE e.concentrator = ANY(%s)", [missing], missing)

    def look_again(self, keys: Iterable[tuple[str, Key]]) -> bool:
        """Look for keys (of edges) that are not known or known differently; says whether anything was found."""
        wanted = {(edge, key.device, key.register) for edge, key in keys}
        wanted = {names for names in wanted if not any("\0" in name for name in names)}
        if not wanted:
            return False
        return self._read(
            _SELECT
            + """ JOIN unnest(%s::text[], %s::text[], %s::text[]) AS wanted (edge, device, register)
                  ON (e.concentrator, e.device, e.register) = (wanted.edge, wanted.device, wanted.register)""",
            [list(column) for column in zip(*sorted(wanted), strict=True)],
            (),
        )

    def _read(self, query: str, parameters: list[list[str]], edges: Collection[str]) -> bool:
        rows = self._connection.execute(query.encode(), parameters).fetchall()
        if rows or edges:
            self.table.add([channel_of(row) for row in rows], edges)
        return bool(rows)


def channel_of(row: tuple[object, ...]) -> EvidenceChannel:
    """The evidence channel of a row of `_SELECT`."""
    number, edge, device, register, unit, exponent, kind, step_ms, low, high, commodity = row
    assert isinstance(number, int) and isinstance(exponent, int) and isinstance(step_ms, int)
    assert low is None or isinstance(low, int)
    assert high is None or isinstance(high, int)
    return EvidenceChannel(
        number,
        str(edge),
        str(device),
        str(register),
        str(unit),
        exponent,
        Kind(str(kind)),
        step_ms,
        low,
        high,
        Commodity(str(commodity)),
    )
