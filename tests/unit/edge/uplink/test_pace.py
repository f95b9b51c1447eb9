"""How much back-fill may be under way."""

from edge.uplink.pace import FIRST, RESERVED, BackfillPace


def test_quick_answers_let_more_out_up_to_a_reserve() -> None:
    pace = BackfillPace(64)
    assert pace.window == FIRST
    for n in range(200):
        pace.answered(0.01, n / 100)
    assert pace.window == 64 - RESERVED


def test_slow_answers_halve_it_once_in_a_while_and_never_to_nothing() -> None:
    pace = BackfillPace(64)
    for n in range(100):
        pace.answered(0.01, n / 100)
    for _ in range(50):
        pace.answered(5.0, 10.0)
    assert pace.window == (64 - RESERVED) // 2, "one burst of late answers is one sign, not fifty"
    for n in range(50):
        pace.answered(5.0, 20.0 + 10 * n)
    assert pace.window == 1
    pace.answered(1.5, 999.0)
    assert pace.window == 1, "neither quick nor slow"


def test_a_small_window_still_lets_one_out() -> None:
    assert BackfillPace(1).window == 1
