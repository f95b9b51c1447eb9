"""Errors of the byte layer. What a peer did wrong is a `DecodeError`; what we would have sent wrong is a `ValueError`."""


class DecodeError(Exception):
    """Bytes of the other side that are not what the standard allows in this place."""
