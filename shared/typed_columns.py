"""Typed arrays as octets: the columns of the wire contract, with the standard library only (the agent has no numpy)."""

import sys
import zlib
from array import array
from typing import Final

MAX_UNPACKED_BYTES: Final = 16 * 1024 * 1024
"""A packed column may not grow beyond this: a small message must not take central's memory."""


class WireError(ValueError):
    """A message that does not keep the contract; `code` says which rule."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def little(column: "array[int]") -> bytes:
    """The column's octets, little-endian."""
    if sys.byteorder == "big":
        column = array(column.typecode, column)
        column.byteswap()
    return column.tobytes()


def from_little(typecode: str, octets: bytes, name: str) -> "array[int]":
    """A column of little-endian octets; `name` says which in errors."""
    column = array(typecode)
    if len(octets) % column.itemsize:
        raise WireError("column", f"The column {name} has {len(octets)} bytes, not a multiple of {column.itemsize}.")
    column.frombytes(octets)
    if sys.byteorder == "big":
        column.byteswap()
    return column


def differences(values: "array[int]") -> "array[int]":
    """Each value less the one before, the first as it is; wraps at the integer\'s bounds."""
    bits = values.itemsize * 8
    half, whole = 1 << (bits - 1), 1 << bits
    before = 0
    result = array(values.typecode)
    for value in values:
        result.append((value - before + half) % whole - half)
        before = value
    return result


def sums(differences: "array[int]") -> "array[int]":
    """Undoes `differences`."""
    bits = differences.itemsize * 8
    half, whole = 1 << (bits - 1), 1 << bits
    value = 0
    result = array(differences.typecode)
    for difference in differences:
        value = (value + difference + half) % whole - half
        result.append(value)
    return result


def inflate(octets: bytes) -> bytes:
    """A packed column's bytes, bounded."""
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(octets, MAX_UNPACKED_BYTES)
    except zlib.error as error:
        raise WireError("packing", f"The packed values cannot be unpacked: {error}.") from None
    if not inflater.eof:
        raise WireError("packing", f"The packed values are cut off or unpack to more than {MAX_UNPACKED_BYTES} bytes.")
    return plain
