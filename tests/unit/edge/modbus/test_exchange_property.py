"""Whatever a line does to replies, the answer taken is the one for the request: delays, cuts, merged frames, noise,
duplicates. RTU replies must come before the late window is over (and a duplicate right behind its original: no serial
line makes later ones, and nothing in the frame could tell); on TCP anything may come at any time and in any order.
"""

import random
import re

from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DeviceGarbledError, DeviceRefusedError, LineAmbiguousError
from edge.modbus.exchange import Exchange, Request
from edge.modbus.frames import rtu_frame, tcp_frame

WINDOW, PATIENCE = 2.0, 0.5
REQUESTS = 40


class Net:
    """Octets under way: (when, what)."""

    def __init__(self, draw: random.Random, *, tcp: bool) -> None:
        self.draw = draw
        self.tcp = tcp
        self.coming: list[tuple[float, bytes]] = []

    def reply(self, frame: bytes, now: float) -> None:
        """The reply sets out at `now`; TCP delays and repeats whole frames, a serial line cuts them anywhere."""
        draw = self.draw
        at = now + draw.choice([0.0, 0.01, 0.1, 0.45, 0.7, 1.5, PATIENCE + WINDOW - 0.1])
        if self.tcp:
            for _ in range(draw.choice([1, 1, 1, 2, 3])):
                self.coming.append((at + draw.choice([0.0, 0.3, 4.0, 30.0]), frame))
            return
        octets = frame * draw.choice([1, 1, 1, 2])
        if draw.random() < 0.3:
            octets = draw.randbytes(draw.randrange(1, 12)) + octets
        while octets:
            size = draw.randrange(1, len(octets) + 1)
            self.coming.append((at, octets[:size]))
            octets = octets[size:]
            at += draw.choice([0.0, 0.001])

    def until(self, at: float) -> list[tuple[float, bytes]]:
        """What comes up to `at`, in order; on TCP merged now and then, and then cut where no frame ends."""
        due = sorted((each for each in self.coming if each[0] <= at), key=lambda each: each[0])
        self.coming = [each for each in self.coming if each[0] > at]
        if self.tcp and due and self.draw.random() < 0.5:
            stream, cut = b"".join(octets for _, octets in due), self.draw.randrange(len(due[-1][1]) + 1)
            return [(due[0][0], stream[:cut]), (due[-1][0], stream[cut:])]
        return due


def reply_to(request: Request, number: int, draw: random.Random) -> bytes:
    """A good answer whose registers all hold `number`, or an exception with that code."""
    if draw.random() < 0.1 and number not in (10, 11):
        return bytes([request.pdu[0] | 0x80, number])
    count = int.from_bytes(request.pdu[3:5], "big")
    return bytes([request.pdu[0], 2 * count]) + number.to_bytes(2, "big") * count


def frame_of(request: Request, question: bytes, pdu: bytes, *, tcp: bool) -> bytes:
    if tcp:
        return tcp_frame(request.unit, int.from_bytes(question[:2], "big"), pdu)
    return rtu_frame(request.unit, pdu)


def heard(exchange: Exchange, octets: bytes) -> int | None:
    """The number in the answer, once it is there."""
    try:
        pdu = exchange.feed(octets)
    except DeviceRefusedError as error:
        told = re.search(r"exception (\d+)", str(error))
        assert told is not None
        return int(told[1])
    return None if pdu is None else int.from_bytes(pdu[2:4], "big")


@given(st.integers(0, 2**32), st.booleans())
def test_the_answer_is_the_one_for_the_request(seed: int, tcp: bool) -> None:
    draw = random.Random(seed)
    exchange, net, now, taken = Exchange(tcp=tcp, late_window=WINDOW), Net(draw, tcp=tcp), 0.0, 0
    for number in range(1, REQUESTS):
        if not tcp:
            net.until(now)  # the driver flushes the line before it asks
        request = Request.registers(draw.choice([1, 2]), draw.choice([3, 4]), draw.choice([0, 72]), draw.choice([1, 2]))
        try:
            question = exchange.ask(request, now)
        except LineAmbiguousError as error:
            now += error.retry_in if draw.random() < 0.5 else 0.1
            continue
        if draw.random() < 0.9:
            net.reply(frame_of(request, question, reply_to(request, number, draw), tcp=tcp), now)
        answer = None
        for at, octets in net.until(now + PATIENCE):
            if answer is None:
                answer, now = heard(exchange, octets), max(now, at)
            elif tcp:
                assert heard(exchange, octets) is None, "nothing is asked"
            else:
                net.coming.append((at, octets))
        if answer is None:
            now += PATIENCE
            exchange.give_up(now)
            if tcp and draw.random() < 0.1:
                exchange.reset()
                net.coming.clear()
        else:
            assert answer == number
            taken += 1
            now += 0.005
    assert taken, "the world is not so bad that nothing is read"


@given(st.lists(st.binary(max_size=40), max_size=30), st.booleans())
def test_no_octets_crash_or_answer(chunks: list[bytes], tcp: bool) -> None:
    """Arbitrary octets are hardly ever a frame with the right CRC (or transaction), unit, function and length."""
    exchange = Exchange(tcp=tcp)
    exchange.ask(Request.registers(17, 3, 4711, 7), 0.0)
    for chunk in chunks:
        try:
            assert exchange.feed(chunk) is None
        except DeviceGarbledError:
            assert tcp
            return


@given(st.binary(max_size=12), st.lists(st.integers(1, 5), max_size=8))
def test_noise_before_the_answer_costs_nothing(noise: bytes, sizes: list[int]) -> None:
    exchange = Exchange(tcp=False)
    exchange.ask(Request.registers(17, 3, 4711, 2), 0.0)
    octets = noise + rtu_frame(17, b"\x03\x04\x12\x34\x56\x78")
    answers = []
    for size in sizes:
        answers.append(exchange.feed(octets[:size]))
        octets = octets[size:]
    answers.append(exchange.feed(octets))
    assert [answer for answer in answers if answer is not None] == [b"\x03\x04\x12\x34\x56\x78"]


def test_a_duplicate_of_an_older_answer_does_not_end_a_rest() -> None:
    exchange = Exchange(tcp=False, late_window=WINDOW)
    exchange.ask(Request.registers(1, 3, 0, 2), 0.0)
    exchange.give_up(0.5)
    exchange.ask(Request.registers(2, 3, 0, 2), 0.6)
    assert exchange.feed(rtu_frame(1, b"\x03\x02\x00\x07")) is None, "of another length than what unit 1 owes"
    exchange.give_up(1.0)
    try:
        exchange.ask(Request.registers(1, 3, 100, 2), 1.1)
    except LineAmbiguousError as error:
        assert error.retry_in > 0
    else:
        raise AssertionError("unit 1 still owes an answer")


def test_a_new_connection_does_not_end_a_rest_on_rtu() -> None:
    """A serial server hands what comes from the meter to whoever is connected."""
    exchange = Exchange(tcp=False, late_window=WINDOW)
    exchange.ask(Request.registers(1, 3, 0, 2), 0.0)
    exchange.give_up(0.5)
    exchange.reset()
    try:
        exchange.ask(Request.registers(1, 3, 100, 2), 1.0)
    except LineAmbiguousError:
        pass
    else:
        raise AssertionError("unit 1 still owes an answer")
