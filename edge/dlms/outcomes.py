"""What comes of a request to a meter: outcomes of an association, as a session hands them on."""

from dataclasses import dataclass

from edge.dlms.errors import DlmsError
from shared.dlms.action import MethodResult
from shared.dlms.get import Result


@dataclass(frozen=True, slots=True)
class Opened:
    """The association is open with what the meter granted."""

    conformance: int
    max_pdu: int


@dataclass(frozen=True, slots=True)
class Answered:
    """What the GET asked for, in its order: encoded data, or the meter's refusal, for each attribute."""

    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a SET, in its order: a DataAccessResult or unknown number for each attribute."""

    results: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Invoked:
    """What became of an ACTION, in its order, for each method."""

    results: tuple[MethodResult, ...]


@dataclass(frozen=True, slots=True)
class Released:
    """The association is closed."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The request came to nothing."""

    error: DlmsError


@dataclass(frozen=True, slots=True)
class Continue:
    """The request goes on with this message."""

    apdu: bytes


Served = Answered | Written | Invoked
Outcome = Opened | Served | Released | Failed | Continue
