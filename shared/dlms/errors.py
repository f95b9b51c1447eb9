"""Errors of the byte layer: what a peer did wrong is a `DecodeError`, what we would do wrong is a `ValueError`."""


class DecodeError(Exception):
    """Bytes of the other side that are not what the standard allows in this place."""


class CipherError(DecodeError):
    """Octets that are not what a holder of the keys sent, or not protected as they must be."""
