"""The line as arithmetic: never faster than its speed, and the master's faults are counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sims.half_duplex import HalfDuplex, LineSpeed

HDLC = LineSpeed(115_200, 10, 0.005)
RTU = LineSpeed(9600, 10, 0.02, silent_gaps=True)


def test_gaps() -> None:
    assert RTU.gap_s == pytest.approx(3.5 * 10 / 9600)
    assert LineSpeed(38_400, 11, 0, silent_gaps=True).gap_s == 0.00175
    assert HDLC.gap_s == 0


def test_a_request_takes_its_time() -> None:
    line = HalfDuplex(RTU)
    assert line.request(10.0, bytes(8)) == pytest.approx(10 + 80 / 9600)
    # The rest of it comes while the first part is still on the line: it queues behind.
    assert line.request(10.001, bytes(8)) == pytest.approx(10 + 160 / 9600)
    assert line.counts.requests == 1
    assert line.counts.octets_in == 16


@given(st.binary(min_size=1, max_size=600), st.lists(st.floats(0, 0.2), max_size=60))
def test_an_answer_is_never_early_and_never_lost(answer: bytes, looks: list[float]) -> None:
    line = HalfDuplex(HDLC)
    end = line.request(0.0, bytes(20))
    assert end is not None
    line.answer(answer)
    out = b""
    for now in sorted(looks):
        out += line.due(now)
        assert len(out) <= max(0, (now - end - HDLC.turnaround_s) / HDLC.character_s + 1e-6)
    out += line.due(1.0)
    assert out == answer
    assert not line.answering


def test_portions_end_exactly_with_the_answer() -> None:
    line = HalfDuplex(HDLC)
    line.request(0.0, bytes(1))
    line.answer(bytes(100))
    start = HDLC.character_s + HDLC.turnaround_s
    assert line.next_due(0.0, 0.004) == pytest.approx(start + 0.004)
    assert line.next_due(start + 0.004, 0.004) == pytest.approx(start + 0.008)
    assert line.next_due(start + 0.008, 0.004) == pytest.approx(start + 100 * HDLC.character_s)
    line.due(1.0)
    assert line.next_due(1.0, 0.004) is None


def test_sending_into_an_answer_is_a_collision() -> None:
    line = HalfDuplex(RTU)
    line.request(0.0, bytes(8))
    line.answer(bytes(50))
    assert line.request(0.01, bytes(3)) is None
    assert line.request(0.02, bytes(5)) is None
    assert (line.counts.collisions, line.counts.octets_collided) == (1, 8)
    line.due(1.0)
    assert line.request(1.1, bytes(8)) is not None
    assert line.counts.collisions == 1


@pytest.mark.parametrize(("after", "short"), [(0.0036, 1), (0.0037, 0), (1.0, 0)])
def test_a_short_gap_is_counted(after: float, short: int) -> None:
    line = HalfDuplex(RTU)
    line.request(0.0, bytes(8))
    line.answer(bytes(10))
    line.due(0.5)
    assert line.request(0.5 + after, bytes(8)) is not None
    assert line.counts.short_gaps == short
    assert line.counts.requests == 2


def test_busy_time_is_that_of_the_octets() -> None:
    line = HalfDuplex(RTU)
    line.request(0.0, bytes(8))
    line.answer(bytes(85))
    line.due(1.0)
    assert line.counts.busy_s == pytest.approx(93 * 10 / 9600)
    assert line.counts.octets_out == 85
