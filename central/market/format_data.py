"""What stands in a format package's JSON file, and what must fit together in it."""

from datetime import date
from typing import Literal

import msgspec

from shared.quantities import Quality

Mark = Literal["documented", "inferred", "assumed"]
"""How sure an entry is: read in a public source, following from one, or proposed by us."""


class EnvelopeRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What every message of the package carries in its envelope."""

    market_operator: str
    coding_scheme: str
    dtd_version: str
    dtd_release: str
    language: str
    message_id_length: int


class Format(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A family of messages of one structure; without a schema it can be named, not written."""

    name: str
    namespace: str
    schema: str | None
    mark: Mark
    mapping: str | None = None
    """File of the element mapping (see `mapping.model`); none for a format whose writer and reader are our code."""


class MessageKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message code (druh zprávy) with its format and the code that answers it."""

    code: str
    format: str
    direction: Literal["out", "in"]
    answer_code: str | None
    channel: str
    meaning_cs: str
    meaning_en: str
    mark: Mark
    sample: str | None = None
    """File of a message of this code as our writer makes it; official schemas are tried on it."""
    status: Literal["sandbox", "official"] | None = None
    """Where it differs from the package's: `official` once the sample satisfies the operator's own schema."""


class ValueType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A profile's kind of value: our channel direction, the operator's code and unit."""

    direction: str
    code: str
    unit: str
    meaning_cs: str
    meaning_en: str
    mark: Mark


class MessageUnit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A unit of the messages: `code` is 10^`exponent` of our unit `base`."""

    code: str
    base: str
    exponent: int
    mark: Mark


class Resolution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Length of a period."""

    code: str
    seconds: int
    mark: Mark


class Status(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The letter that says a value's quality; none for a measured one. A missing value has none: it is never sent."""

    quality: str
    letter: str | None
    meaning_cs: str
    mark: Mark


class ReasonType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A RESPONSE's Reason/@type and the state into which it brings the message answered."""

    type: str
    state: Literal["accepted", "accepted_with_reservation", "rejected"]
    meaning_cs: str
    mark: Mark


class ReasonCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A RESPONSE's Reason/@code."""

    code: str
    meaning_en: str
    mark: Mark


class ListedCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A code of a list: the operator's `code`, our name for it, and further spellings that are read only."""

    code: str
    ours: str
    meaning_cs: str
    mark: Mark
    aliases: tuple[str, ...] = ()


class PackageData(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The package's JSON file."""

    name: str
    status: Literal["sandbox", "official"]
    version: int
    valid_from: date
    valid_to: date | None
    source: str
    envelope: EnvelopeRules
    formats: list[Format]
    messages: list[MessageKind]
    value_types: list[ValueType]
    units: list[MessageUnit]
    decimals: int
    resolutions: list[Resolution]
    statuses: list[Status]
    reason_types: list[ReasonType]
    reason_codes: list[ReasonCode]
    code_lists: dict[str, tuple[ListedCode, ...]] = {}


def problems_of(data: PackageData) -> list[str]:
    """What does not fit together in a package, one sentence each."""
    problems = []
    formats = {entry.name for entry in data.formats}
    message_codes = {entry.code for entry in data.messages}
    units = {entry.code for entry in data.units}
    for message in data.messages:
        if message.format not in formats:
            problems.append(f"Message {message.code} has the format {message.format}, which is not listed.")
        if message.answer_code is not None and message.answer_code not in message_codes:
            problems.append(f"Message {message.code} is answered by {message.answer_code}, which is not listed.")
    problems += [
        f"Value type {entry.code} has the unit {entry.unit}, which is not listed."
        for entry in data.value_types
        if entry.unit not in units
    ]
    sendable = {quality.name for quality in Quality if quality is not Quality.MISSING}
    if {entry.quality for entry in data.statuses} != sendable:
        problems.append(f"Statuses must be given for exactly {', '.join(sorted(sendable))}.")
    if {entry.type for entry in data.reason_types} != {"A01", "A02", "A03", "A04"}:
        problems.append("Reason types must be exactly A01, A02, A03, A04.")
    for name, listed in data.code_lists.items():
        codes = [code for entry in listed for code in (entry.code, *entry.aliases)]
        names = [entry.ours for entry in listed]
        if len(set(codes)) != len(codes) or len(set(names)) != len(names):
            problems.append(f"The same code or name stands twice in the code list {name}.")
    for what, keys in (
        ("format", [entry.name for entry in data.formats]),
        ("message code", [entry.code for entry in data.messages]),
        ("direction", [entry.direction for entry in data.value_types]),
        ("value type", [entry.code for entry in data.value_types]),
        ("status letter", [entry.letter for entry in data.statuses]),
        ("reason code", [entry.code for entry in data.reason_codes]),
    ):
        if len(set(keys)) != len(keys):
            problems.append(f"The same {what} stands twice.")
    return problems
