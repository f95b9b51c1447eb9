"""The table of states, and the names of periods."""

from datetime import UTC, date, datetime

import pytest

from central.platform.errors import BadInput, Refused
from central.workflow.reports.scope import Scope, period_of, period_text
from central.workflow.reports.states import TRANSITIONS, Act, State, advance


@pytest.mark.parametrize(
    ("state", "act", "after"), [(state, act, after) for (state, act), after in TRANSITIONS.items()]
)
def test_acts_of_the_table(state: State, act: Act, after: State) -> None:
    assert advance(1, state, act) is after


@pytest.mark.parametrize(
    ("state", "act", "possible"),
    [
        ("made", Act.CLOSE, "discard, fill, override"),
        ("closed", Act.OVERRIDE, "reopen, send"),
        ("sent", Act.FILL, "reopen"),
        ("replaced", Act.REOPEN, "nothing"),
        ("discarded", Act.FILL, "nothing"),
    ],
)
def test_other_acts_are_refused_with_those_that_are_possible(state: str, act: Act, possible: str) -> None:
    with pytest.raises(Refused, match=f"The report 7 is {state}: {act} is not possible; possible is {possible}."):
        advance(7, state, act)


def test_what_was_closed_is_never_changed_again() -> None:
    reached, seen = {State.CLOSED}, set[State]()
    while reached - seen:
        seen |= reached
        reached |= {after for (before, _), after in TRANSITIONS.items() if before in seen}
    assert seen == {State.CLOSED, State.SENT, State.REPLACED}


@pytest.mark.parametrize(
    ("text", "kind", "first", "end"),
    [
        ("2026-03", "month", date(2026, 3, 1), date(2026, 4, 1)),
        ("2026-12", "month", date(2026, 12, 1), date(2027, 1, 1)),
        ("2026", "year", date(2026, 1, 1), date(2027, 1, 1)),
    ],
)
def test_periods(text: str, kind: str, first: date, end: date) -> None:
    assert period_of(text, kind) == (first, end)  # type: ignore[arg-type]  # one of the two
    assert period_text(first, end) == text


@pytest.mark.parametrize(
    ("text", "kind"),
    [("2026", "month"), ("2026-13", "month"), ("2026-3", "month"), ("2026-03", "year"), ("1999", "year"),
     ("3000", "year"), ("٢٠٢٦", "year"), ("2026-0\0", "month"), ("", "month")],
)  # fmt: skip
def test_what_is_no_period(text: str, kind: str) -> None:
    with pytest.raises(BadInput, match="The period"):
        period_of(text, kind)  # type: ignore[arg-type]  # one of the two


def test_a_period_begins_and_ends_at_midnight_in_prague() -> None:
    scope = Scope(1, None, date(2026, 3, 1), date(2026, 4, 1))
    assert (scope.begin, scope.finish) == (datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC))
