"""When which numbered batch is to be sent: pure, on monotonic seconds."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from edge.config import UplinkConfig
from edge.outbox.model import Address

MOMENT: Final = 0.2
"""Part of the first resend time within which central may well be at work on what was sent."""


@dataclass(slots=True)
class _Try:
    due: float
    sent_at: float = float("-inf")
    sent: int = 0
    refused: int = 0
    on_the_way: bool = False


class Resends:
    """Unacknowledged batches of this connection. A batch that central did not acknowledge is sent again after
    `resend_first_s`, doubling up to `resend_most_s`; one that the broker refused waits longer.
    """

    def __init__(self, settings: UplinkConfig) -> None:
        self._settings = settings
        self._tries: dict[Address, _Try] = {}

    def __len__(self) -> int:
        return len(self._tries)

    def __contains__(self, address: Address) -> bool:
        return address in self._tries

    def addresses(self) -> list[Address]:
        """All that wait, oldest first."""
        return list(self._tries)

    def add(self, addresses: Iterable[Address], now: float) -> None:
        """Numbered batches that are to be sent at once; those already known keep their pace."""
        for address in addresses:
            self._tries.setdefault(address, _Try(now))

    def hurry(self, now: float) -> None:
        """Central has just come: what waits for a resend goes now, at the first pace. What was sent a moment ago waits
        until the moment is over: central may be at work on it, or the broker had nobody to give it to. What the broker
        refused keeps waiting.
        """
        moment = self._settings.resend_first_s * MOMENT
        for each in self._tries.values():
            if each.refused:
                continue
            if now - each.sent_at >= moment:
                each.due, each.sent = now, 0
            else:
                each.due = min(each.due, each.sent_at + moment)

    def forget(self, addresses: Iterable[Address]) -> None:
        """Acknowledged, or no longer held."""
        for address in addresses:
            self._tries.pop(address, None)

    def waited(self, address: Address, now: float) -> float | None:
        """How long ago it was sent last; None if it was not."""
        each = self._tries.get(address)
        return now - each.sent_at if each is not None and each.sent else None

    def due(self, now: float) -> list[Address]:
        """What is to be sent now, oldest first."""
        return [address for address, each in self._tries.items() if not each.on_the_way and each.due <= now]

    def next_due(self) -> float | None:
        """When something becomes due; None if nothing waits."""
        return min((each.due for each in self._tries.values() if not each.on_the_way), default=None)

    def sending(self, address: Address) -> None:
        """A publish begins."""
        self._tries[address].on_the_way = True

    def sent(self, address: Address, now: float) -> None:
        """The broker took it."""
        each = self._tries.get(address)
        if each is None:
            return
        delay = min(self._settings.resend_first_s * 2**each.sent, self._settings.resend_most_s)
        each.on_the_way, each.due, each.sent, each.refused = False, now + delay, each.sent + 1, 0
        each.sent_at = now

    def refused(self, address: Address, now: float) -> None:
        """The broker refused it."""
        each = self._tries.get(address)
        if each is None:
            return
        delay = min(self._settings.refused_first_s * 2**each.refused, self._settings.refused_most_s)
        each.on_the_way, each.due, each.refused = False, now + delay, each.refused + 1
