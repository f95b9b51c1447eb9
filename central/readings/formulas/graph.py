"""Which virtual meter needs which: the order of evaluation, and the path of a cycle."""

from collections.abc import Collection, Mapping, Sequence


def levels(inputs: Mapping[int, Collection[int]]) -> list[list[int]]:
    """Virtual channels by level: each needs only those of earlier levels and channels that are no keys of `inputs`.

    The inputs must have no cycle.
    """
    found: list[list[int]] = []
    waiting = {channel: {need for need in needs if need in inputs} for channel, needs in inputs.items()}
    while waiting:
        ready = sorted(channel for channel, needs in waiting.items() if not needs)
        if not ready:
            raise AssertionError(f"formulas of channels {sorted(waiting)} need each other; such are not stored")
        found.append(ready)
        for channel in ready:
            del waiting[channel]
        done = set(ready)
        for needs in waiting.values():
            needs -= done
    return found


def find_cycle(inputs: Mapping[int, Collection[int]], start: int) -> Sequence[int] | None:
    """The shortest path from `start` along inputs back to `start`, both ends included; None without one."""
    came_from: dict[int, int] = {}
    border = [start]
    while border:
        following: list[int] = []
        for channel in border:
            for need in inputs.get(channel, ()):
                if need == start:
                    path = [start]
                    while channel != start:
                        path.append(channel)
                        channel = came_from[channel]
                    return [start, *path[:0:-1], start]
                if need not in came_from:
                    came_from[need] = channel
                    following.append(need)
        border = following
    return None
