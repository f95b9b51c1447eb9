"""How long a meter that fails is left alone: pure. A dead meter must not eat the bus (OpenEMS#6, telegraf#11782)."""

from dataclasses import dataclass
from typing import Final

FIRST_S: Final = 2.0
MOST_S: Final = 300.0
BUS_SHARE: Final = 0.05
"""Largest share of the bus's time that a meter which does not answer may cost, from its second failure on."""


@dataclass(frozen=True, slots=True)
class Health:
    """Consecutive failures of a meter and when (monotonic seconds) it may be asked again."""

    failures: int = 0
    retry_at: float = 0.0


def after_failure(health: Health, now: float, cost_s: float, at_least_s: float = 0.0) -> Health:
    """The meter failed at `now` after `cost_s` seconds on the bus; `at_least_s` is a rest that the driver demands."""
    delay = min(FIRST_S * 2**health.failures, MOST_S)
    if health.failures >= 1:
        delay = max(delay, cost_s * (1 - BUS_SHARE) / BUS_SHARE)
    return Health(health.failures + 1, now + max(delay, at_least_s))
