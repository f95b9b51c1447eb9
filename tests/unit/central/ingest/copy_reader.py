"""A reader of binary COPY rows in plain Python, so that numpy's packing is checked by something else."""

import struct

PG_EPOCH_MS = 946_684_800_000


def read_rows(octets: bytes, types: tuple[str, ...]) -> list[tuple[object, ...]]:
    """Rows without header and trailer; timestamptz as ms since 1970, arrays as lists, NULL as None."""
    rows = []
    place = 0
    while place < len(octets):
        (fields,) = struct.unpack_from(">h", octets, place)
        assert fields == len(types)
        place += 2
        row: list[object] = []
        for name in types:
            (length,) = struct.unpack_from(">i", octets, place)
            place += 4
            if length < 0:
                row.append(None)
                continue
            row.append(_value(octets[place : place + length], name))
            place += length
        rows.append(tuple(row))
    assert place == len(octets)
    return rows


def _value(octets: bytes, name: str) -> object:
    if name == "timestamptz":
        microseconds = struct.unpack(">q", octets)[0]
        assert microseconds % 1000 == 0
        return microseconds // 1000 + PG_EPOCH_MS
    if name == "int4[]":
        dimensions, has_null, oid, count, lower = struct.unpack_from(">iiiii", octets)
        assert (dimensions, has_null, oid, lower) == (1, 0, 23, 1)
        assert len(octets) == 20 + 8 * count
        pairs = list(struct.iter_unpack(">ii", octets[20:]))
        assert all(length == 4 for length, _ in pairs)
        return [value for _, value in pairs]
    return struct.unpack({"int2": ">h", "int4": ">i", "int8": ">q"}[name], octets)[0]
