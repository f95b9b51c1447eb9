"""What a concentrator says of itself: births, wills, and the numbers that it claims to hold."""

from typing import Final

from edge.outbox.model import Ranges
from shared.clock import Clock
from shared.wire import Birth

CLAIM: Final = 100_000
"""Numbers of the running epoch that a birth claims ahead: a birth is retained, so central may read it long after, when
the epoch has gone on. A hole in the running epoch is never nobody's."""
CLAIM_MARGIN: Final = 1_000
"""So long before its claim ends the birth is renewed."""


def claimed(held: Ranges, epoch: int, next_seq: int) -> Ranges:
    """`held` with the running epoch open to the future; `next_seq` is the next number to be given in it."""
    running = [first for each, first, _ in held if each == epoch]
    return [each for each in held if each[0] != epoch] + [(epoch, min(running, default=next_seq), next_seq + CLAIM)]


def birth(
    *,
    online: bool,
    epoch: int,
    held: Ranges,
    incarnation: str,
    agent: str,
    config_number: int,
    clock: Clock,
    ask: int = 0,
) -> Birth:
    """A birth of now; `ask` as in `Birth`."""
    return Birth(
        online=online,
        epoch=epoch,
        held=list(held),
        incarnation=incarnation,
        agent=agent,
        config_number=config_number,
        at=clock.now_ms(),
        ask=ask,
    )
