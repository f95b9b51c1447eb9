"""Conversations: tables fit together, terms are counted in working days, answers are believed from the right one."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from central.market.answers import Answered, Brought, Earlier, decide
from central.market.channels.allowed import Environment
from central.market.conversation import scenarios
from central.market.conversation.rejection import find_place
from central.market.conversation.warnings import warned_until
from central.market.conversation.working_days import Term, is_working_day, working_day
from central.market.envelope import Envelope, Participant
from central.market.format_package import load_package, package_of_root
from central.market.response import Reason, Response
from central.market.states import State
from tests.unit.central.market.examples import AT, OPERATOR, SENDER

PACKAGE = load_package("sandbox-2026")
PRAGUE = ZoneInfo("Europe/Prague")


def test_scenarios_fit_together() -> None:
    assert scenarios.problems() == []
    assert set(scenarios.OPENED_BY.values()) <= set(scenarios.SCENARIOS)


def test_what_a_rejected_message_leads_to_goes_on_by_the_next_one() -> None:
    """Wherever an answer may accept our message it may reject it, and its repair may be accepted in the end."""
    for name, table in scenarios.SCENARIOS.items():
        for state, acts in table.transitions.items():
            if "accepted" not in acts:
                assert "rejected" not in acts, f"{name}: {state}"
                continue
            after = acts.get("rejected", state)
            again = table.transitions[table.transitions[after].get("send", after)]
            assert again["accepted"] == acts["accepted"], f"{name}: {state} is rejected and {after} leads elsewhere"
            assert table.transitions[after]["accepted"] == acts["accepted"], "the answer may come first"


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [
        (date(2026, 4, 8), -1, date(2026, 4, 7)),
        (date(2026, 4, 7), -1, date(2026, 4, 2)),  # Good Friday and Easter Monday
        (date(2026, 4, 30), 1, date(2026, 5, 4)),  # 1 May is a Friday
        (date(2026, 12, 23), 1, date(2026, 12, 28)),
        (date(2026, 4, 4), 0, date(2026, 4, 4)),
        (date(2026, 3, 31), 5, date(2026, 4, 9)),
    ],
)
def test_working_days_step_over_weekends_and_holidays(day: date, count: int, expected: date) -> None:
    assert working_day(day, count) == expected
    assert count == 0 or is_working_day(expected)


def test_a_term_is_local_time() -> None:
    assert Term(-1, time(15)).of(date(2026, 4, 7)) == datetime(2026, 4, 2, 15, tzinfo=PRAGUE)
    assert Term(-1, time(10, 15), counts_working=False).of(date(2026, 4, 7)) == datetime(
        2026, 4, 6, 10, 15, tzinfo=PRAGUE
    )


XML = b"""<CDSDATA xmlns="http://example" id="M-1">
<Location opm-id="859182400211637793"><Profile unit="KWH" day="2026-03-31"/></Location>
<Location opm-id="859182400211958560"><Profile unit="MWH"/></Location>
</CDSDATA>"""


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("unknown OPM 859182400211958560", ("/CDSDATA/Location[2]", 3, "value")),
        ("error at /n0:CDSDATA/n0:Location/@opm-id", ("/CDSDATA/Location[1]", 2, "path")),
        ("error at /n0:CDSDATA/n0:Location[2]/@opm-id", ("/CDSDATA/Location[2]", 3, "path")),
        ("no unit in //Location[2]/Profile[1]", ("/CDSDATA/Location[2]/Profile", 3, "path")),
        ("no unit in /CDSDATA[1]/Location[ 2 ]/Profile", ("/CDSDATA/Location[2]/Profile", 3, "path")),
        ("something is wrong in /CDSDATA/Location/Profile.", ("/CDSDATA/Location[1]/Profile", 2, "path")),
        ("see /CDSDATA/Location[2]/@opm-id.", ("/CDSDATA/Location[2]", 3, "path")),
        ("/CDSDATA/Location[3] is unknown", None),
        ("/Location[@opm-id='859182400211958560'] is unknown", ("/CDSDATA/Location[2]", 3, "path")),
        ("cvc-complex-type on line 3: no", ("/CDSDATA/Location[2]", 3, "line")),
        ("KWH1 (A+12) of OPM 859182400211958560 is not allowed", ("/CDSDATA/Location[2]", 3, "value")),
        ("2026-03-31: unknown OPM 859182400211958560.", ("/CDSDATA/Location[2]", 3, "value")),
        ("nothing to hold on to", None),
        ("", None),
    ],
)
def test_a_reason_points_into_the_message(said: str, expected: tuple[str, int, str] | None) -> None:
    place = find_place(XML, said)
    assert (None if place is None else (place.path, place.line, place.found_by)) == expected


def test_what_is_no_xml_has_no_place() -> None:
    assert find_place(b"\x00", "line 1") is None


def answered(**changes: object) -> Answered:
    usual = {
        "number": 1, "message_id": "M-1", "receiver": OPERATOR, "state": State.SENT, "attempts": 1,
        "environment": "sandbox", "package": PACKAGE.name,
    }  # fmt: skip
    return Answered(**(usual | changes))  # type: ignore[arg-type]  # a table of changes


@pytest.mark.parametrize(
    ("found", "brought", "outcome", "code"),
    [
        (answered(), Brought(b"1"), "applied", "applied"),
        (answered(), Brought(b"1", OPERATOR, Environment.SANDBOX), "applied", "applied"),
        (answered(state=State.TIMED_OUT), Brought(b"1"), "applied", "applied"),
        (answered(state=State.SAVED), Brought(b"1"), "applied", "applied"),
        (answered(), Brought(b"1", SENDER), "refused", "stranger"),
        (answered(receiver=SENDER), Brought(b"1"), "refused", "stranger"),
        (answered(attempts=0, state=State.SAVED), Brought(b"1"), "refused", "not_sent"),
        (answered(), Brought(b"1", OPERATOR, Environment.PRODUCTION), "refused", "other_environment"),
        (answered(environment=None), Brought(b"1", OPERATOR, Environment.PRODUCTION), "applied", "applied"),
        (answered(state=State.ACCEPTED), Brought(b"1"), "duplicate", "same_again"),
        (answered(state=State.REJECTED), Brought(b"1"), "conflict", "not_expected"),
        (answered(message_id="M-2"), Brought(b"1"), "unknown_reference", "unknown_reference"),
    ],
)
def test_who_is_believed(found: Answered, brought: Brought, outcome: str, code: str) -> None:
    envelope = Envelope("R-1", "X21", AT, Participant(OPERATOR), Participant(SENDER), ("M-1",))
    response = Response(envelope, [Reason("A01", "0200", "ok")])
    meant = {found.message_id: found} if found.message_id == "M-1" else {}
    decision = decide(PACKAGE, response, brought, meant, Earlier())
    assert (decision.outcome, decision.code) == (outcome, code)
    assert len(decision.steps) == (outcome == "applied")
    assert (found.state is State.ACCEPTED) == (outcome == "applied" or code == "same_again")


def test_the_package_is_chosen_by_the_root_and_not_by_the_day() -> None:
    namespace = PACKAGE.format("RESPONSE").namespace
    assert package_of_root(namespace, "RESPONSE", date(2090, 1, 1)).name == PACKAGE.name


@pytest.mark.parametrize(
    ("at", "working_days", "until"),
    [
        # Thursday before a week-end: what must be told by the end of Monday is due at the midnight behind it
        (datetime(2026, 3, 5, 9, tzinfo=PRAGUE), 2, datetime(2026, 3, 10, tzinfo=PRAGUE)),
        (datetime(2026, 3, 5, 9, tzinfo=PRAGUE), 0, datetime(2026, 3, 6, tzinfo=PRAGUE)),
        # Good Friday and Easter Monday are none
        (datetime(2026, 4, 2, 23, 59, tzinfo=PRAGUE), 1, datetime(2026, 4, 8, tzinfo=PRAGUE)),
    ],
)
def test_what_is_due_by_the_end_of_the_last_day_is_warned_of(at: datetime, working_days: int, until: datetime) -> None:
    assert warned_until(at, working_days) == until
