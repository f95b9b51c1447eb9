"""Events of the concentrator itself: they travel as records in the numbered batches, like those of meters."""

from collections.abc import Mapping
from typing import Final

import structlog

from edge.errors import OutboxError
from edge.outbox.model import Deposit
from edge.outbox.outbox import Outbox
from shared.clock import Clock
from shared.wire import Record

LONGEST_TEXT: Final = 2_000


class Events:
    """Puts records into the outbox; a disk that fails is logged, because an event must not end what it tells of."""

    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        self._outbox = outbox
        self._clock = clock

    async def note(
        self, kind: str, device: str = "", data: Mapping[str, str | int | float | None] | None = None
    ) -> None:
        """Something happened now."""
        cut = {name: value[:LONGEST_TEXT] if isinstance(value, str) else value for name, value in (data or {}).items()}
        try:
            await self._outbox.deposit(Deposit(records=[Record(kind, device, self._clock.now_ms(), cut)]))
        except OutboxError as error:
            structlog.get_logger("edge.control").error("event not stored", kind=kind, device=device, reason=str(error))
