import pytest

from central.platform.errors import Refused
from central.registry.point_states import STATES, TRANSITIONS, Act, advance


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("act", list(Act))
def test_every_act_leads_where_the_table_says_or_is_refused(state: str, act: Act) -> None:
    reached = TRANSITIONS.get((state, act))  # type: ignore[call-overload]
    if reached is not None:
        assert advance("8591", state, act) is reached
        return
    with pytest.raises(Refused, match=f"8591 is {state}: {act} is not possible; possible is "):
        advance("8591", state, act)
