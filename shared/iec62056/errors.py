"""What cannot be read from a meter."""


class DecodeError(ValueError):
    """Text of a message that does not follow IEC 62056-21 or the load profile's form."""
