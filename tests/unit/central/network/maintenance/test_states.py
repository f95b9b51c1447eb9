"""Work orders and service cases: every way through the tables of states ends, and a wrong step names both sides."""

import pytest

from central.network.maintenance import case_states, order_states
from central.network.maintenance.case_states import CaseState
from central.network.maintenance.order_states import FINISHED, OrderState
from central.platform.errors import Refused


def test_every_order_can_end_and_what_is_done_stays() -> None:
    for state in OrderState:
        reached, ahead = {state}, [state]
        while ahead:
            for following in order_states.TRANSITIONS[ahead.pop()]:
                if following not in reached:
                    reached.add(following)
                    ahead.append(following)
        assert reached & set(FINISHED), state
    assert order_states.TRANSITIONS[OrderState.DONE] == ()
    assert order_states.TRANSITIONS[OrderState.CANCELLED] == ()


def test_a_failed_visit_is_planned_again() -> None:
    assert order_states.advance("P-2026-000001", "failed", "planned") is OrderState.PLANNED


def test_a_proposed_order_is_not_done_without_a_visit() -> None:
    with pytest.raises(Refused, match=r"P-2026-000001 is proposed; after that comes planned or assigned or cancelled"):
        order_states.advance("P-2026-000001", "proposed", "done")


def test_a_closed_case_stays_closed() -> None:
    assert case_states.advance(7, "ordered", "open") is CaseState.OPEN
    with pytest.raises(Refused, match="service case 7 is closed; after that comes nothing"):
        case_states.advance(7, "closed", "open")
