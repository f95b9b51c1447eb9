"""Indicators of continuity: a year of a small network computed by hand."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.workflow.reports import cells as rules
from central.workflow.reports.continuity import Interruption, indicators
from central.workflow.reports.definition import require_newest

D = Decimal
CUSTOMERS = {"VN": 4, "NN": 196}
MINUTES = D(3)
YEAR = [
    # a fault of 90 minutes: 2 customers at VN, 98 at NN
    Interruption(1, False, "VN", 2, D(5400)),
    Interruption(1, False, "NN", 98, D(5400)),
    # planned work of 4 hours: 50 at NN
    Interruption(2, True, "NN", 50, D(14400)),
    # exactly 3 minutes and less: no long-term interruption
    Interruption(3, False, "NN", 196, D(180)),
    Interruption(4, False, "NN", 196, D("0.5")),
    # 3 minutes and a second of one customer
    Interruption(5, False, "NN", 1, D(181)),
]


def test_a_year_by_hand() -> None:
    form = require_newest("continuity")
    cells = rules.fill(form, rules.empty(form), indicators(YEAR, CUSTOMERS, MINUTES))
    values = {key: cell.value for key, cell in cells.items()}
    assert (values["customers", "system"], values["customers", "VVN"]) == (D(200), D(0))
    # unplanned: 101 hits of 200 customers; 100 x 90 + 181 / 60 = 9003.0167 minutes
    assert values["unplanned.interruptions", "system"] == D(2)
    assert values["unplanned.saifi", "system"] == D("0.5050")
    assert values["unplanned.saidi", "system"] == D("45.02")
    assert values["unplanned.caidi", "system"] == D("89.14")
    # planned: 50 of 200, 12,000 minutes
    assert values["planned.saifi", "system"] == D("0.2500")
    assert values["planned.saidi", "system"] == D("60.00")
    assert values["planned.caidi", "system"] == D("240.00")
    # all: 151 hits, 21,003.0167 minutes
    assert values["all.saifi", "system"] == D("0.7550")
    assert values["all.saidi", "system"] == D("105.02")
    assert values["all.caidi", "system"] == D("139.09")
    # level VN: 2 of 4, 180 minutes
    assert (values["all.saifi", "VN"], values["all.saidi", "VN"], values["all.caidi", "VN"]) == (D("0.5"), D(45), D(90))
    assert rules.lacking(form, cells) == []


def test_zero_and_not_known_are_kept_apart() -> None:
    quiet = indicators([], CUSTOMERS, MINUTES)
    assert (quiet["all.saifi", "system"].value, quiet["all.saidi", "system"].value) == (D(0), D(0))
    assert quiet["all.caidi", "system"].value is None, "no interruption has no mean time"
    assert quiet["all.saifi", "VVN"].value is None, "without a customer there is no indicator"
    assert quiet["all.interruptions", "VVN"].value == D(0)


def test_an_outage_that_goes_on_makes_times_unknown_and_is_named() -> None:
    found = indicators([*YEAR, Interruption(9, False, "NN", 10, None)], CUSTOMERS, MINUTES)
    assert found["unplanned.saifi", "system"].value == D("0.555")
    assert found["unplanned.saidi", "system"].value is None
    assert found["unplanned.saidi", "system"].text == "the outage 9 goes on: end it and fill again"
    assert found["planned.saidi", "system"].value == D(60)


@pytest.mark.parametrize(("longer_than", "interruptions"), [(D(3), 2), (D(0), 4), (D("3.01"), 2), (D("3.02"), 1)])
def test_how_long_counts_is_the_definitions(longer_than: Decimal, interruptions: int) -> None:
    found = indicators(YEAR, CUSTOMERS, longer_than)
    assert found["unplanned.interruptions", "system"].value == D(interruptions)


HITS = st.lists(
    st.builds(
        Interruption,
        outage=st.integers(1, 5),
        planned=st.booleans(),
        level=st.sampled_from(["VVN", "VN", "NN"]),
        customers=st.integers(1, 1000),
        seconds=st.integers(1, 10**6).map(D),
    ),
    max_size=20,
)


@given(HITS, st.integers(1, 1000), st.integers(1, 1000))
def test_planned_and_unplanned_are_all_and_saidi_is_saifi_times_caidi(
    hits: list[Interruption], high: int, low: int
) -> None:
    found = indicators(hits, {"VN": high, "NN": low}, MINUTES)
    tiny = D("1e-15")
    for name in ("saifi", "saidi"):
        planned, unplanned, both = (found[f"{each}.{name}", "system"].value for each in ("planned", "unplanned", "all"))
        assert planned is not None
        assert unplanned is not None
        assert both is not None
        assert abs(planned + unplanned - both) <= tiny * max(both, D(1))
    saifi, saidi, caidi = (found[f"all.{name}", "system"].value for name in ("saifi", "saidi", "caidi"))
    assert saifi is not None
    assert saidi is not None
    assert (caidi is None) == (saifi == 0)
    if caidi is not None:
        assert abs(saifi * caidi - saidi) <= tiny * max(saidi, D(1))
