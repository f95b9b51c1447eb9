"""Meter data of gas as EDIGAS, answered by APERAK: written and read by the element mappings of an official package.

We ship neither schemas nor mappings of them (documented is that both exist, and that a document is known by its
`Identification`). What a mapping can name are the fields of the records below; who imports the operator's schemas says
in it which element holds which. A code of the operator's is given to ours by the mapping's own code lists: the type of
an APERAK's reason must come out as A01 (accepted), A02 (rejected), A03 (with reservation) or A04.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, TypeVar

import msgspec
from lxml import etree

from central.market.envelope import Envelope, Participant
from central.market.errors import FormatError, InboundError, OutboundError
from central.market.format_package import FormatPackage, usable_packages
from central.market.mapping.model import Node, Value
from central.market.mapping.read import Read, read_fields
from central.market.mapping.transfer import rewrite_document
from central.market.mapping.write import write_document
from central.market.response import Reason, Response

FORMAT: Final = "EDIGAS"
ANSWER: Final = "APERAK"
CODE: Final = "XGE"
ANSWER_CODE: Final = "XGA"
Payload = TypeVar("Payload", bound=object)


class GasValue(msgspec.Struct, frozen=True, kw_only=True):
    """The volume of an hour, the `place`-th of its series from 1 on; `quality` is the name of ours.

    Its energy and the calorific value (spalné teplo) of its gas day are there where the mapping has a place for them.

    Of this and the records below, what has a default may be missing in one that was read: its mapping has no place for
    it. What we write has all.
    """

    volume_m3: Decimal
    place: int | None = None
    first: datetime | None = None
    stop: datetime | None = None
    quality: str | None = None
    energy_kwh: Decimal | None = None
    calorific_kwh_m3: Decimal | None = None


class GasShown(msgspec.Struct, frozen=True, kw_only=True):
    """A state that a meter showed; `reading` is how it was read."""

    state_m3: Decimal
    meter: str | None = None
    at: datetime | None = None
    reading: str | None = None


class GasSeries(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured at a point (EIC) from `first` to `stop`: hours of types A and B, states of type C."""

    opm: str
    metering_type: str | None = None
    first: datetime | None = None
    stop: datetime | None = None
    values: list[GasValue] = []
    states: list[GasShown] = []


class GasMeterData(msgspec.Struct, frozen=True, kw_only=True):
    """The document; identification, instant, sender and receiver are those of the envelope that it is written under."""

    series: list[GasSeries]
    version: int = 1
    identification: str = ""
    made_at: datetime | None = None
    sender: str = ""
    receiver: str = ""


class _Head(msgspec.Struct, frozen=True):
    identification: str
    made_at: datetime
    sender: str
    receiver: str


class Referred(msgspec.Struct, frozen=True, kw_only=True):
    """A document of ours that is answered, by its identification."""

    reference: str


class AperakReason(msgspec.Struct, frozen=True, kw_only=True):
    """Why: its type as one of A01 to A04, the operator's code, text for people."""

    type: str
    code: str = ""
    text: str = ""


