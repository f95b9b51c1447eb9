"""Reports in the database: made, filled, overridden, closed, reopened, sent, discarded; found and shown."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, delete, insert, select, text, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.dialects.postgresql import insert as insert_or_not

from central.market.errors import OutboundError
from central.platform import audit
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.identity import Person
from central.platform.plain import plain
from central.registry.areas import require_area
from central.registry.parties import find_party
from central.registry.party_tables import network_area, party
from central.workflow.reports import cells as cell_rules
from central.workflow.reports import message
from central.workflow.reports.cells import Cell, Difference, Key, Override
from central.workflow.reports.definition import Shipped, require_newest, require_version
from central.workflow.reports.scope import Scope, period_of, period_text
from central.workflow.reports.sources import SOURCES
from central.workflow.reports.states import Act, State, advance
from central.workflow.reports.tables import report, report_cell
from shared.metering_day import PRAGUE

SHOWN: Final = (
    report,
    party.c.code.label("operator_code"),
    party.c.ean13.label("operator_ean"),
    network_area.c.code.label("area_code"),
)
JOINED: Final = report.join(party, party.c.id == report.c.operator).outerjoin(
    network_area, network_area.c.id == report.c.area
)


@dataclass(frozen=True, slots=True)
class Report:
    """A report as stored, with its definition and its cells."""

    row: RowMapping
    shipped: Shipped
    cells: Mapping[Key, Cell]

    @property
    def number(self) -> int:
        return int(self.row["id"])

    @property
    def period(self) -> str:
        return period_text(self.row["period"].lower, self.row["period"].upper)

    @property
    def name(self) -> str:
        """What sentences call it."""
        network = self.row["area_code"] or self.row["operator_code"]
        return f"The report {self.number} ({self.row['definition']} of {network} for {self.period})"


def make(
    connection: Connection, definition: str, operator: str, area: str | None, period: str, person: Person, at: datetime
) -> Report:
    """A new report of a network (`operator` and `area` by their codes) in a period that is over, its cells empty.

    Refused where the period is not over, or a report of the same stands already.
    """
    shipped = require_newest(definition)
    first, end = period_of(period, shipped.definition.period)
    licensee, area_id = _network(connection, operator, area)
    if first < shipped.definition.first_period:
        raise BadInput(
            "period",
            f"The report {definition} is made for periods from "
            f"{period_text(shipped.definition.first_period, end)[:7]} on, not for {period}.",
        )
    if at.astimezone(PRAGUE).date() < end:
        raise Refused("period_not_over", f"The period {period} is not over: a report is made from {end} on.")
    values = {
        "definition": definition,
        "definition_version": shipped.definition.version,
        "definition_digest": shipped.digest,
        "operator": licensee["id"],
        "area": area_id,
        "period": Range(first, end),
        "version": 1,
        "state": State.MADE,
        "made_at": at,
        "made_by": person.name,
    }
    number = connection.execute(
        insert_or_not(report).values(values).on_conflict_do_nothing().returning(report.c.id)
    ).scalar_one_or_none()
    if number is None:
        raise Refused(
            "report_exists",
            f"There is a report {definition} of {area or operator} for {period} already: fill it again, or reopen it.",
        )
    _write(connection, number, cell_rules.empty(shipped))
    details = {"definition": definition, "operator": operator, "area": area, "period": period}
    audit.record(connection, person, "report.make", f"report/{number}", details, at)
    return require(connection, number)


def fill(connection: Connection, number: int, person: Person, at: datetime) -> tuple[Report, list[Difference]]:
    """Find the values anew; overrides stay. With what is filled otherwise than before."""
    held = require(connection, number, lock=True)
    state = advance(number, held.row["state"], Act.FILL)
    period = held.row["period"]
    scope = Scope(held.row["operator"], held.row["area"], period.lower, period.upper)
    definition = held.shipped.definition
    found = SOURCES[definition.fills](connection, scope, definition.settings)
    filled = cell_rules.fill(held.shipped, held.cells, found)
    changed = cell_rules.differences(held.cells, filled) if held.row["filled_at"] is not None else []
    _write(connection, number, filled)
    _move(connection, number, state, filled_at=at, filled_by=person.name)
    details = {"differences": [plain(asdict(each)) for each in changed]}
    audit.record(connection, person, "report.fill", f"report/{number}", details, at)
    return require(connection, number), changed


def override(
    connection: Connection, number: int, key: Key, value: Decimal | None, why: str, person: Person, at: datetime
) -> Report:
    """Say another value of a cell (None: it is not known) and why; sums follow."""
    held = require(connection, number, lock=True)
    advance(number, held.row["state"], Act.OVERRIDE)
    form = cell_rules.require_form(held.shipped, *key)
    cell_rules.check_value(form, value)
    return _overridden(connection, held, key, Override(value, person.name, at, why), why, person, at)


def cancel_override(connection: Connection, number: int, key: Key, why: str, person: Person, at: datetime) -> Report:
    """Let a cell say again what was filled; Refused where nothing was typed in."""
    held = require(connection, number, lock=True)
    advance(number, held.row["state"], Act.OVERRIDE)
    cell_rules.require_form(held.shipped, *key)
    if held.cells[key].override is None:
        raise Refused("not_overridden", f"{held.name} has nothing typed in for row {key[0]}, column {key[1]}.")
    return _overridden(connection, held, key, None, why, person, at)


def close(connection: Connection, number: int, person: Person, at: datetime) -> Report:
    """Nothing of it changes any more; Refused while required cells are empty, or its message would not be right."""
    held = require(connection, number, lock=True)
    state = advance(number, held.row["state"], Act.CLOSE)
    if empty := cell_rules.lacking(held.shipped, held.cells):
        named = ", ".join(f"row {row}, column {column}" for row, column in empty[:20])
        raise Refused(
            "cells_empty",
            f"{held.name} has {len(empty)} cells without a value: {named}. Type them in, or say that they are not "
            f"known, or fill it again.",
        )
    code = held.shipped.definition.message
    if code is not None:
        try:
            message.write(held.shipped, held.row, held.cells, code, at)
        except OutboundError as error:
            raise Refused("report_wrong", f"{held.name} cannot be told. {error.message}") from error
    _move(connection, number, state, closed_at=at, closed_by=person.name)
    values = {f"{row} {column}": cell.value for (row, column), cell in held.cells.items()}
    audit.record(connection, person, "report.close", f"report/{number}", at=at, after=values)
    return require(connection, number)


def reopen(connection: Connection, number: int, why: str, person: Person, at: datetime) -> Report:
    """A new version with the same cells takes the place of a closed report."""
    held = require(connection, number, lock=True)
    _move(connection, number, advance(number, held.row["state"], Act.REOPEN))
    copied = ("definition", "definition_version", "definition_digest", "operator", "area", "period")
    values = {
        **{name: held.row[name] for name in copied},
        "version": held.row["version"] + 1,
        "replaces": number,
        "state": State.FILLED,
        "made_at": at,
        "made_by": person.name,
        "filled_at": held.row["filled_at"],
        "filled_by": held.row["filled_by"],
    }
    new = connection.execute(insert(report).values(values).returning(report.c.id)).scalar_one()
    _write(connection, new, held.cells)
    details = {"replaced_by": new}
    audit.record(connection, person, "report.reopen", f"report/{number}", details, at, why=why)
    return require(connection, new)


def send(connection: Connection, number: int, why: str, person: Person, at: datetime) -> Report:
    """Say that a closed report was handed in as a file; Refused of one that a message tells."""
    held = require(connection, number, lock=True)
    state = advance(number, held.row["state"], Act.SEND)
    if held.shipped.definition.message is not None:
        raise Refused(
            "report_by_message",
            f"{held.name} is told by the message {held.shipped.definition.message}: it is sent when that is.",
        )
    _move(connection, number, state, sent_at=at, sent_by=person.name)
    audit.record(connection, person, "report.send", f"report/{number}", at=at, why=why)
    return require(connection, number)


def discard(connection: Connection, number: int, why: str, person: Person, at: datetime) -> Report:
    """Take away a report that was made by mistake and never closed; one that corrects another cannot be."""
    held = require(connection, number, lock=True)
    state = advance(number, held.row["state"], Act.DISCARD)
    if held.row["replaces"] is not None:
        raise Refused(
            "report_corrects",
            f"{held.name} takes the place of the report {held.row['replaces']}, which was closed: close it instead.",
        )
    _move(connection, number, state)
    audit.record(connection, person, "report.discard", f"report/{number}", at=at, why=why)
    return require(connection, number)


def require(connection: Connection, number: int, *, lock: bool = False) -> Report:
    """A report by its number, or NotFound; with `lock` nobody else changes it in this transaction."""
    query = select(*SHOWN).select_from(JOINED).where(report.c.id == number)
    row = connection.execute(query.with_for_update(of=report) if lock else query).mappings().first()
    if row is None:
        raise _not_found(number)
    shipped = require_version(row["definition"], row["definition_version"])
    if shipped.digest != row["definition_digest"]:
        raise Refused(
            "definition_changed",
            f"The report {number} was made by another definition {row['definition']} {row['definition_version']} than "
            f"the one that is here: restore that file.",
        )
    cells = cell_rules.empty(shipped)
    stored = connection.execute(select(report_cell).where(report_cell.c.report == number)).mappings()
    cells.update({(each["row"], each["column"]): _cell(each) for each in stored})
    return Report(row, shipped, cells)


_VERSIONS: Final = text("""
    -- a report and those whose place it took
    WITH RECURSIVE version AS (
        SELECT id, replaces FROM report WHERE id = :number
        UNION ALL
        SELECT r.id, r.replaces FROM report r JOIN version v ON r.id = v.replaces)
    SELECT id FROM version ORDER BY id DESC
