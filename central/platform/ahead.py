"""Make the items of an iterator ahead of whoever takes them, in a thread of its own."""

from collections.abc import Generator, Iterator
from queue import SimpleQueue
from threading import Event, Semaphore, Thread
from typing import Final, TypeVar, cast

_END: Final = object()

T = TypeVar("T")


def ahead(items: Iterator[T], many: int) -> Generator[T, None, None]:
    """The same items in the same order; at most `many` wait to be taken beside the newest.

    What the maker raises is raised at its place. When the taker stops early, the thread ends with the item that it is
    at; it is always over when this iterator is.
    """
    made: SimpleQueue[tuple[object, BaseException | None]] = SimpleQueue()
    room, stopped = Semaphore(many), Event()

    def make() -> None:
        failed: BaseException | None = None
        try:
            for item in items:
                made.put((item, None))
                room.acquire()
                if stopped.is_set():
                    break
        except BaseException as error:  # whatever it is, it is the taker's to handle
            failed = error
        finally:
            made.put((_END, failed))

    thread = Thread(target=make, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, failed = made.get()
            if failed is not None:
                raise failed
            if item is _END:
                return
            room.release()
            yield cast("T", item)
    finally:
        stopped.set()
        room.release()
        thread.join()
