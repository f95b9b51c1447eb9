"""Settlement runs in the database: write a run whole, look at it, approve it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError

from central.platform import audit
from central.platform.errors import NotFound, Refused
from central.platform.identity import Person
from central.settlement.billed_states import lock_billed_states
from central.settlement.facts import digest_of
from central.settlement.late import close_pinned_days
from central.settlement.settle import Measured, Omitted, Settled, quantities_document
from central.settlement.tables import billing_basis, settlement_input, settlement_omission, settlement_run
from shared.metering_day import next_month

REGULAR = 0
"""Statement type of a regular statement (běžné vyúčtování)."""

_NUMBERING = 5_005_002
"""Advisory lock of the numbering of runs."""


@dataclass(frozen=True, slots=True)
class RunMade:
    """A written run: how many points it settled and left out, and how many billing bases it holds."""

    id: int
    number: str
    settled: int
    omitted: int
    bases: int


def write_run(
    connection: Connection,
    month: date,
    packages: Sequence[Mapping[str, Any]],
    vat_percent: Mapping[str, Decimal],
    settled: Sequence[Settled],
    omitted: Sequence[Omitted],
    measured: Measured,
    person: Person | str,
    at: datetime,
) -> RunMade:
    """Write a draft run with its inputs, bases and omissions, all in the caller's transaction.

    `packages` describes the packages used; `vat_percent` gives the VAT of each by name. A component whose legal price
    is 0 gives no basis; it is kept with the input as information.
    """
    number = _next_number(connection, month)
    inputs = [_input(entry, measured) for entry in settled]
    digest = digest_of(
        {
            "month": month.isoformat(),
            "packages": list(packages),
            "inputs": [[row["digest"], row["profiles"], row["readings"], row["quantities"]] for row in inputs],
        }
    )
    run = connection.execute(
        insert(settlement_run)
        .values(
            number=number,
            period=Range(month, next_month(month.year, month.month)),
            statement="regular",
            scope={},
            state="draft",
            packages=list(packages),
            digest=digest,
            made_at=at,
            made_by=_name(person),
        )
        .returning(settlement_run.c.id)
    ).scalar_one()
    ids = _insert_inputs(connection, run, inputs)
    bases = [
        {**row, "input": ids[entry.facts.contract_item], "made_at": at, "made_by": _name(person)}
        for entry in settled
        for row in _bases(entry, run, vat_percent[entry.book.name])
    ]
    if bases:
        connection.execute(insert(billing_basis), bases)
    if omitted:
        connection.execute(
            insert(settlement_omission),
            [
                {
                    "run": run,
                    "supply_point": entry.facts.supply_point,
                    "component": entry.component,
                    "day": entry.day,
                    "reason": entry.reason,
                }
                for entry in omitted
            ],
        )
    made = RunMade(id=run, number=number, settled=len(settled), omitted=len(omitted), bases=len(bases))
    details = {"month": month.isoformat(), "settled": made.settled, "omitted": made.omitted, "bases": made.bases}
    audit.record(connection, person, "settlement.run", f"settlement_run/{run}", details, at)
    return made


def _insert_inputs(connection: Connection, run: int, inputs: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """Store the inputs of a run; the id of each by its contract item."""
    if not inputs:
        return {}
    connection.execute(insert(settlement_input), [{"run": run, **row} for row in inputs])
    stored = select(settlement_input.c.contract_item, settlement_input.c.id).where(settlement_input.c.run == run)
    return {row.contract_item: row.id for row in connection.execute(stored)}


def require_run(connection: Connection, run: int, *, lock: bool = False) -> Row[Any]:
    """The run's row, or NotFound; `lock` holds it until the transaction ends."""
    statement = select(settlement_run).where(settlement_run.c.id == run)
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
    if row is None:
        raise NotFound("run_not_found", f"There is no settlement run {run}; see GET /v1/settlement/runs.")
    return row


def approve_run(connection: Connection, run: int, person: Person | str, at: datetime) -> int:
    """Approve a draft: its inputs are pinned and its bases may be invoiced. Returns the number of bases.

    Raises Refused where the run is approved already, has nothing settled, or where another approved run holds one of
    its points for the same time.
    """
    row = require_run(connection, run, lock=True)
    if row.state != "draft":
        raise Refused(
            "run_not_draft", f"Run {row.number} was approved by {row.approved_by} at {row.approved_at.isoformat()}."
        )
    _refuse_settled_already(connection, run, row.number)
    try:
        pinned = connection.execute(
            update(settlement_input).where(settlement_input.c.run == run).values(approved=True)
        ).rowcount
    except IntegrityError as error:
        raise Refused(
            "point_settled_already",
            f"Run {row.number} cannot be approved: another run with some of its points was approved just now. "
            "Make a new run; it takes only the points that remain.",
        ) from error
    if not pinned:
        raise Refused("run_empty", f"Run {row.number} settled no supply point; there is nothing to approve.")
    close_pinned_days(connection, run, row.period.lower, row.period.upper, at)
    connection.execute(
        update(settlement_run)
        .where(settlement_run.c.id == run)
        .values(state="approved", approved_at=at, approved_by=_name(person))
    )
    bases = connection.execute(
        update(billing_basis).where(billing_basis.c.run == run, billing_basis.c.state == "new").values(state="approved")
    ).rowcount
    lock_billed_states(connection, run, row.number, at)
    audit.record(connection, person, "settlement.approve", f"settlement_run/{run}", {"bases": bases}, at)
    return int(bases)


