"""The line: gaps are kept, also against what comes unasked; echoes are taken out; answering times are noted."""

import time

import pytest

from edge.bus.lengths import rtu_missing
from edge.bus.line import Line
from edge.bus.station import Station
from edge.bus.testing import ScriptedLink, TimedLink
from edge.bus.timing import LineTiming
from edge.errors import CollisionError

RTU = LineTiming(character_s=0.0001, gap_s=0.01, quiet_s=0.02)


async def test_a_doubled_answer_in_the_gap_is_waited_out() -> None:
    link = TimedLink()
    line = Line(link, RTU, link.now)
    link.say(b"answer")
    await line.read(0.1)
    link.say(b"answer", 0.005)
    await line.write(b"next")
    gap_s = link.written[0][0] - link.received_at
    assert gap_s == pytest.approx(RTU.gap_s), "counted from the last octet, asked for or not"
    assert line.counters.drained == 6


async def test_a_line_that_babbles_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.bus.line.DRAIN_MOST_S", 0.03)
    link = TimedLink()
    line = Line(link, RTU, link.now)
    link.say(b"x")
    await line.read(0.1)
    for n in range(20):
        link.say(b"x", n * 0.004)
    with pytest.raises(CollisionError, match="does not fall silent"):
        await line.write(b"question")
    assert link.written == []


async def test_a_meter_may_need_a_longer_gap() -> None:
    link = ScriptedLink()
    line = Line(link, LineTiming(), time.monotonic)
    line.station = Station(min_gap_s=0.02)
    link.say(b"answer")
    await line.read(0.1)
    await line.write(b"next")
    assert link.written[0][0] - link.received_at >= 0.02


async def test_what_was_sent_is_taken_out_of_what_comes() -> None:
    link = TimedLink(lambda request: [(0.0, request[:3]), (0.001, request[3:] + b"ans"), (0.002, b"wer")])
    line = Line(link, RTU, link.now, echo=True)
    await line.write(b"question")
    assert await line.read(0.1) + await line.read(0.1) == b"answer"
    assert line.counters.echoed == 8


async def test_an_echo_that_differs_is_said() -> None:
    link = TimedLink(lambda request: [(0.0, b"quastion")])
    line = Line(link, RTU, link.now, echo=True)
    await line.write(b"question")
    with pytest.raises(CollisionError, match="61 was heard where 65 was sent"):
        await line.read(0.1)
    await line.drain()
    link.say(b"answer")
    assert await line.read(0.1) == b"answer"


async def test_only_an_echo_is_silence() -> None:
    link = TimedLink(lambda request: [(0.0, request)])
    line = Line(link, RTU, link.now, echo=True)
    await line.write(b"question")
    with pytest.raises(TimeoutError):
        await line.read(0.01)
    assert not line.heard


async def test_the_meters_time_is_learnt_and_bounds_the_waiting() -> None:
    link = TimedLink(lambda request: [(0.004, b"answer")])
    line = Line(link, LineTiming(), link.now)
    line.station = Station(timeout_least_s=0.05)
    assert line.response_timeout(1.5) == 1.5
    for _ in range(5):
        await line.write(b"question")
        await line.read(1.0)
    line.settle()
    assert 0.05 <= line.response_timeout(1.5) < 1.5
    assert (line.latency.count, line.station.counters.latency.count) == (5, 5)
    quantile = line.latency.quantile_s(0.5)
    assert quantile is not None
    assert quantile >= 0.004


async def test_a_late_answer_is_learnt_from_too() -> None:
    link = TimedLink()
    line = Line(link, RTU, link.now)
    for _ in range(5):
        line.station.patience.answered(0.0)
    line.station.timeout_least_s = 0.0
    await line.write(b"question")
    link.say(b"late", 0.015)
    await line.drain()
    assert line.response_timeout(1.5) == pytest.approx(2 * (0.015 - 8 * RTU.character_s))
    assert line.counters.drained == 4


async def test_waiting_begins_when_the_request_is_out() -> None:
    link = TimedLink(lambda request: [(0.05, b"answer")])
    line = Line(link, LineTiming(character_s=0.01, quiet_s=0.02), link.now)
    await line.write(b"12345")
    assert await line.read(0.03) == b"answer"


async def test_the_rest_of_a_frame_is_let_gather() -> None:
    frame = bytes.fromhex("05 04 28") + bytes(42)
    link = TimedLink(lambda request: [(0.001, frame[:5]), (0.002, frame[5:])])
    line = Line(link, LineTiming(character_s=0.0002), link.now, missing=rtu_missing)
    await line.write(b"question")
    assert await line.read(0.1) == frame[:5]
    assert link.gathered == [], "nothing is known before it has begun"
    assert await line.read(0.1) == frame[5:]
    (gathered,) = link.gathered
    assert gathered <= 40 * 0.0002
    await line.write(b"next")
    link.say(b"x")
    await line.read(0.1)
    assert len(link.gathered) == 1, "what came before the request is forgotten"
