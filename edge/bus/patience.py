"""How long a meter is waited for: pure. A fixed time-out is too short for one meter and makes another's death dear."""

import math
from collections import deque
from typing import Final

WINDOW: Final = 128
ENOUGH: Final = 5
"""With fewer answers nothing is known, and the configured time-out holds."""
QUANTILE: Final = 0.99
FACTOR: Final = 2.0


class Patience:
    """What is known of one meter's answers: seconds from the end of a request to the answer, of the last `WINDOW`."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=WINDOW)
        self._in_vain = 0

    def answered(self, after_s: float) -> None:
        """An answer came in time."""
        self._times.append(after_s)
        self._in_vain = 0

    def answered_late(self, after_s: float) -> None:
        """An answer came when it was waited for no more: next time it shall be."""
        self._times.append(after_s)

    def gave_up(self) -> None:
        """No answer within `timeout_s`: it doubles, because a meter that has become slow would never be heard again."""
        self._in_vain += 1

    def timeout_s(self, least_s: float, most_s: float) -> float:
        """How long to wait: twice what 99 of 100 answers took, within the bounds; `most_s` while little is known."""
        if len(self._times) < ENOUGH:
            return most_s
        times = sorted(self._times)
        usual = times[math.ceil(QUANTILE * len(times)) - 1]
        return min(max(FACTOR * usual * (1 << min(self._in_vain, 16)), least_s), most_s)
