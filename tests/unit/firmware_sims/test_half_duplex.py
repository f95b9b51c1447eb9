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


@pytest.mark.parametrize(
    ("baud", "bits", "gap_ms"),
    [(9600, 11, 4.010), (9600, 10, 3.646), (19_200, 11, 2.005), (38_400, 11, 1.750), (115_200, 10, 1.750)],
)
def test_gaps_are_measured_at_any_speed(baud: int, bits: int, gap_ms: float) -> None:
    for shift_ms, short in ((-0.02, 1), (0.02, 0)):
        line = HalfDuplex(LineSpeed(baud, bits, 0.02, silent_gaps=True))
        end = line.request(0.0, bytes(8))
        assert end is not None
        line.answer(bytes(85))
        line.due(10.0)
        line.released(10.0)
        line.request(10.0 + (gap_ms + shift_ms) / 1000, bytes(8))
        assert line.counts.short_gaps == short, (baud, shift_ms)
        assert line.counts.least_gap_s == pytest.approx((gap_ms + shift_ms) / 1000)


def test_a_gap_counts_from_own_octets_too() -> None:
    line = HalfDuplex(RTU)
    end = line.request(0.0, bytes(8))
    assert end is not None
    line.close_request()
    line.request(end + RTU.gap_s - 0.0001, bytes(8))
    assert line.counts.short_gaps == 1


def test_a_gap_counts_from_the_end_not_from_the_beginning_of_an_answer() -> None:
    line = HalfDuplex(RTU)
    line.request(0.0, bytes(8))
    line.answer(bytes(10))
    first = 8 * RTU.character_s + RTU.gap_s + RTU.turnaround_s
    line.due(first + 3 * RTU.character_s)
    assert line.request(first + 5 * RTU.character_s, bytes(8)) is None, "a long pause of the reader is no silence"
    assert line.counts.collisions == 1


def test_what_nobody_asked_for_comes_at_once_or_before_or_after_what_is_due() -> None:
    line = HalfDuplex(RTU)
    line.interject(0.0, b"late")
    assert line.due(1.0) == b"late"
    line.request(2.0, bytes(8))
    line.answer(b"answer")
    line.interject(2.01, b"late")
    assert line.due(3.0) == b"lateanswer"
    line.request(4.0, bytes(8))
    line.answer(bytes(10))
    under_way = 4.0 + 8 * RTU.character_s + RTU.gap_s + RTU.turnaround_s + 3 * RTU.character_s
    assert line.due(under_way) == bytes(3)
    line.interject(under_way, b"double")
    assert line.due(5.0) == bytes(7) + b"double"


def test_who_runs_into_what_nobody_asked_for_is_not_blamed() -> None:
    line = HalfDuplex(RTU)
    line.interject(0.0, bytes(20))
    assert line.request(0.001, bytes(8)) is None
    line.due(1.0)
    assert line.request(1.0001, bytes(8)) is not None
    assert (line.counts.overrun, line.counts.collisions, line.counts.short_gaps) == (1, 0, 0)
