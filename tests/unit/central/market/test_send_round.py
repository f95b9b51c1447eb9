"""A round of sending by several threads: what they deliver is counted together."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from central.market.send import USUAL_PACE, _Claimed, _Round


def test_deliveries_of_several_threads_in_a_row_are_counted_together() -> None:
    """While one hangs, others fail: all of them are the same row, whoever began first."""
    others_have_failed = threading.Event()
    counted: list[int] = []

    class Scripted(_Round):
        def _claim_after(self, last: int) -> _Claimed | None:
            return _Claimed(last + 1, 0, ("supply_point", str(last)), cast(Any, None), True) if last < 4 else None

        def _deliver(self, claimed: _Claimed) -> bool:
            if claimed.number == 1:
                assert others_have_failed.wait(60)
            if claimed.number == 4:
                others_have_failed.set()
                until = time.monotonic() + 60
                while self.in_a_row == 2 and time.monotonic() < until:
                    time.sleep(0.001)
                counted.append(self.in_a_row)
            return False

    nothing = cast(Any, None)
    scripted = Scripted(nothing, nothing, nothing, "test", USUAL_PACE, nothing, lambda: False)
    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(scripted._work) for _ in range(2)]:
            each.result()
    assert counted == [USUAL_PACE.give_up_round_after]
