"""The circuit breaker of a source as a table: whoever fails again and again is left alone for a while. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

MOST_FAILURES: Final = 5
"""Failed runs in a row at which the breaker opens."""
PAUSE: Final = timedelta(minutes=30)
"""How long an open breaker lets nothing through before one run may try."""


class State(StrEnum):
    """What a breaker lets through."""

    CLOSED = "closed"
    """Everything."""
    OPEN = "open"
    """Nothing until the pause is over."""
    HALF_OPEN = "half_open"
    """One run, whose outcome decides."""


class Event(StrEnum):
    """What happens to a breaker."""

    SUCCESS = "success"
    FAILURE = "failure"
    """Below the limit of failures in a row."""
    LIMIT = "limit"
    """The failure that reaches the limit."""
    PAUSE_OVER = "pause_over"


TRANSITIONS: Final[dict[State, dict[Event, State]]] = {
    State.CLOSED: {Event.SUCCESS: State.CLOSED, Event.FAILURE: State.CLOSED, Event.LIMIT: State.OPEN},
    State.OPEN: {Event.PAUSE_OVER: State.HALF_OPEN},
    State.HALF_OPEN: {Event.SUCCESS: State.CLOSED, Event.FAILURE: State.OPEN, Event.LIMIT: State.OPEN},
}
"""What is not in the table cannot happen: an open breaker lets no run through that could succeed or fail."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """State, failures in a row, and when it opened the last time."""

    state: State = State.CLOSED
    failures: int = 0
    opened_at: datetime | None = None

    def admits(self, now: datetime) -> bool:
        """Whether a run may try, after `look`."""
        return self.look(now).state is not State.OPEN

    def reopens_at(self) -> datetime | None:
        """When an open breaker lets one run through; None where it is not open."""
        return None if self.state is not State.OPEN or self.opened_at is None else self.opened_at + PAUSE

    def look(self, now: datetime) -> "Breaker":
        """Half open once the pause is over; a clock that was set back before the opening ends the pause too."""
        if self.state is not State.OPEN or self.opened_at is None:
            return self
        if timedelta(0) <= now - self.opened_at < PAUSE:
            return self
        return replace(self, state=TRANSITIONS[self.state][Event.PAUSE_OVER])

    def succeeded(self) -> "Breaker":
        """After a run that went well; KeyError where the breaker was open."""
        return Breaker(TRANSITIONS[self.state][Event.SUCCESS])

    def failed(self, now: datetime) -> "Breaker":
        """After a run that failed; KeyError where the breaker was open."""
        failures = self.failures + 1
        state = TRANSITIONS[self.state][Event.LIMIT if failures >= MOST_FAILURES else Event.FAILURE]
        return Breaker(state, failures, now if state is State.OPEN else self.opened_at)
