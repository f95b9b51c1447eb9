"""A late reply is never taken for another request's."""

import pytest

from edge.errors import DeviceGarbledError, DeviceRefusedError, LineAmbiguousError
from edge.modbus.exchange import Exchange, Request
from edge.modbus.frames import rtu_frame, tcp_frame

IMPORT, TOTAL = Request.registers(1, 4, 72, 2), Request.registers(1, 4, 342, 2)


def values(pdu: bytes | None) -> list[int]:
    assert pdu is not None
    return [int.from_bytes(pdu[n : n + 2], "big") for n in range(2, len(pdu), 2)]


def answer(unit: int, values: list[int], function: int = 4) -> bytes:
    return rtu_frame(unit, bytes([function, 2 * len(values)]) + b"".join(v.to_bytes(2, "big") for v in values))


def test_an_answer_in_pieces() -> None:
    exchange = Exchange(tcp=False)
    exchange.ask(IMPORT, 0.0)
    octets = answer(1, [3, 4])
    for n in range(len(octets) - 1):
        assert exchange.feed(octets[n : n + 1]) is None
    assert values(exchange.feed(octets[-1:])) == [3, 4]
    assert exchange.strays == 0


@pytest.mark.parametrize(
    "foreign",
    [
        answer(2, [7, 7]),
        answer(1, [7]),
        answer(1, [7, 7, 7]),
        answer(1, [7, 7], 3),
        b"\x01\x04\x04\x00\x07\x00\x07\xaa\xbb",
    ],
    ids=["other unit", "fewer registers", "more registers", "other function", "wrong CRC"],
)
def test_what_is_no_answer_is_passed_over(foreign: bytes) -> None:
    exchange = Exchange(tcp=False)
    exchange.ask(IMPORT, 0.0)
    assert exchange.feed(foreign) is None
    assert values(exchange.feed(answer(1, [1, 2]))) == [1, 2]


def test_an_exception_is_a_refusal_with_its_reason() -> None:
    exchange = Exchange(tcp=False)
    exchange.ask(Request.registers(9, 4, 72, 2), 0.0)
    with pytest.raises(DeviceRefusedError, match=r"Unit 9 refused registers 72 to 73 .* illegal data address"):
        exchange.feed(rtu_frame(9, b"\x84\x02"))


def test_after_a_time_out_the_unit_rests_and_others_do_not() -> None:
    exchange = Exchange(tcp=False, late_window=2.0)
    exchange.ask(IMPORT, 10.0)
    exchange.give_up(11.0)
    with pytest.raises(LineAmbiguousError) as caught:
        exchange.ask(TOTAL, 11.5)
    assert caught.value.retry_in == pytest.approx(1.5)
    exchange.ask(Request.registers(2, 4, 72, 2), 11.5)
    assert exchange.feed(answer(1, [9, 9])) is None, "the late reply of unit 1"
    assert values(exchange.feed(answer(2, [1, 2]))) == [1, 2]
    exchange.ask(TOTAL, 11.6)
    assert values(exchange.feed(answer(1, [5, 6]))) == [5, 6]


def test_what_came_before_the_question_is_not_its_answer() -> None:
    exchange = Exchange(tcp=False)
    exchange.ask(IMPORT, 0.0)
    assert values(exchange.feed(answer(1, [1, 2]) + answer(2, [8, 8]))) == [1, 2]
    exchange.ask(Request.registers(2, 4, 72, 2), 0.1)
    assert exchange.feed(b"") is None


def test_tcp_tells_late_replies_by_their_number() -> None:
    exchange = Exchange(tcp=True)
    first = exchange.ask(IMPORT, 0.0)
    exchange.give_up(1.0)
    second = exchange.ask(TOTAL, 1.0)
    assert first[:2] != second[:2]
    late = tcp_frame(1, int.from_bytes(first[:2], "big"), b"\x04\x04\x00\x09\x00\x09")
    right = tcp_frame(1, int.from_bytes(second[:2], "big"), b"\x04\x04\x00\x01\x00\x02")
    assert exchange.feed(late + right[:5]) is None
    assert values(exchange.feed(right[5:])) == [1, 2]
    assert exchange.strays == 1


def test_tcp_numbers_go_round_without_zero() -> None:
    exchange = Exchange(tcp=True)
    numbers = [int.from_bytes(exchange.ask(IMPORT, 0.0)[:2], "big") for _ in range(65_537)]
    assert numbers[0] == 1
    assert numbers[65_534:65_537] == [65_535, 1, 2]


def test_tcp_that_lost_its_frames_says_so() -> None:
    exchange = Exchange(tcp=True)
    exchange.ask(IMPORT, 0.0)
    with pytest.raises(DeviceGarbledError):
        exchange.feed(b"\x00\x01\x55\x55\x00\x06\x01\x04\x00")
