"""Write a run: its inputs, billing bases and omissions by COPY, chunk after chunk, in the caller's transaction.

The digest of a run is over the canonical contents of its inputs in the order of EANs and days, whatever the size of the
chunks: a run with the same pins has the same digest and the same rows.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import Range

from central.platform import audit
from central.platform.copy_text import copy_in
from central.platform.identity import Person
from central.settlement.beside_pins import pin_beside
from central.settlement.document import digest_of_text, spelled, tenure_document
from central.settlement.model import Line
from central.settlement.quantities import Measured, quantities_document, readings_document
from central.settlement.settle import Omitted, Settled
from central.settlement.tables import settlement_run

_NUMBERING = 5_005_002
"""Advisory lock of the numbering of runs."""
_INPUT = (
    "id", "run", "supply_point", "contract_item", "statement_type", "valid", "approved", "package", "facts", "digest",
    "quantities", "profiles", "readings", "information", "findings", "beside",
)  # fmt: skip
_BASIS = (
    "run", "input", "supply_point", "contract_item", "contract", "customer", "payer", "seller", "service", "rate",
    "component", "name", "quantity", "unit", "unit_price", "price_unit", "amount", "vat_percent", "valid",
    "statement_type", "measurements", "why", "state", "fingerprint", "reason", "made_at", "made_by",
)  # fmt: skip
_OMISSION = ("run", "supply_point", "component", "day", "reason")

_IDS = text("""
    SELECT nextval(pg_get_serial_sequence('settlement_input', 'id')) FROM generate_series(1, :count)
""")


@dataclass(frozen=True, slots=True)
class RunMade:
    """A written run: how many points it settled and left out, and how many billing bases it holds."""

    id: int
    number: str
    settled: int
    omitted: int
    bases: int


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What a run is asked for: days [first, end), statement with its type of bases, scope as it was given."""

    first: date
    end: date
    statement: str
    statement_type: int
    scope: Mapping[str, Any]
    reason: str | None = None


class RunWriter:
    """Writes one run; `add` chunks of settled points in the order of EANs, then `finish`.

    `packages` describes the packages used. A component whose legal price is 0 gives no basis; it is kept with the input
    as information.
    """

    def __init__(
        self,
        connection: Connection,
        order: RunOrder,
        packages: Sequence[Mapping[str, Any]],
        person: Person | str,
        at: datetime,
    ) -> None:
        self._connection, self._order = connection, order
        self._person, self._at = person, at
        self._name = person.name if isinstance(person, Person) else person
        self._contents = hashlib.sha256(
            spelled(
                {
                    "period": [order.first.isoformat(), order.end.isoformat()],
                    "statement": order.statement,
                    "packages": list(packages),
                }
            ).encode()
        )
        self._settled: set[int] = set()
        self._omitted = self._bases = 0
        self._number = _next_number(connection, order.first)
        self._run: int = connection.execute(
            insert(settlement_run)
            .values(
                number=self._number,
                period=Range(order.first, order.end),
                statement=order.statement,
                scope=dict(order.scope),
                state="draft",
                packages=list(packages),
                digest="",
                reason=order.reason,
                made_at=at,
                made_by=self._name,
            )
            .returning(settlement_run.c.id)
        ).scalar_one()

    def add(self, settled: Sequence[Settled], omitted: Sequence[Omitted], measured: Measured) -> None:
        """Write a chunk of the run's points."""
        ids = self._connection.execute(_IDS, {"count": len(settled)}).scalars().all()
        inputs: list[tuple[Any, ...]] = []
        bases: list[tuple[Any, ...]] = []
        for number, entry in zip(ids, settled, strict=True):
            inputs.append(self._input(number, entry, measured))
            bases += self._lines(number, entry)
            self._settled.add(entry.facts.supply_point)
        copy_in(self._connection, "settlement_input", _INPUT, inputs)
        copy_in(self._connection, "billing_basis", _BASIS, bases)
        left_out = [(self._run, each.facts.supply_point, each.component, each.day, each.reason) for each in omitted]
        copy_in(self._connection, "settlement_omission", _OMISSION, left_out)
        self._bases += len(bases)
        self._omitted += len(omitted)

    def finish(self) -> RunMade:
        """Store the digest and the record of the act."""
        pin_beside(self._connection, self._run)
        digest = "sha256:" + self._contents.hexdigest()
        self._connection.execute(update(settlement_run).where(settlement_run.c.id == self._run).values(digest=digest))
        made = RunMade(self._run, self._number, len(self._settled), self._omitted, self._bases)
        details = {
            "period": [self._order.first.isoformat(), self._order.end.isoformat()],
            "statement": self._order.statement,
            "settled": made.settled,
            "omitted": made.omitted,
            "bases": made.bases,
        }
        audit.record(self._connection, self._person, "settlement.run", f"settlement_run/{self._run}", details, self._at)
        return made

    def _input(self, number: int, entry: Settled, measured: Measured) -> tuple[Any, ...]:
        facts, tenure = entry.facts, entry.tenure
        document = spelled(tenure_document(facts, tenure))
        contents = [
            spelled(part)
            for part in (
                quantities_document(tenure.spans, entry.parts),
                profiles_document(entry, measured),
                readings_document(entry.parts),
                [_information(line) for line in entry.lines if line.is_information],
                [{"component": each.component, "text": each.text, "mark": each.mark} for each in entry.findings],
            )
        ]
        digest = digest_of_text(document)
        for part in (digest, *contents):
            self._contents.update(part.encode())
        book = tenure.last.book
        return (
            number,
            self._run,
            facts.supply_point,
            tenure.last.item.id,
            self._order.statement_type,
            _range(facts.instant(tenure.first), facts.instant(tenure.end)),
            False,
            f"{book.name} {book.version}",
            document,
            digest,
            *contents,
            "{}" if entry.part_of_month else None,
        )

    def _lines(self, number: int, entry: Settled) -> Iterator[tuple[Any, ...]]:
        facts, tenure = entry.facts, entry.tenure
        last = tenure.last
        for line in entry.lines:
            if line.is_information:
                continue
            mark = fingerprint(line, self._order.statement_type)
            self._contents.update(mark.encode())
            yield (
                self._run,
                number,
                facts.supply_point,
                last.item.id,
                last.item.contract,
                last.customer.id,
                last.payer.id,
                last.item.seller or last.version.operator.id,
                line.service,
                line.code,
                line.component,
                line.name,
                line.quantity,
                line.unit,
                line.unit_price,
                line.price_unit,
                line.amount,
                entry.vat_percent(line),
                _range(facts.instant(line.first), facts.instant(line.end)),
                self._order.statement_type,
                spelled(entry.measurements(line)),
                spelled({"text": line.why, **line.inputs}),
                "new",
                mark,
                self._order.reason,
                self._at,
                self._name,
            )


