"""QR codes (ISO/IEC 18004): bytes, error correction M, always the same mask; a tenth of a general encoder's time.

segno gives the geometry of a version once: sizes of its blocks, and which modules are not of data. What differs from
text to text is done here by whole numbers and one rearrangement of bits.
"""

from collections.abc import Callable
from functools import cache
from itertools import chain, zip_longest
from operator import itemgetter
from typing import Any, Final, NamedTuple

import segno
from segno import consts

MASK: Final = 3
"""Every mask of a QR code is read alike; choosing the prettiest costs four times the rest of the code."""
_FIELD: Final = 0x11D
"""The polynomial of the field GF(256) of the error correction."""
_PADDING: Final = b"\xec\x11"
LARGEST: Final = 40


class _Geometry(NamedTuple):
    """Of a version: data codewords of each block, correction codewords of a block, and where bits go.

    `rows` picks the modules, line by line, from the bits of the codewords followed by "01"; `flipped` are the bits that
    the mask flips.
    """

    blocks: tuple[int, ...]
    correction: int
    bits: int
    size: int
    rows: Callable[[str], tuple[str, ...]]
    flipped: int


def modules(text: str) -> list[str]:
    """The rows of the code of an ASCII text, "1" for dark, without quiet zone. Raises ValueError for one too long."""
    content = text.encode("ascii")
    version = next((each for each in range(1, LARGEST + 1) if len(content) <= capacity(each)), None)
    if version is None:
        raise ValueError(f"A QR code holds {capacity(LARGEST)} characters, not {len(content)}.")
    geometry = _geometry(version)
    blocks = _split(_data(content, version), geometry.blocks)
    corrections = [_correction(block, geometry.correction) for block in blocks]
    interleaved = [
        each for part in (blocks, corrections) for each in chain.from_iterable(zip_longest(*part)) if each is not None
    ]
    bits = int.from_bytes(bytes(interleaved)) << (geometry.bits - 8 * len(interleaved))
    placed = "".join(geometry.rows(f"{bits ^ geometry.flipped:0{geometry.bits}b}01"))
    return [placed[first : first + geometry.size] for first in range(0, len(placed), geometry.size)]


def _data(content: bytes, version: int) -> bytes:
    """Mode and length before the content, a terminator and padding behind it."""
    length = _length_bits(version)
    whole = (0b0100 << length | len(content)) << 8 * len(content) | int.from_bytes(content)
    given = 4 + length + 8 * len(content)
    told = (whole << 4).to_bytes((given + 4) // 8)
    missing = sum(_blocks(version)[0]) - len(told)
    return told + (_PADDING * (missing // 2 + 1))[:missing]


def _length_bits(version: int) -> int:
    return 8 if version < 10 else 16


@cache
def capacity(version: int) -> int:
    """Characters, beside the four bits of the mode, the length, and four of the terminator."""
    return (8 * sum(_blocks(version)[0]) - 4 - _length_bits(version)) // 8


@cache
def _blocks(version: int) -> tuple[tuple[int, ...], int]:
    table: Any = consts.ECC
    told = table[version][consts.ERROR_LEVEL_M]
    sizes = tuple(each.num_data for each in told for _ in range(each.num_blocks))
    return sizes, told[0].num_total - told[0].num_data


def _split(data: bytes, sizes: tuple[int, ...]) -> list[bytes]:
    blocks, first = [], 0
    for size in sizes:
        blocks.append(data[first : first + size])
        first += size
    return blocks


def _correction(block: bytes, count: int) -> bytes:
    """The rest of the block's division by the generator (Reed-Solomon), as one number that is shifted by bytes."""
    multiples = _multiples(count)
    top, below = 8 * (count - 1), (1 << 8 * (count - 1)) - 1
    rest = 0
    for each in block:
        rest = ((rest & below) << 8) ^ multiples[each ^ (rest >> top)]
    return rest.to_bytes(count)


@cache
def _multiples(count: int) -> list[int]:
    """The generator of so many correction codewords, without its first term, times each number of the field."""
    generator, root = [1], 1
    for _ in range(count):
        shifted = [*generator, 0]
        for place, each in enumerate(generator):
            shifted[place + 1] ^= _product(each, root)
        generator, root = shifted, _product(root, 2)
    return [int.from_bytes(bytes(_product(factor, each) for each in generator[1:])) for factor in range(256)]


def _product(one: int, other: int) -> int:
    product = 0
    while other:
        if other & 1:
            product ^= one
        one <<= 1
        if one & 0x100:
            one ^= _FIELD
        other >>= 1
    return product


@cache
def _geometry(version: int) -> _Geometry:
    sample = segno.make(" ", version=version, error="m", mode="byte", mask=MASK, boost_error=False)
    dark = [list(row) for row in sample.matrix_iter(border=0)]
    size = len(dark)
    order = [place for place in _way(size) if _is_free(*place, version, size)]
    nth = {place: number for number, place in enumerate(order)}
    # behind the bits stand a light module and a dark one, for what is the same in every code of the version
    picked = [
        nth.get((row, column), len(order) + bool(dark[row][column])) for row in range(size) for column in range(size)
    ]
    flipped = int("".join("1" if (row + column) % 3 == 0 else "0" for row, column in order), 2)
    blocks, correction = _blocks(version)
    return _Geometry(blocks, correction, len(order), size, itemgetter(*picked), flipped)


def _is_free(row: int, column: int, version: int, size: int) -> bool:
    """Whether a module is of data: not of finders with format, timing, version or alignment."""
    low, high = min(row, column), max(row, column)
    if low == 6 or high < 9 or (low < 9 and high >= size - 8):
        return False
    if version >= 7 and low < 6 and high >= size - 11:
        return False
    centres = [*consts.ALIGNMENT_POS[version - 2]] if version > 1 else []
    around = [[centre for centre in centres if abs(each - centre) <= 2] for each in (row, column)]
    if not all(around):
        return True
    (upper,), (left,) = around
    return {upper, left} in ({6}, {6, centres[-1]})


def _way(size: int) -> list[tuple[int, int]]:
    """Row and column in the order of the bits: columns in twos from the right, up and down, past that of timing."""
    way: list[tuple[int, int]] = []
    for turn, right in enumerate([*range(size - 1, 6, -2), *range(5, 0, -2)]):
        rows = range(size - 1, -1, -1) if turn % 2 == 0 else range(size)
        way += [(row, right - left) for row in rows for left in (0, 1)]
    return way
