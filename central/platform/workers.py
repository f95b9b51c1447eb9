"""Worker processes for what keeps a core busy: they begin clean, and end with the process that began them."""

import ctypes
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
"""Options of mallopt(3): M_TRIM_THRESHOLD, M_MMAP_THRESHOLD."""
_KEPT_OCTETS: Final = 64 * 1024 * 1024
_LARGEST_KEPT: Final = 16 * 1024 * 1024
"""Freed memory that a worker keeps, in all and of one object. Given back and asked for again, the tree of each XML
message of half a megabyte costs 4 ms beside the 9 ms of its parsing and checking."""


@contextmanager
def worker_pool(
    workers: int, prepare: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """So many processes, at most one a core, each of which calls `prepare(*arguments)` first.

    What waits is dropped where the caller fails.
    """
    # spawned, not forked: this process has threads and open connections
    context = multiprocessing.get_context("spawn")
    size = max(1, min(workers, os.cpu_count() or 1))
    with ProcessPoolExecutor(size, context, initializer=_begin, initargs=(prepare, arguments)) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _begin(prepare: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True, name="end-with-parent").start()
    keep_freed_memory()
    if prepare is not None:
        prepare(*arguments)


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, for what it will need next."""
    with suppress(OSError, AttributeError):  # a C library other than glibc has no such options
        library = ctypes.CDLL(None)
        library.mallopt(_TRIM_THRESHOLD, _KEPT_OCTETS)
        library.mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT)