class Aperak(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to documents."""

    identification: str
    made_at: datetime
    sender: str
    receiver: str
    references: list[Referred]
    reasons: list[AperakReason]


_ESSENTIAL: Final = {
    FORMAT: frozenset({"identification", "made_at", "sender", "receiver", "series", "opm", "values", "volume_m3"}),
    ANSWER: frozenset(
        {"identification", "made_at", "sender", "receiver", "references", "reference", "reasons", "type"}
    ),
}
"""Fields without which a document says nothing."""
_NEAREST: Final = {"A01": "A01", "A02": "A02", "A03": "A01", "A04": "A02"}


def places_of(package: FormatPackage) -> dict[str, int]:
    """The fields that the mapping of the meter data holds, with the most decimal places of each."""
    if not package.is_bare(FORMAT):
        return {}
    return {value.field: value.places or 0 for value in _held(package.mapping(FORMAT).payload)}


def _held(nodes: Sequence[Node]) -> Iterator[Value]:
    for node in nodes:
        yield from node.attributes
        if node.text is not None:
            yield node.text
        yield from _held(node.children)


def can_write(package: FormatPackage) -> bool:
    """Whether the package has schema and mapping of the meter data."""
    return package.is_bare(FORMAT) and package.format(FORMAT).schema is not None


def write(package: FormatPackage, envelope: Envelope, data: GasMeterData) -> bytes:
    """The document under its envelope, valid by the operator's schema; OutboundError."""
    if not can_write(package):
        raise OutboundError("no_schema", f"The format package {package.name} has no official schema of {FORMAT}.")
    told = msgspec.structs.replace(
        data, identification=envelope.id, made_at=envelope.at, sender=envelope.sender.id, receiver=envelope.receiver.id
    )
    return write_document(package, FORMAT, envelope.id, told)


def is_data(package: FormatPackage, root: etree._Element) -> bool:
    """Whether it is a document of meter data by the package's mapping."""
    name = etree.QName(root)
    return package.is_bare(FORMAT) and package.format_of_root(name.namespace, name.localname) == FORMAT


def read_head(package: FormatPackage, root: etree._Element) -> Envelope:
    """Identification, instant, sender and receiver, whatever else the document holds; InboundError."""
    nodes = [node for node in package.mapping(FORMAT).payload if node.field is None]
    fields, _ = read_fields(package, root, FORMAT, nodes)
    try:
        head = msgspec.convert(fields, _Head)
    except msgspec.ValidationError as error:
        raise InboundError("incomplete", f"The head of the {FORMAT} is not whole: {error}.") from None
    return Envelope(head.identification, CODE, head.made_at, Participant(head.sender), Participant(head.receiver))


def read(package: FormatPackage, root: etree._Element) -> Read[GasMeterData]:
    """A document of meter data; InboundError where it cannot be understood."""
    envelope = read_head(package, root)
    fields, unknown = read_fields(package, root, FORMAT)
    try:
        return Read(envelope, msgspec.convert(fields, GasMeterData), unknown)
    except msgspec.ValidationError as error:
        raise InboundError("incomplete", f"The {FORMAT} {envelope.id} is not whole: {error}.") from None


def with_version(payload: Payload, version: int) -> Payload:
    """The payload saying which version it is, where that stands in it."""
    return msgspec.structs.replace(payload, version=version) if isinstance(payload, GasMeterData) else payload


def is_aperak(namespace: str | None, root: str) -> bool:
    """Whether a document that begins so is an APERAK by an official package."""
    return any(
        package.is_bare(ANSWER) and package.format_of_root(namespace, root) == ANSWER
        for package in usable_packages()[0]
    )


def read_aperak(package: FormatPackage, root: etree._Element) -> Response:
    """An APERAK as an answer, read tolerantly; InboundError where it cannot be understood."""
    fields, _ = read_fields(package, root, ANSWER)
    try:
        answer = msgspec.convert(fields, Aperak)
    except msgspec.ValidationError as error:
        raise InboundError("incomplete", f"The {ANSWER} is not whole: {error}.") from None
    if not answer.references or not answer.reasons:
        raise InboundError("no_reference", f"The {ANSWER} {answer.identification} names no document, or no reason.")
    for reason in answer.reasons:
        if reason.type not in package.reason_types:
            raise InboundError(
                "unknown_reason_type",
                f"The {ANSWER} {answer.identification} has a reason of type {reason.type!r}, expected A01, A02, A03 "
                "or A04: correct the code list of its element mapping.",
            )
    envelope = Envelope(
        answer.identification,
        ANSWER_CODE,
        answer.made_at,
        Participant(answer.sender),
        Participant(answer.receiver),
        tuple(each.reference for each in answer.references),
    )
    return Response(envelope, [Reason(each.type, each.code, each.text) for each in answer.reasons])


def write_aperak(package: FormatPackage, response: Response) -> bytes:
    """The answer of an operator by the package's mapping, valid by its schema; OutboundError.

    A type of reason that the mapping has no code of is told by the nearest one.
    """
    envelope = response.envelope
    known = _types(package)
    told = Aperak(
        identification=envelope.id,
        made_at=envelope.at,
        sender=envelope.sender.id,
        receiver=envelope.receiver.id,
        references=[Referred(reference=each) for each in envelope.references],
        reasons=[
            AperakReason(type=each.type if each.type in known else _NEAREST[each.type], code=each.code, text=each.text)
            for each in response.reasons
        ],
    )
    return write_document(package, ANSWER, envelope.id, told)


def _types(package: FormatPackage) -> frozenset[str]:
    """The types of reasons that the mapping of the answers has a code of."""
    reasons = next(node for node in package.mapping(ANSWER).payload if node.field == "reasons")
    listed = [value.codes for value in reasons.attributes if value.field == "type" and value.codes is not None]
    return frozenset(entry.ours for name in listed for entry in package.code_list(name)) or frozenset(_NEAREST)


def try_samples(package: FormatPackage, format_name: str) -> None:
    """Write our samples under the package and read them back: MarketError says why the format is not official.

    The mapping must hold what a document is nothing without.
    """
    payload = package.mapping(format_name).payload
    held = {*_fields(payload), *(value.field for value in _held(payload))}
    if missing := sorted(_ESSENTIAL[format_name] - held):
        raise FormatError("mapping", f"The element mapping of {format_name} has no place for {', '.join(missing)}.")
    for place, sample in enumerate(_SAMPLES[format_name]):
        name = f"sample-{place + 1}"
        written = write_document(package, format_name, name, sample)
        if rewrite_document(package, format_name, name, written) != written:
            raise FormatError("round_trip", f"What is read of the {format_name} {name} is not what was written.")


def _fields(nodes: Sequence[Node]) -> Iterator[str]:
    for node in nodes:
        if node.field is not None:
            yield node.field
        yield from _fields(node.children)


_AT: Final = datetime(2026, 3, 2, 5, tzinfo=UTC)
_HOUR: Final = timedelta(hours=1)
_HOURS: Final = [
    GasValue(
        place=place + 1,
        first=_AT + place * _HOUR,
        stop=_AT + (place + 1) * _HOUR,
        volume_m3=Decimal(place) / 8,
        quality="MEASURED" if place else "SUBSTITUTE",
        energy_kwh=Decimal(place),
        calorific_kwh_m3=Decimal(8),
    )
    for place in range(24)
]
_SHOWN: Final = [GasShown(meter="78112044", at=_AT, state_m3=Decimal("10233.4"), reading="own")]


def _data(series: GasSeries) -> GasMeterData:
    return GasMeterData(
        series=[series],
        identification="XGE-SAMPLE-1",
        made_at=_AT,
        sender="8591824556207",
        receiver="8591824000007",
    )


def _aperak(kind: str) -> Aperak:
    return Aperak(
        identification="XGA-SAMPLE-1",
        made_at=_AT,
        sender="8591824000007",
        receiver="8591824556207",
        references=[Referred(reference="XGE-SAMPLE-1")],
        reasons=[AperakReason(type=kind, code="0200", text="zpráva")],
    )


def _series(kind: str, values: list[GasValue], states: list[GasShown]) -> GasSeries:
    return GasSeries(
        opm="27ZG600Z0012345N", metering_type=kind, first=_AT, stop=_AT + 24 * _HOUR, values=values, states=states
    )


_SAMPLES: Final[dict[str, Sequence[msgspec.Struct]]] = {
    FORMAT: (_data(_series("A", _HOURS, [])), _data(_series("C", [], _SHOWN))),
    ANSWER: (_aperak("A01"), _aperak("A02")),
}
