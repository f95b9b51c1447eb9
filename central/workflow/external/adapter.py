"""What an adapter of a kind of source is: which questions to ask, how to read an answer, where the records go."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from central.platform.errors import BadInput
from central.platform.external.values import Counts
from central.platform.identity import Person

FETCHER: Final = Person("external-information", frozenset({"operate"}))
LONGEST_RANGE: Final = timedelta(days=3660)
STORABLE: Final = "^[^\\x00\\ud800-\\udfff]*$"
"""Texts that the database can hold."""


class UnreadableError(Exception):
    """What came is not what was asked for; the text is a sentence. The source is asked again later."""


@dataclass(frozen=True, slots=True)
class Part:
    """One question of a run: its name within the run, what is appended to an address or sent to it, and which statuses
    of an answer are to be read."""

    name: str
    append: str = ""
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    accepts: frozenset[int] = frozenset({200})


@dataclass(frozen=True, slots=True)
class Origin:
    """Where octets are from: source, fetch, address and time, for what is stored of them."""

    source: str
    fetch: int
    address: str
    at: datetime

    @property
    def text(self) -> str:
        """In words, at most 400 characters."""
        return (
            f"{self.source}: {self.address[:250]}, fetched {self.at.isoformat(timespec='seconds')} (no. {self.fetch})"
        )


class NoParameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A run that can be asked for in one way only."""


class Days(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Days that a run asks for, both included; without them the source's settings decide."""

    first: date | None = msgspec.field(default=None, name="from")
    last: date | None = msgspec.field(default=None, name="to")

    def __post_init__(self) -> None:
        if (self.first is None) != (self.last is None):
            raise ValueError("give both from and to, or neither")
        if self.first is not None and self.last is not None:
            if not date(2000, 1, 1) <= self.first <= self.last < date(2100, 1, 1):
                raise ValueError("from must not be after to, and both lie in 2000 to 2099")
            if self.last - self.first > LONGEST_RANGE:
                raise ValueError(f"a run asks for at most {LONGEST_RANGE.days} days")

    def within(self, today: date, back: int, ahead: int) -> tuple[date, date]:
        """First and last day: as given, or so many days around today."""
        if self.first is None or self.last is None:
            return today - timedelta(days=back), today + timedelta(days=ahead)
        return self.first, self.last


@dataclass(frozen=True, slots=True)
class Adapter:
    """A kind of source.

    `parts(settings, parameters, today)` gives the questions of a run, `read(octets, settings)` the records of one
    answer (UnreadableError), `store(connection, records, settings, origin)` puts them to their place (DomainError where
    that is refused). `settings` and `parameters` are the structs that JSON is turned into. `mark` says how sure the
    format is. A folder is read file by file, without parts.
    """

    name: str
    title: str
    mark: str
    addresses: tuple[str, ...]
    settings: type[Any]
    parameters: type[Any]
    parts: Callable[[Any, Any, date], Sequence[Part]]
    read: Callable[[bytes, Any], Sequence[Any]]
    store: Callable[[Connection, Sequence[Any], Any, Origin], Counts]

    def settings_of(self, given: Mapping[str, Any]) -> Any:
        """The settings; BadInput with what is wrong."""
        return _converted(given, self.settings, f"The settings of {self.name}")

    def parameters_of(self, given: Mapping[str, Any]) -> Any:
        """What a run asks for; BadInput with what is wrong."""
        return _converted(given, self.parameters, f"The parameters of a run of {self.name}")

    def take(self, connection: Connection, octets: bytes, settings: Any, origin: Origin) -> Counts:
        """Read an answer and store its records."""
        return self.store(connection, self.read(octets, settings), settings, origin)


def one_part(_: Any, __: Any, ___: date) -> Sequence[Part]:
    """The questions of a source that always answers the same way."""
    return (Part("all"),)


def _converted(given: Mapping[str, Any], wanted: type[Any], what: str) -> Any:
    try:
        return msgspec.convert(given, wanted, strict=True)
    except msgspec.ValidationError as error:
        raise BadInput("external_settings", f"{what} are not right: {error}.") from None
