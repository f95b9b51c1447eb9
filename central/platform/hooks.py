"""What a lower room asks of the upper ones: what a change would touch, whether it must not be, and who wants to know.

Upper rooms register plain functions (`central/<room>/hooks.py`, `register(hooks)`); processes that act load them at
their start. A lower room only knows the three questions. Everything happens in the caller's transaction.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any

from sqlalchemy import Connection

import central
from central.platform.errors import Refused


@dataclass(frozen=True, slots=True)
class Change:
    """What is about to be done: `act` ("revise", "close", "remove") on a `kind` ("supply_point") with database `id`.

    It changes what holds from `since` until `until` (exclusive; None: open end). `fields` are the facts that get
    another value (empty: all). `supply_points` are the points whose settlement rests on the thing, where there are any.
    """

    kind: str
    id: int | str
    name: str
    act: str
    since: date
    until: date | None = None
    fields: frozenset[str] = frozenset()
    supply_points: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Touched:
    """Things of one kind that a change would touch: how many, over which days (`until` exclusive), some by name."""

    room: str
    kind: str
    count: int
    since: date | None
    until: date | None
    examples: tuple[str, ...] = ()


AffectedBy = Callable[[Connection, Change], Iterable[Touched]]
"""Says what of a room a change would touch; reads only."""
Refuses = Callable[[Connection, Change], str | None]
"""Says in a sentence that names both sides why a change must not be, or None."""
Listener = Callable[[Connection, Mapping[str, Any]], None]
"""Takes an event of a topic, in the transaction that made it."""


@dataclass
class Hooks:
    """The registered functions, by the room's name: registering once more replaces, so loading twice is harmless."""

    _affected: dict[str, AffectedBy] = field(default_factory=dict)
    _refuses: dict[str, Refuses] = field(default_factory=dict)
    _listeners: dict[str, dict[str, Listener]] = field(default_factory=lambda: defaultdict(dict))

    def register(self, room: str, *, affected_by: AffectedBy | None = None, refuses: Refuses | None = None) -> None:
        """An upper room's answers."""
        if affected_by is not None:
            self._affected[room] = affected_by
        if refuses is not None:
            self._refuses[room] = refuses

    def subscribe(self, topic: str, room: str, listener: Listener) -> None:
        """`listener` of `room` takes what is published under `topic` ("supply_point.revised")."""
        self._listeners[topic][room] = listener

    def affected_by(self, connection: Connection, change: Change) -> list[Touched]:
        """What the change would touch, over all rooms by name; things of which there are none are left out."""
        return [
            touched
            for _, asked in sorted(self._affected.items())
            for touched in asked(connection, change)
            if touched.count
        ]

    def refuses(self, connection: Connection, change: Change) -> list[str]:
        """Why the change must not be, a sentence for each room that objects."""
        sentences = (asked(connection, change) for _, asked in sorted(self._refuses.items()))
        return [sentence for sentence in sentences if sentence]

    def require_allowed(self, connection: Connection, change: Change) -> None:
        """Refused (409) with the sentences of all rooms that object."""
        sentences = self.refuses(connection, change)
        if sentences:
            raise Refused("still_needed", " ".join(sentences))

    def publish(self, connection: Connection, topic: str, event: Mapping[str, Any]) -> None:
        """Hand an event to all listeners of the topic, in the caller's transaction."""
        for _, listener in sorted(self._listeners[topic].items()):
            listener(connection, event)


HOOKS = Hooks()
"""The process's hooks."""


def load_hooks() -> None:
    """`central.<room>.hooks.register` of every room that answers what lower rooms ask; once or many times.

    Every process that acts has to: what nobody has registered is neither asked nor told.
    """
    for room in sorted(each.name for each in iter_modules(central.__path__) if each.ispkg and each.name != "platform"):
        if find_spec(f"central.{room}.hooks"):
            import_module(f"central.{room}.hooks").register(HOOKS)
