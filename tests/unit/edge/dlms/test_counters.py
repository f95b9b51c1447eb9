"""Invocation counters: none twice, whatever is lost."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.dlms.counters import MAX_JUMP, CounterStore
from edge.dlms.errors import CounterLostError
from shared.dlms.ciphering import MAX_COUNTER

TITLE, KEY = b"RZV00001", bytes(16)


def numbers(path: Path, count: int, block: int = 4) -> list[int]:
    """Of a process that is not closed in order."""
    counter = CounterStore(path, block).counter(TITLE, KEY)
    return [counter.next() for _ in range(count)]


def test_numbers_go_on_behind_what_was_reserved(tmp_path: Path) -> None:
    path = tmp_path / "counters.sqlite"
    assert numbers(path, 3) == [1, 2, 3]
    assert numbers(path, 5) == [5, 6, 7, 8, 9]
    assert numbers(path, 1) == [13]


def test_a_number_is_reserved_on_disk_before_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "counters.sqlite"
    counter = CounterStore(path, 2).counter(TITLE, KEY)
    for _ in range(5):
        number = counter.next()
        with sqlite3.connect(path) as other:
            assert other.execute("SELECT reserved FROM invocation_counter").fetchone()[0] >= number


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40) | st.none()), max_size=8))
def test_no_number_twice(tmp_path: Path, lives: list[tuple[int, int | None]]) -> None:
    """Lives of an agent: so many messages each, after a look at the meter's counter or none."""
    path = tmp_path / "counters.sqlite"
    path.unlink(missing_ok=True)
    for beside in ("-wal", "-shm"):
        path.with_name(path.name + beside).unlink(missing_ok=True)
    given: list[int] = []
    for count, seen in lives:
        store = CounterStore(path, 4)
        counter = store.counter(TITLE, KEY)
        if seen is not None:
            counter.follow(seen)
        fresh = [counter.next() for _ in range(count)]
        assert all(number > (seen or 0) for number in fresh)
        given += fresh
        store.close()
    assert given == sorted(set(given))


def test_two_processes_on_one_file(tmp_path: Path) -> None:
    path = tmp_path / "counters.sqlite"
    one, two = (CounterStore(path, 3).counter(TITLE, KEY) for _ in range(2))
    given = [counter.next() for _ in range(10) for counter in (one, two)]
    assert len(set(given)) == 20


def test_each_key_and_title_has_its_own_numbers_and_meters_share_those_of_a_key(tmp_path: Path) -> None:
    store = CounterStore(tmp_path / "counters.sqlite")
    counter = store.counter(TITLE, KEY)
    assert counter.next() == 1
    assert store.counter(TITLE, KEY) is counter
    assert store.counter(TITLE, bytes(15) + b"\x01").next() == 1
    assert store.counter(b"RZV00002", KEY).next() == 1
    assert counter.next() == 2


def test_following_a_meter(tmp_path: Path) -> None:
    path = tmp_path / "counters.sqlite"
    counter = CounterStore(path, 10).counter(TITLE, KEY)
    counter.follow(100)
    assert counter.next() == 101
    counter.follow(50)
    assert counter.next() == 102
    counter.follow(105)
    assert counter.next() == 106
    counter.follow(5000)
    assert counter.next() == 5001
    assert numbers(path, 1, 10) == [5011]


def test_a_meter_too_far_ahead_is_not_believed(tmp_path: Path) -> None:
    counter = CounterStore(tmp_path / "counters.sqlite").counter(TITLE, KEY)
    with pytest.raises(CounterLostError, match="too far ahead"):
        counter.follow(MAX_JUMP + 1)
    assert counter.next() == 1


def test_a_new_key_begins_behind_the_start(tmp_path: Path) -> None:
    path = tmp_path / "counters.sqlite"
    assert CounterStore(path, 4).counter(TITLE, KEY, start=1000).next() == 1001
    assert CounterStore(path, 4).counter(TITLE, KEY, start=9000).next() == 1005


def test_the_end_of_the_numbers(tmp_path: Path) -> None:
    counter = CounterStore(tmp_path / "counters.sqlite", 4).counter(TITLE, KEY, start=MAX_COUNTER - 5)
    assert [counter.next() for _ in range(4)][-1] == MAX_COUNTER - 1
    with pytest.raises(CounterLostError, match="used up"):
        counter.next()


def test_nothing_is_given_where_the_file_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "counters.sqlite"
    store = CounterStore(path, 1)
    counter = store.counter(TITLE, KEY)
    counter.next()
    store.close()
    with pytest.raises(CounterLostError, match="cannot be kept"):
        counter.next()
    path.unlink()
    path.mkdir()
    with pytest.raises(CounterLostError, match=str(path)):
        CounterStore(path)


def test_a_file_that_is_no_store(tmp_path: Path) -> None:
    path = tmp_path / "counters.sqlite"
    shutil.copy(__file__, path)
    with pytest.raises(CounterLostError, match="cannot be kept"):
        CounterStore(path)


def test_keys_are_not_in_the_file(tmp_path: Path) -> None:
    path, key = tmp_path / "counters.sqlite", bytes(range(16))
    store = CounterStore(path)
    store.counter(TITLE, key).next()
    store.close()
    assert key not in path.read_bytes()
