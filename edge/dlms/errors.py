"""Errors of reading a DLMS meter: what the line or the meter did. What the caller did wrong is a `MisuseError`."""

from shared.dlms.get import DataAccessResult


class DlmsError(Exception):
    """Reading the meter failed; the sentence says what."""


class LinkLostError(DlmsError):
    """The meter ended the data link, or does not know it: open a new session."""


class NoAnswerError(DlmsError):
    """The meter did not answer within the time allowed, retries included. The session is no longer of use."""


class AssociationRefusedError(DlmsError):
    """The meter does not accept this client or its password."""


class AccessDeniedError(DlmsError):
    """The meter did not give an attribute. The session goes on. `result` as the meter sent it."""

    def __init__(self, what: str, result: int) -> None:
        try:
            name = DataAccessResult(result).name.lower().replace("_", " ")
        except ValueError:
            name = "unknown reason"
        super().__init__(f"The meter does not give {what}: {name} (data access result {result}).")
        self.what = what
        self.result = result


class ProtocolError(DlmsError):
    """The meter sent something that the protocol does not allow there."""

    def __init__(self, what: str, expected: str) -> None:
        super().__init__(f"The meter sent {what}; expected {expected}.")
        self.what = what
        self.expected = expected


class MisuseError(RuntimeError):
    """A request in a state that does not allow it: an error of the program, not of the meter."""
