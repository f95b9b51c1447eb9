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
"""Freed memory that a worker keeps for what it needs next."""
_LARGEST_KEPT: Final = 16 * 1024 * 1024
"""Objects of up to this size come from that memory where it is asked for: giving back half a megabyte and asking for it
again costs a tenth of a millisecond, and a message is copied ten times while it is signed."""


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
    _set_memory(_TRIM_THRESHOLD, _KEPT_OCTETS)
    if prepare is not None:
        prepare(*arguments)


def keep_freed_memory() -> None:
    """Let this process keep the memory of large objects that it frees, too: it takes more, and works faster."""
    _set_memory(_TRIM_THRESHOLD, _KEPT_OCTETS)
    _set_memory(_MMAP_THRESHOLD, _LARGEST_KEPT)


def _set_memory(option: int, octets: int) -> None:
    with suppress(OSError, AttributeError):  # a C library other than glibc has no such options
        ctypes.CDLL(None).mallopt(option, octets)
