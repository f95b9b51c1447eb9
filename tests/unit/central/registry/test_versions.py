from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.platform.errors import BadInput
from central.registry.versions import Version, revised

EPOCH = date(2026, 1, 1)
days = st.integers(0, 60).map(lambda day: EPOCH + timedelta(days=day))
changes = st.dictionaries(st.sampled_from(["level", "supplier"]), st.sampled_from("abc"), min_size=1)
START = [Version(None, {"level": "a", "supplier": "a"})]


def held(versions: list[Version], day: date) -> dict[str, Any]:
    """What holds on a day."""
    return dict([version for version in versions if version.since is None or version.since <= day][-1].facts)


def test_a_change_begins_a_version_and_leaves_what_was() -> None:
    versions = revised(START, {"level": "b"}, date(2026, 3, 1))
    assert versions == [*START, Version(date(2026, 3, 1), {"level": "b", "supplier": "a"})]


def test_a_change_of_the_past_lasts_until_that_fact_was_changed_again() -> None:
    versions = revised(START, {"level": "b"}, date(2026, 3, 1))
    versions = revised(versions, {"level": "c", "supplier": "x"}, date(2026, 2, 1))
    assert versions == [
        *START,
        Version(date(2026, 2, 1), {"level": "c", "supplier": "x"}),
        Version(date(2026, 3, 1), {"level": "b", "supplier": "x"}),
    ]


def test_a_change_on_the_same_day_corrects_the_version() -> None:
    versions = revised(revised(START, {"level": "b"}, date(2026, 3, 1)), {"level": "c"}, date(2026, 3, 1))
    assert versions == [*START, Version(date(2026, 3, 1), {"level": "c", "supplier": "a"})]


def test_a_change_to_what_holds_anyway_makes_no_version() -> None:
    assert revised(START, {"level": "a"}, date(2026, 3, 1)) == START


def test_nothing_changes_before_the_first_version() -> None:
    with pytest.raises(BadInput, match="2026-03-01"):
        revised([Version(date(2026, 3, 1), {"level": "a"})], {"level": "b"}, date(2026, 2, 1))


@given(st.lists(st.tuples(days, changes), max_size=6), days, changes)
def test_what_was_before_a_change_stays_and_the_change_holds_on_its_day(
    earlier: list[tuple[date, dict[str, str]]], since: date, change: dict[str, str]
) -> None:
    versions = START
    for day, what in earlier:
        versions = revised(versions, what, day)
    after = revised(versions, change, since)
    starts = [version.since for version in after[1:]]
    assert all(start is not None for start in starts)
    assert starts == sorted(set(starts), key=str)
    for offset in range(-1, 62):
        day = EPOCH + timedelta(days=offset)
        if day < since:
            assert held(after, day) == held(versions, day)
    assert {name: held(after, since)[name] for name in change} == change
    untouched = {"level", "supplier"} - set(change)
    for offset in range(62):
        day = EPOCH + timedelta(days=offset)
        assert all(held(after, day)[name] == held(versions, day)[name] for name in untouched)
