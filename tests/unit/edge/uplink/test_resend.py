"""When which batch is sent again."""

from edge.config import UplinkConfig
from edge.outbox.model import Address
from edge.uplink.resend import Resends

A, B = Address(1, 1), Address(1, 2)


def test_ten_seconds_doubling_to_five_minutes() -> None:
    resends = Resends(UplinkConfig())
    resends.add([A], 0.0)
    now, gaps = 0.0, []
    for _ in range(8):
        assert resends.due(now) == [A]
        resends.sending(A)
        assert resends.due(now) == []
        assert resends.next_due() is None
        resends.sent(A, now)
        due = resends.next_due()
        assert due is not None
        gaps.append(due - now)
        now = due
    assert gaps == [10, 20, 40, 80, 160, 300, 300, 300]


def test_refused_ones_wait_longer_and_do_not_hurry() -> None:
    resends = Resends(UplinkConfig())
    resends.add([A, B], 0.0)
    resends.sending(A)
    resends.refused(A, 0.0)
    resends.sending(B)
    resends.sent(B, 0.0)
    resends.hurry(0.5)
    assert resends.due(1.9) == [], "sent a moment ago"
    assert resends.due(2.0) == [B], "and no longer"
    resends.hurry(3.0)
    assert resends.due(3.0) == [B]
    assert resends.due(60.0) == [A, B]
    resends.sending(A)
    resends.refused(A, 60.0)
    assert resends.due(179.0) == [B]


def test_oldest_first_and_forgotten_when_acknowledged() -> None:
    resends = Resends(UplinkConfig())
    resends.add([B], 0.0)
    resends.add([A, B], 5.0)
    assert resends.due(5.0) == [B, A]
    resends.sending(B)
    resends.forget([B])
    resends.sent(B, 6.0)
    resends.refused(B, 6.0)
    assert resends.addresses() == [A]
    assert B not in resends
    assert len(resends) == 1
