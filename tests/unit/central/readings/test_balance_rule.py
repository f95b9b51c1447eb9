"""The rule on balances of nodes: beyond the tolerance, both ways; silent where nothing is known."""

import numpy as np
import pytest

from central.readings.vee.balance_rules import BALANCE, RULES, Balances, node_balance
from central.readings.vee.rule import Severity
from central.readings.vee.testing import make_chunk

NAN = float("nan")


@pytest.mark.parametrize(
    ("share", "tolerance", "severity"),
    [
        (0.03, 0.03, None),
        (0.031, 0.03, Severity.WARNING),
        (-0.03, 0.03, None),
        (-0.05, 0.03, Severity.ERROR),  # children measured more than entered
        (0.04, 0.05, None),
        (NAN, NAN, None),
    ],
)
def test_losses_against_the_tolerance(share: float, tolerance: float, severity: Severity | None) -> None:
    balances = Balances(*(np.array([[number]]) for number in (share, share * 9_600, tolerance)))
    found = node_balance(make_chunk(RULES[0], [[100] * 96], inputs={BALANCE: balances}))
    assert found.severity.tolist() == ([] if severity is None else [severity])
    if severity is not None:
        assert found.measured.tolist() == [share] and found.limit.tolist() == [tolerance]
        assert found.evidence[0]["losses"] == pytest.approx(share * 9_600)


def test_it_can_be_switched_off_for_a_class() -> None:
    balances = Balances(*(np.array([[number]]) for number in (0.5, 1.0, 0.03)))
    chunk = make_chunk(RULES[0], [[100] * 96], parameters={"enabled": None}, inputs={BALANCE: balances})
    assert len(node_balance(chunk)) == 0
