"""How much back-fill may be under way: pure, on monotonic seconds.

What is under way cannot be overtaken, so a backlog may only have as many batches out as central answers in a moment;
live data then wait no longer than that, on a fast line and on a narrow one.
"""

from typing import Final

QUICK_S: Final = 1.0
"""An answer within this lets one more batch out."""
SLOW_S: Final = 2.0
"""An answer later than this halves what may be out, at most once in so long."""
FIRST: Final = 4.0
RESERVED: Final = 8
"""Places in the window of numbered batches that back-fill never takes."""


class BackfillPace:
    """`window` says how many batches with back-fill may wait for central's answer; `most` is the uplink's window."""

    def __init__(self, most: int) -> None:
        self._most = max(1, most - RESERVED)
        self._window = min(FIRST, self._most)
        self._slowed_at = float("-inf")

    @property
    def window(self) -> int:
        """At least 1."""
        return int(self._window)

    def answered(self, after_s: float, now: float) -> None:
        """Central has answered a batch `after_s` after it was sent."""
        if after_s <= QUICK_S:
            self._window = min(self._most, self._window + 1)
        elif after_s > SLOW_S and now - self._slowed_at >= SLOW_S:
            self._window = max(1.0, self._window / 2)
            self._slowed_at = now