""")


def versions_of(connection: Connection, number: int) -> list[int]:
    """The report and those that it replaced, the newest first; NotFound."""
    found = list(connection.execute(_VERSIONS, {"number": number}).scalars())
    if not found:
        raise _not_found(number)
    return found


def _overridden(
    connection: Connection, held: Report, key: Key, override_: Override | None, why: str, person: Person, at: datetime
) -> Report:
    before = held.cells[key]
    changed = {**held.cells, key: replace(before, override=override_)}
    _write(connection, held.number, cell_rules.summed(held.shipped, changed))
    act = "report.cancel_override" if override_ is None else "report.override"
    audit.record(
        connection, person, act, f"report/{held.number}", {"row": key[0], "column": key[1]}, at,
        before={"value": before.value}, after={"value": changed[key].value}, why=why,
    )  # fmt: skip
    return require(connection, held.number)


def _network(connection: Connection, operator: str, area: str | None) -> tuple[RowMapping, int | None]:
    licensee = find_party(connection, operator)
    if licensee is None or "operator" not in licensee["roles"]:
        raise NotFound("operator_not_found", f"There is no operator {operator[:100]!r}; give the code of its party.")
    if area is None:
        return licensee, None
    network = require_area(connection, area)
    if network["licensee"] != licensee["id"] or network["commodity"] != "electricity":
        raise BadInput("area", f"The network {area} is no electricity network of {operator}.")
    return licensee, network["id"]


def _move(connection: Connection, number: int, state: State, **columns: Any) -> None:
    connection.execute(update(report).where(report.c.id == number).values(state=state, **columns))


def _write(connection: Connection, number: int, cells: Mapping[Key, Cell]) -> None:
    connection.execute(delete(report_cell).where(report_cell.c.report == number))
    connection.execute(
        insert(report_cell),
        [
            {
                "report": number,
                "row": row,
                "column": column,
                "filled": cell.filled,
                "source": cell.text,
                "details": dict(cell.details),
                "overridden": cell.override.value if cell.override else None,
                "overridden_at": cell.override.at if cell.override else None,
                "overridden_by": cell.override.by if cell.override else None,
                "overridden_why": cell.override.why if cell.override else None,
            }
            for (row, column), cell in cells.items()
        ],
    )


def _cell(row: RowMapping) -> Cell:
    said = None
    if row["overridden_at"] is not None:
        said = Override(row["overridden"], row["overridden_by"], row["overridden_at"], row["overridden_why"])
    return Cell(row["filled"], row["source"], row["details"], said)


def _not_found(number: int) -> NotFound:
    return NotFound("report_not_found", f"There is no report {number}.")
