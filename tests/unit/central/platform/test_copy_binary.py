import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.platform.copy_binary import HEADER, TRAILER, Column, pack_rows, unpack_rows

TYPES = ("int4", "timestamptz", "int4[]", "int4[]", "bytea")


def packed(number: int, values: list[int], flags: list[int] | None) -> bytes:
    return pack_rows(
        1,
        [
            Column("int4", np.array([number])),
            Column("timestamptz", np.array([number * 10])),
            Column("int4[]", np.array([values])),
            Column("int4[]", None if flags is None else np.array([flags])),
            Column("bytea", b"ab"),
        ],
    )


def read(rows: list[bytes]) -> dict[int, tuple[list[int], list[int] | None]]:
    found: dict[int, tuple[list[int], list[int] | None]] = {}
    for numbers, instants, values, flags, octets in unpack_rows(HEADER + b"".join(rows) + TRAILER, TYPES):
        assert numbers is not None and instants is not None and values is not None and octets is not None
        assert (instants == numbers.astype(np.int64) * 10).all()
        assert octets.tolist() == [[97, 98]] * len(numbers)
        for place, number in enumerate(numbers.tolist()):
            found[number] = (values[place].tolist(), None if flags is None else flags[place].tolist())
    return found


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), max_size=200))
def test_rows_of_any_mix_of_lengths_come_back(shapes: list[tuple[int, bool]]) -> None:
    given_rows = {
        number: ([number + place for place in range(length)], [7] * length if flagged else None)
        for number, (length, flagged) in enumerate(shapes)
    }
    assert read([packed(number, *content) for number, content in given_rows.items()]) == given_rows


def test_a_long_run_between_others_comes_back() -> None:
    given_rows = {number: ([number, -number], None) for number in range(1000)}
    given_rows |= {number: ([number], [1]) for number in range(1000, 1010)}
    given_rows |= {number: ([number, 0], None) for number in range(1010, 1200)}
    assert read([packed(number, *content) for number, content in given_rows.items()]) == given_rows


def test_an_empty_array_has_no_dimension_on_the_wire() -> None:
    field = struct.pack(">iiii", 12, 0, 0, 23)
    (columns,) = unpack_rows(HEADER + struct.pack(">h", 1) + field + TRAILER, ("int4[]",))
    assert columns[0] is not None
    assert columns[0].shape == (1, 0)


def test_golden_bytes_of_one_row() -> None:
    # As PostgreSQL 17 writes `COPY (SELECT 1::int4, '{5}'::int2[]) TO STDOUT (FORMAT BINARY)`.
    golden = bytes.fromhex("0002 00000004 00000001 0000001a 00000001 00000000 00000015 00000001 00000001 00000002 0005")
    assert pack_rows(1, [Column("int4", np.array([1])), Column("int2[]", np.array([[5]]))]) == golden


@pytest.mark.parametrize("buffer", [b"", b"PGCOPY", HEADER, HEADER + b"\x00\x01"])
def test_what_is_no_binary_copy_is_refused(buffer: bytes) -> None:
    with pytest.raises(ValueError, match="COPY"):
        list(unpack_rows(buffer, ("int4",)))


def test_an_array_with_nulls_is_refused() -> None:
    field = struct.pack(">iiiiiiii", 28, 1, 1, 23, 1, 1, 4, 9)
    with pytest.raises(ValueError, match="NULL"):
        list(unpack_rows(HEADER + struct.pack(">h", 1) + field + TRAILER, ("int4[]",)))
