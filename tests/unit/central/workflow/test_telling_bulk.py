"""Which registrations are told together, and that it stays so."""

from dataclasses import replace
from datetime import date

import pytest

from central.market.messages import Subject
from central.market.payloads.master_data import MasterData, problems_of_bulk
from central.workflow.telling.acts import PointFacts, lacking, record
from central.workflow.telling.bulk import Standing, put_together
from central.workflow.telling.model import Tellable, digest, due
from shared.identifiers import make_ean18
from tests.unit.central.workflow.test_telling_acts import HOUSE

DAY, LATER = date(2026, 3, 2), date(2026, 3, 3)
OPERATOR = HOUSE.operator
CODE = f"{OPERATOR}/LDS1"


def registered(number: int, day: date = DAY, why: str = "registration", **changes: object) -> Tellable:
    facts: PointFacts = replace(HOUSE, ean=make_ean18(f"85918240090{number:06d}"), **changes)  # type: ignore[arg-type]  # fields by name
    problem = lacking(facts)
    payload = None if problem else record([why], facts, day)
    subject = Subject("supply_point", facts.ean, number)
    return Tellable(due(why, subject, day, None, {"told": digest(payload)}), facts.operator, payload, problem)


def ean(number: int) -> str:
    return registered(number).due.subject.code


def ean_of(each: Tellable) -> str:
    return each.due.subject.code


def told(found: list[Tellable]) -> list[tuple[str, str, int]]:
    """Code and subject of each message and how many points it has."""
    return sorted(
        (each.due.code, each.due.subject.code, len(each.payload.points) if isinstance(each.payload, MasterData) else 0)
        for each in found
    )


def test_so_many_of_a_network_on_a_day_are_told_together() -> None:
    (one,) = put_together([registered(number) for number in (3, 1, 2)], set(), {}, 3)
    assert (one.due.code, one.due.why, one.due.subject) == ("194", "bulk_registration", Subject("network", CODE))
    assert isinstance(one.payload, MasterData)
    assert [point.opm for point in one.payload.points] == [ean(1), ean(2), ean(3)]
    assert problems_of_bulk(one.payload) == []
    assert one.due.cause["points"] == [ean(1), ean(2), ean(3)]


@pytest.mark.parametrize("at_least", [None, 4])
def test_fewer_or_unasked_are_told_one_by_one(at_least: int | None) -> None:
    found = [registered(number) for number in (1, 2, 3)]
    assert put_together(found, set(), {}, at_least) == found


def test_other_days_networks_and_acts_do_not_count_together() -> None:
    found = [
        registered(1), registered(2, LATER), registered(3, area="LDS2"), registered(4, why="change"),
        registered(5, operator="8591824900024"),
    ]  # fmt: skip
    assert sorted(put_together(found, set(), {}, 2), key=ean_of) == found


def test_one_that_is_not_right_does_not_hold_up_the_others() -> None:
    found = [registered(1), registered(2, tdd_class=None), registered(3, operator=None), registered(4)]
    assert told(put_together(found, set(), {}, 2)) == [("111", ean(2), 1), ("111", ean(3), 0), ("194", CODE, 2)]


def test_what_was_told_stays_told_as_it_was() -> None:
    found = [registered(number) for number in range(1, 6)]
    assert told(put_together(found, {(ean(1), DAY)}, {}, 2)) == [("111", ean(1), 1), ("194", CODE, 4)]
    together = {(ean(1), DAY): CODE, (ean(2), DAY): CODE}
    # those that come later to a day whose message is out are told by themselves
    alone = [("111", ean(number), 1) for number in (3, 4, 5)]
    for at_least in (2, 10, None):
        assert told(put_together(found, set(), together, at_least)) == [*alone, ("194", CODE, 2)]


def test_a_changed_record_changes_the_cause_and_one_that_is_spoilt_is_named() -> None:
    together = {(ean(1), DAY): CODE, (ean(2), DAY): CODE}
    before = put_together([registered(1), registered(2)], set(), together, 2)[0]
    after = put_together([registered(1), registered(2, name="Byt 2")], set(), together, 2)[0]
    assert before.due.cause != after.due.cause
    (spoilt,) = put_together([registered(1), registered(2, operator=None)], set(), together, 2)
    assert spoilt.payload is None and "has no EAN" in (spoilt.problem or "")


def test_a_message_holds_a_thousand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("central.workflow.telling.bulk.MOST", 2)
    found = [registered(number) for number in range(1, 6)]
    assert told(put_together(found, set(), {}, 2)) == [
        ("194", CODE, 2),
        ("194", f"{CODE}/2", 2),
        ("194", f"{CODE}/3", 1),
    ]


def test_what_the_operator_knows_of_the_others_stands_when_a_point_is_not_there_any_more() -> None:
    found = [registered(number) for number in (1, 2, 3)]
    (whole,) = put_together(found, set(), {}, 2)
    assert isinstance(whole.payload, MasterData)
    together = {(ean(number), DAY): CODE for number in (1, 2, 3)}
    standing = {(CODE, DAY): Standing({point.opm: point for point in whole.payload.points}, whole.due.cause)}
    for some, apart in ((found[:2], set()), (found, {(ean(3), DAY)})):
        kept = put_together(some, apart, together, 2, apart, standing)
        assert [each.due.cause for each in kept if each.due.code == "194"] == [whole.due.cause]
        assert [ean_of(each) for each in kept if each.due.code == "111"] == [code for code, _ in apart]
    for other in (registered(2, name="Nová hala"), registered(2, operator=None)):
        (anew,) = put_together([found[0], other], set(), together, 2, set(), standing)
        assert anew.due.cause["points"] == [ean(1), ean(2)]
    # what nobody knows yet leaves without the point
    (anew,) = put_together(found[:2], set(), together, 2)
    assert anew.due.cause["points"] == [ean(1), ean(2)]
