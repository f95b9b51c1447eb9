"""Errors of reading a DLMS meter: what the line or the meter did. What the caller did wrong is a `MisuseError`."""

from enum import IntEnum

from shared.dlms.action import ActionResult
from shared.dlms.get import DataAccessResult


class DlmsError(Exception):
    """Reading the meter failed; the sentence says what."""


class LinkLostError(DlmsError):
    """The meter ended the data link, or does not know it: open a new session."""


class NoAnswerError(DlmsError):
    """The meter did not answer within the time allowed, retries included. The session is no longer of use."""


class AssociationRefusedError(DlmsError):
    """The meter does not accept this client or its password."""


class CounterRefusedError(DlmsError):
    """The meter has seen a greater invocation counter than ours; `expected` is the least it takes, if it says so."""

    def __init__(self, expected: int | None) -> None:
        counter = "" if expected is None else f"; it expects {expected}"
        super().__init__(f"The meter does not accept the client's invocation counter{counter}.")
        self.expected = expected


class CounterLostError(DlmsError):
    """There is no invocation counter to send with: the file is gone, or the numbers are. Ours, not the meter's."""


class NotOfferedError(DlmsError):
    """The meter did not grant the service that a request needs. Nothing was sent; the session goes on."""


class AccessDeniedError(DlmsError):
    """The meter did not give or take an attribute, or not carry out a method. The session goes on. `result` as the
    meter sent it.
    """

    def __init__(self, what: str, result: int, verb: str = "give") -> None:
        codes: type[IntEnum] = ActionResult if verb == "carry out" else DataAccessResult
        try:
            name = codes(result).name.lower().replace("_", " ")
        except ValueError:
            name = "unknown reason"
        kind = "action" if codes is ActionResult else "data access"
        super().__init__(f"The meter does not {verb} {what}: {name} ({kind} result {result}).")
        self.what = what
        self.result = result


class SecurityError(DlmsError):
    """What the meter sent is not proven to be its own, new and protected as agreed. Nothing of it was used."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The meter's message is not accepted: {reason}.")


class ProtocolError(DlmsError):
    """The meter sent something that the protocol does not allow there."""

    def __init__(self, what: str, expected: str) -> None:
        super().__init__(f"The meter sent {what}; expected {expected}.")
        self.what = what
        self.expected = expected


class MisuseError(RuntimeError):
    """A request in a state that does not allow it: an error of the program, not of the meter."""
