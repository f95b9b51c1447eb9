"""The lean swarm answers as a Modbus TCP meter would, and each value tells which answer it is from."""

import struct
from pathlib import Path

import pytest

from edge.modbus.exchange import Exchange, Request
from firmware_sims.swarm import VALUES, WRAP, Meter, first_eighth, read_log


def values(meter: Meter, address: int = 0, count: int = 2 * VALUES) -> tuple[float, ...]:
    exchange = Exchange(tcp=True)
    question = exchange.ask(Request.registers(1, 4, address, count), 0.0)
    answer = exchange.feed(meter.answer(question))
    assert answer is not None
    return struct.unpack(f">{count // 2}f", answer[2:])


def test_values_count_up_from_answer_to_answer() -> None:
    meter = Meter(3)
    for answer in range(3):
        begin = first_eighth(3, answer)
        assert values(meter) == tuple((begin + place) / 8 for place in range(VALUES))
    assert len(meter.answered) == 3


def test_a_part_of_the_registers() -> None:
    meter = Meter(0)
    assert values(meter, 4, 6) == (2 / 8, 3 / 8, 4 / 8)


def test_every_value_is_exact() -> None:
    assert struct.unpack(">f", struct.pack(">f", (WRAP + VALUES - 1) / 8))[0] == (WRAP + VALUES - 1) / 8


@pytest.mark.parametrize(
    ("request_hex", "answer_hex"),
    [
        ("0001 0000 0006 01 04 0000 0029", "0001 0000 0003 01 84 02"),
        ("0001 0000 0006 01 04 0001 0028", "0001 0000 0003 01 84 02"),
        ("0001 0000 0006 01 03 0000 0002", "0001 0000 0003 01 83 02"),
        ("0001 0000 0006 02 04 0000 0002", ""),
        ("0001 0001 0006 01 04 0000 0002", ""),
        ("0001 0000 0006 01 04 0000", ""),
    ],
)
def test_what_is_not_served(request_hex: str, answer_hex: str) -> None:
    meter = Meter(0)
    assert meter.answer(bytes.fromhex(request_hex)) == bytes.fromhex(answer_hex)
    assert len(meter.answered) == 0


def test_the_log_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "answers"
    path.write_bytes(struct.pack("<Idd", 2, 1.5, 2.5) + struct.pack("<I", 0) + struct.pack("<Id", 1, 3.0))
    assert [list(each) for each in read_log(path)] == [[1.5, 2.5], [], [3.0]]
