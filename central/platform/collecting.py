"""Python's collector of reference cycles, held back while sets of many small records are worked through.

Records that live as long as a chunk make the collector walk them again and again and find nothing: what falls out of
use there is freed by its reference count. Of a month's settlement it took a fifth (`tests/bench/README.md`).
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_LOCK = Lock()
_holding = 0
_was_on = True


@contextmanager
def cycles_kept() -> Iterator[None]:
    """No look for reference cycles inside; of several at once, in threads too, the last to end lets it go on."""
    global _holding, _was_on
    with _LOCK:
        if _holding == 0:
            _was_on = gc.isenabled()
            gc.disable()
        _holding += 1
    try:
        yield
    finally:
        with _LOCK:
            _holding -= 1
            if _holding == 0 and _was_on:
                gc.enable()
