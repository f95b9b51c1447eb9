"""Digest of one day's content: equal values, qualities and methods give an equal digest, on any machine, for ever."""

import hashlib
import struct

import numpy as np
from numpy.typing import NDArray

_HEAD = struct.Struct("<8siiiI")
_MAGIC = b"rzvday1\0"


def day_digest(
    channel: int,
    day_number: int,
    step_ms: int,
    values: NDArray[np.int32],
    quality: NDArray[np.int16] | None,
    method: NDArray[np.int16] | None = None,
) -> bytes:
    """SHA-256 over canonical bytes: head (channel, day as days since 1970, step, count), values as little-endian int32,
    then qualities and methods as int16, present only when one of them is not 0 (NULL and all zero are the same)."""
    content = [
        _HEAD.pack(_MAGIC, channel, day_number, step_ms, len(values)),
        values.astype("<i4", copy=False).tobytes(),
    ]
    for mark, array in ((b"q", quality), (b"m", method)):
        if array is not None and array.any():
            content += [mark, array.astype("<i2", copy=False).tobytes()]
    return hashlib.sha256(b"".join(content)).digest()
