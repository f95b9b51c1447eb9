"""How much of intervals of days others cover, where the others of one key may touch and overlap."""

from collections.abc import Sequence

import numpy as np

from central.checks.frame import Frame, Numbers, group, match


def covered_days(keys: Sequence[Numbers], asked: Frame, other_keys: Sequence[Numbers], others: Frame) -> Numbers:
    """Days of each [first, end_) of `asked` that intervals [first, end_) of `others` with the same key cover."""
    united_keys, united = _unite(other_keys, others)
    places, matched = match(keys, united_keys)
    first = np.maximum(asked["first"][places], united["first"][matched])
    end = np.minimum(asked["end_"][places], united["end_"][matched])
    days = np.zeros(len(asked), dtype=np.int64)
    np.add.at(days, places, np.maximum(end - first, 0))
    return days


def _unite(keys: Sequence[Numbers], intervals: Frame) -> tuple[list[Numbers], Frame]:
    """The intervals of each key with those that touch or overlap put together."""
    if not len(intervals):
        return [*keys], intervals
    numbers, _ = group(keys)
    order = np.lexsort((intervals["first"], numbers))
    first, end, key = intervals["first"][order], intervals["end_"][order], numbers[order]
    # ends run on within a key only: each key lies in a range of its own
    width = int(end.max()) - int(first.min()) + 1
    shift = key * width
    reach = np.maximum.accumulate(end - first.min() + shift)
    begins = np.concatenate(([True], (first - first.min() + shift)[1:] > reach[:-1])) | np.concatenate(
        ([True], key[1:] != key[:-1])
    )
    starts = np.flatnonzero(begins)
    stops = np.concatenate((starts[1:], [len(order)])) - 1
    united = Frame({"first": first[starts], "end_": (reach - shift + first.min())[stops]})
    return [column[order][starts] for column in keys], united
