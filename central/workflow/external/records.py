"""What adapters do with records that go to the common store of values."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from central.platform.external.values import Counts, Value, store_values
from central.workflow.external.adapter import Origin, UnreadableError


def each_once(values: Iterable[Value]) -> list[Value]:
    """A record that comes twice with the same content is taken once; with another one it is unreadable."""
    found: dict[tuple[str, str], Value] = {}
    for value in values:
        if found.setdefault((value.series, value.key), value) != value:
            raise UnreadableError(f"{value.series} {value.key} comes twice and says two things.")
    return list(found.values())


def keep(connection: Connection, values: Sequence[Value], _: Any, origin: Origin) -> Counts:
    """Store values by series and key."""
    return store_values(connection, values, origin.fetch, origin.at)