def _refuse_settled_already(connection: Connection, run: int, number: str) -> None:
    taken = connection.execute(
        text("""
            SELECT sp.ean, other.number
              FROM settlement_input mine
              JOIN settlement_input theirs
                ON theirs.contract_item = mine.contract_item AND theirs.statement_type = mine.statement_type
               AND theirs.valid && mine.valid AND theirs.approved AND theirs.run <> mine.run
              JOIN settlement_run other ON other.id = theirs.run
              JOIN supply_point sp ON sp.id = mine.supply_point
             WHERE mine.run = :run
             ORDER BY sp.ean LIMIT 5
        """),
        {"run": run},
    ).all()
    if taken:
        named = ", ".join(f"{row.ean} (run {row.number})" for row in taken)
        raise Refused(
            "point_settled_already",
            f"Run {number} cannot be approved: these points are settled for the month in an approved run: {named}. "
            "Make a new run; it takes only the points that remain.",
        )


def _next_number(connection: Connection, month: date) -> str:
    connection.execute(select(func.pg_advisory_xact_lock(_NUMBERING)))
    count = connection.execute(
        select(func.count())
        .select_from(settlement_run)
        .where(settlement_run.c.number.startswith(f"{month:%Y-%m}/", autoescape=True))
    ).scalar_one()
    return f"{month:%Y-%m}/{count + 1}"


def _input(entry: Settled, measured: Measured) -> dict[str, Any]:
    facts = entry.facts
    return {
        "supply_point": facts.supply_point,
        "contract_item": facts.contract_item,
        "statement_type": REGULAR,
        "valid": Range(facts.start, facts.end),
        "approved": False,
        "package": f"{entry.book.name} {entry.book.version}",
        "facts": dict(facts.document),
        "digest": facts.digest,
        "quantities": quantities_document(entry.month),
        "profiles": _profiles(entry, measured),
        "readings": [
            source
            for name, sources in sorted(entry.month.sources.items())
            if name.startswith("energy_")
            for source in sources
            if source["kind"] == "state" and not (name == "energy_mwh" and "energy_vt_mwh" in entry.month.sources)
        ],
        "information": [
            {
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
            for line in entry.priced.lines
            if line.is_information
        ],
        "findings": [
            {"component": finding.component, "text": finding.text, "mark": finding.mark}
            for finding in entry.priced.findings
        ],
    }


def _profiles(entry: Settled, measured: Measured) -> list[dict[str, Any]]:
    """The pinned versions of each interval channel that was used, day by day from the first."""
    month = measured.profiles.get(entry.facts.commodity)
    used = {
        source["channel"]: source["direction"]
        for sources in entry.month.sources.values()
        for source in sources
        if source["kind"] == "profile"
    }
    if month is None or not used:
        return []
    rows = {channel: row for row, channel in enumerate(month.channels) if channel in used}
    return [
        {
            "channel": channel,
            "direction": direction,
            "first": month.days[0].date.isoformat(),
            "versions": month.versions[rows[channel]].tolist(),
        }
        for channel, direction in sorted(used.items())
    ]


def _bases(entry: Settled, run: int, vat_percent: Decimal) -> list[dict[str, Any]]:
    facts = entry.facts
    contract = facts.document["contract"]
    return [
        {
            "run": run,
            "supply_point": facts.supply_point,
            "contract_item": facts.contract_item,
            "contract": contract["id"],
            "customer": contract["customer"]["id"],
            "payer": contract["payer"]["id"],
            "seller": facts.document["supply_point"]["operator"]["id"],
            "service": "distribution",
            "rate": line.code,
            "component": line.component,
            "name": line.name,
            "quantity": line.quantity,
            "unit": line.unit,
            "unit_price": line.unit_price,
            "price_unit": line.price_unit,
            "amount": line.amount,
            "vat_percent": vat_percent,
            "valid": Range(facts.start, facts.end),
            "statement_type": REGULAR,
            "measurements": entry.measurements(line),
            "why": {"text": line.why, **line.inputs},
            "fingerprint": digest_of([line.code, str(line.quantity), str(line.unit_price), str(line.amount), line.why]),
            "state": "new",
        }
        for line in entry.priced.lines
        if not line.is_information
    ]


def _name(person: Person | str) -> str:
    return person.name if isinstance(person, Person) else person