def fingerprint(line: Line, statement_type: int) -> str:
    """Digest of everything that a line says: the same one is the same basis."""
    said = [
        statement_type,
        line.code,
        line.first.isoformat(),
        line.end.isoformat(),
        *(str(number) for number in (line.quantity, line.unit_price, line.amount)),
        line.why,
    ]
    return digest_of_text(spelled(said))


def _next_number(connection: Connection, first: date) -> str:
    connection.execute(select(func.pg_advisory_xact_lock(_NUMBERING)))
    count = connection.execute(
        select(func.count())
        .select_from(settlement_run)
        .where(settlement_run.c.number.startswith(f"{first:%Y-%m}/", autoescape=True))
    ).scalar_one()
    return f"{first:%Y-%m}/{count + 1}"


def profiles_document(entry: Settled, measured: Measured) -> list[dict[str, Any]]:
    """The pinned versions of each interval channel that was used, day by day from the first."""
    days = measured.days.get(entry.facts.commodity)
    used = {
        source["channel"]: source["direction"]
        for part in entry.parts
        for sources in part.sources.values()
        for source in sources
        if source["kind"] == "profile"
    }
    if days is None:
        return []
    first, end = entry.tenure.first, entry.tenure.end
    return [
        {
            "channel": channel,
            "direction": direction,
            "first": first.isoformat(),
            "versions": days.versions(channel, first, end),
        }
        for channel, direction in sorted(used.items())
    ]


def _information(line: Line) -> dict[str, Any]:
    return {
        "rate": line.code,
        "component": line.component,
        "name": line.name,
        "quantity": str(line.quantity),
        "unit": line.unit,
        "unit_price": str(line.unit_price),
        "price_unit": line.price_unit,
        "source": line.inputs["price"]["source"],
        "mark": line.mark,
        "assumptions": line.inputs["assumptions"],
        "why": line.why,
    }


def _range(start: datetime, end: datetime) -> str:
    return f"[{start.isoformat()},{end.isoformat()})"
