"""The static method: hand-made rounds, and what must hold for any group."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from central.readings.sharing.rules import rules_on
from central.readings.sharing.static import LARGEST, WHOLE, share, share_one


def column(*values: int) -> np.ndarray:
    return np.array([[value] for value in values], np.int64)


@pytest.mark.parametrize(
    ("produced", "demand", "keys", "rounds", "given_units"),
    [
        # One round: each its part, rounded down; 33.33 % of 100 are 33.
        (100, (100, 100, 100), (3333, 3333, 3333), 1, (33, 33, 33)),
        # The second round shares the one unit left: a third of it is nothing.
        (100, (100, 100, 100), (3333, 3333, 3333), 5, (33, 33, 33)),
        # Who needs little leaves the rest to the others: 50, then half of what is left, again and again.
        (100, (10, 1000), (5000, 5000), 1, (10, 50)),
        (100, (10, 1000), (5000, 5000), 2, (10, 70)),
        (100, (10, 1000), (5000, 5000), 5, (10, 87)),
        # 12.34 kWh: 493 + 100 + 308, then of 333, 117, 42 and 16 what is left; 6 go to who buys the rest.
        (1234, (900, 100, 700), (4000, 3500, 2500), 5, (694, 100, 434)),
        # A key of 0 gets nothing, a whole one gets all in the first round.
        (100, (1000, 1000), (0, 10000), 5, (0, 100)),
        # Nothing needed, nothing produced.
        (100, (0, 0), (5000, 5000), 5, (0, 0)),
        (0, (10, 10), (5000, 5000), 5, (0, 0)),
    ],
)
def test_rounds_by_hand(
    produced: int, demand: tuple[int, ...], keys: tuple[int, ...], rounds: int, given_units: tuple[int, ...]
) -> None:
    found = share_one(np.array([produced]), column(*demand), keys, rounds)
    assert found[:, 0].tolist() == list(given_units)


def test_a_second_producer_gives_to_who_still_needs() -> None:
    found = share(column(100, 100), column(60, 60), [[10000, 0], [5000, 5000]], 5)
    assert found[:, :, 0].tolist() == [[60, 0], [0, 60]], "the second gives 50 and then half of what is left"


@st.composite
def groups(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, list[list[int]], int]:
    producers, consumers, periods = draw(st.integers(1, 3)), draw(st.integers(1, 6)), draw(st.integers(1, 8))
    energy = st.integers(0, 10**7)
    keys = []
    for _ in range(producers):
        parts = draw(st.lists(st.integers(0, WHOLE), min_size=consumers, max_size=consumers))
        over = max(1, -(-sum(parts) // WHOLE))
        keys.append([part // over for part in parts])
    return (
        draw(arrays(np.int64, (producers, periods), elements=energy)),
        draw(arrays(np.int64, (consumers, periods), elements=energy)),
        keys,
        draw(st.integers(1, 6)),
    )


@given(groups())
def test_nobody_gives_or_gets_what_is_not_there(group: tuple[np.ndarray, np.ndarray, list[list[int]], int]) -> None:
    produced, demanded, keys, rounds = group
    found = share(produced, demanded, keys, rounds)
    assert (found >= 0).all()
    assert (found.sum(axis=1) <= produced).all()
    assert (found.sum(axis=0) <= demanded).all()
    for number, row in enumerate(keys):
        for consumer, key in enumerate(row):
            if key == 0:
                assert not found[number, consumer].any()
    more = share(produced[:1], demanded, keys[:1], rounds + 1)
    assert (more >= share(produced[:1], demanded, keys[:1], rounds)).all(), "another round takes nothing away"


@given(groups())
def test_the_arrays_are_the_pseudo_code(group: tuple[np.ndarray, np.ndarray, list[list[int]], int]) -> None:
    """Period by period with plain integers, as it is described."""
    produced, demanded, keys, rounds = group
    found = share_one(produced[0], demanded, keys[0], rounds)
    for period in range(produced.shape[1]):
        there, left = int(produced[0, period]), [int(value) for value in demanded[:, period]]
        got = [0] * len(left)
        for _ in range(rounds):
            before, given_now = there, 0
            for place, key in enumerate(keys[0]):
                part = min(left[place], key * before // WHOLE)
                got[place] += part
                left[place] -= part
                given_now += part
            there -= given_now
            if given_now == 0:
                break
        assert found[:, period].tolist() == got


@pytest.mark.parametrize("keys", [(6000, 5000), (-1, 5), (5000,)])
def test_keys_that_do_not_fit_are_refused(keys: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="The keys"):
        share_one(np.array([100]), column(1, 1), keys, 5)


@pytest.mark.parametrize(
    ("produced", "demand"), [(-1, (1, 1)), (1, (1, -1)), (LARGEST + 1, (1, 1)), (1, (1, LARGEST + 1))]
)
def test_energy_that_cannot_be_is_refused(produced: int, demand: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="between 0 and"):
        share_one(np.array([produced]), column(*demand), (1, 1), 5)


def test_the_most_energy_is_shared_without_overflow() -> None:
    found = share_one(np.array([LARGEST]), column(LARGEST, LARGEST), (6000, 4000), 5)
    assert found[:, 0].tolist() == [LARGEST * 6000 // WHOLE, LARGEST * 4000 // WHOLE]
    assert share_one(np.array([LARGEST]), column(LARGEST), (WHOLE,), 1)[0, 0] == LARGEST


@given(groups(), st.randoms(use_true_random=False))
def test_the_order_of_consumers_means_nothing(
    group: tuple[np.ndarray, np.ndarray, list[list[int]], int], chance: Random
) -> None:
    """Everyone is offered a part of what is there at the round's begin, whoever stands before."""
    produced, demanded, keys, rounds = group
    order = list(range(len(demanded)))
    chance.shuffle(order)
    mixed = share(produced, demanded[order], [[row[place] for place in order] for row in keys], rounds)
    assert (mixed == share(produced, demanded, keys, rounds)[:, order]).all()


@given(groups())
def test_what_is_given_and_what_is_left_are_what_was_there(
    group: tuple[np.ndarray, np.ndarray, list[list[int]], int],
) -> None:
    """A producer alone, once with all rounds at hand: what is left after the last one is less than a unit a key."""
    produced, demanded, _, _ = group
    plenty = np.full_like(demanded, produced[0].max() + 1)
    whole = [WHOLE // len(demanded)] * len(demanded)
    whole[0] += WHOLE - sum(whole)
    found = share_one(produced[0], plenty, whole, 60)
    left = produced[0] - found.sum(axis=0)
    assert (left >= 0).all()
    assert all((left * key < WHOLE).all() for key in whole), "nothing that a round could still give is left"


def test_rounds_and_limits_are_data() -> None:
    from datetime import date

    rules = rules_on(date(2026, 3, 1))
    assert [rules.rounds_of(members) for members in (2, 50, 51, 900)] == [5, 5, 1, 1]
    assert rules.limit_of("grid").members == 11
    assert rules_on(date(2000, 1, 1)) is rules
