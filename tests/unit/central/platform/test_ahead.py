"""Items made ahead: in order, a few of them, and over when whoever takes them is."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from central.platform.ahead import ahead


def counted(many: int, made: list[int]) -> Iterator[int]:
    for number in range(many):
        made.append(number)
        yield number


@pytest.mark.parametrize("many", [1, 2, 100])
def test_the_same_items_come_in_the_same_order(many: int) -> None:
    assert list(ahead(counted(20, []), many)) == list(range(20))
    assert list(ahead(iter(()), many)) == []


def test_they_are_made_by_another_thread_and_a_few_ahead_at_most() -> None:
    made: list[int] = []
    threads = set[int]()

    def items() -> Iterator[int]:
        for number in counted(50, made):
            threads.add(threading.get_ident())
            yield number

    for number in ahead(items(), 2):
        # taken 0 to number; two wait beside the newest, and the next is made as soon as one is taken
        assert len(made) <= number + 1 + 2 + 1
    assert made == list(range(50))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_what_the_maker_raises_is_raised_at_its_place() -> None:
    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise ZeroDivisionError("at three")

    taken = []
    with pytest.raises(ZeroDivisionError, match="at three"):
        taken.extend(iter(ahead(failing(), 1)))
    items = ahead(failing(), 8)
    assert (next(items), next(items)) == (1, 2)
    with pytest.raises(ZeroDivisionError, match="at three"):
        next(items)


def test_the_thread_is_over_when_the_taker_stops_early() -> None:
    made: list[int] = []
    with closing(ahead(counted(1_000, made), 3)) as items:
        assert next(items) == 0
        while len(made) < 1 + 3 + 1:  # without anybody who takes them
            time.sleep(0.001)
        assert "ahead" in {thread.name for thread in threading.enumerate()}
    assert "ahead" not in {thread.name for thread in threading.enumerate()}
    assert len(made) <= 1 + 3 + 2
