"""CDSMASTERDATA and CDSGASMASTERDATA received (a supplier assigned, data changed): the difference against the registry
waits to be taken.

Taken, it is the registry's own act: a new version of the supply point from the day that the message names, with what
it touches weighed as for any other.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, RowMapping, select

from central.market.conversation.processes import Step, advance_process
from central.market.conversation.proposals import Deciding, Kind
from central.market.conversation.scenarios import SCENARIOS, SUPPLIER_CHANGE
from central.market.payloads.gas_master_data import GasMasterData, GasPointData
from central.market.payloads.master_data import MasterData, PointData
from central.market.received import Effect, Message, Proposal
from central.market.tables import market_process
from central.platform.change import sentence, weigh
from central.platform.errors import Refused
from central.platform.hooks import Change
from central.platform.plain import plain
from central.registry import points
from central.registry.acts import Ask, changed_fields, record
from central.registry.point_states import Act, State
from central.registry.tables import party, supply_point
from central.registry.versions import Version, read_versions, store_versions
from central.workflow.received import gas_points

KIND: Final = "point_change"


class Ending(NamedTuple):
    """The registry's act that a message asks for, and the state that it leads to."""

    act: Act
    reached: State


ENDS: Final = {"cancel": Ending(Act.END, State.ENDED), "suspend": Ending(Act.SUSPEND, State.SUSPENDED)}
"""By action of the message."""
_CATEGORIES: Final = {"MOO": "household", "MOP": "business", "VO": "business"}
_KWH: Final = Decimal(1000)
_ASSIGNABLE: Final = [state for state, acts in SCENARIOS[SUPPLIER_CHANGE].transitions.items() if "assign" in acts]
AnyPoint = PointData | GasPointData


def effects(connection: Connection, messages: Sequence[Message], _at: datetime) -> list[Effect]:
    """For each message a proposal for every point of ours about which it says something else than the registry."""
    codes = sorted({point.opm for message in messages for point in _points(message)})
    rows = connection.execute(
        select(supply_point, party.c.ean13.label("supplier_ean"))
        .outerjoin(party, party.c.id == supply_point.c.supplier)
        .where(supply_point.c.ean.in_(codes))
    ).mappings()
    known = {row["ean"]: row for row in rows}
    return [_effect(_points(message), known) for message in messages]


def _points(message: Message) -> Sequence[AnyPoint]:
    payload: MasterData | GasMasterData = message.read.payload
    return payload.points


def _effect(data: Sequence[AnyPoint], known: Mapping[str, RowMapping]) -> Effect:
    proposals, said = [], []
    for point in data:
        row = known.get(point.opm)
        if row is None:
            said.append(f"{point.opm} is not ours.")
            continue
        changes = difference(point, dict(row))
        proposed = {"action": point.action, "since": point.first_day.isoformat(), "changes": plain(changes)}
        if point.action in ENDS:
            if row["state"] == ENDS[point.action].reached:
                said.append(f"{point.opm} is {row['state']} already.")
                continue
            proposed |= {"until": _until(point), "changes": {}}
        elif not changes:
            said.append(f"{point.opm} is here as the message says.")
            continue
        why = f"{point.action} from {point.first_day}: {', '.join(sorted(proposed['changes']))}".rstrip(": ")
        proposals.append(Proposal(KIND, point.opm, proposed, why, row["id"]))
    why = " ".join([f"{len(proposals)} changes wait for a decision.", *said])
    return Effect("proposed" if proposals else "kept", why, proposals)


def difference(point: AnyPoint, row: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """By fact of the registry: as it is and as the message says; what the message leaves out is not a difference."""
    said = gas_points.told_of(point, row) if isinstance(point, GasPointData) else _told(point)
    told = {name: value for name, value in said.items() if value is not None}
    return {name: {"from": row[name], "to": value} for name, value in told.items() if row[name] != value}


def _told(point: PointData) -> dict[str, Any]:
    taken = point.consumption
    metering = point.metering
    suppliers = [each for each in point.parties if each.role == "supplier"]
    latest = max(suppliers, key=lambda each: each.first_day, default=None)
    planned = None if taken is None or taken.planned_annual_kwh is None else taken.planned_annual_kwh / _KWH
    return {
        "voltage_level": point.network.level if point.network else None,
        "metering_type": (metering.category or metering.kind) if metering else None,
        "category": _CATEGORIES.get(taken.category or "") if taken else None,
        "load_profile_class": taken.tdd_class if taken else None,
        "temperature_zone": taken.temperature_zone if taken else None,
        "planned_mwh": planned,
        "supplier_ean": latest.id if latest else None,
    }


def _until(point: AnyPoint) -> str | None:
    """The day (exclusive) on which a suspension ends, where the message says it."""
    if point.action != "suspend":
        return None
    last = point.last_day or max((each.last_day for each in point.suspensions if each.last_day), default=None)
    return None if last is None else (last + timedelta(days=1)).isoformat()


def _take(connection: Connection, row: RowMapping, deciding: Deciding) -> Mapping[str, Any]:
    """Revise, suspend or end the point as the message says; Refused where the registry does not allow it."""
    proposed = row["proposed"]
    since = date.fromisoformat(proposed["since"])
    if proposed["action"] in ENDS:
        return _advance(connection, row, deciding, since)
    changes = {name: each["to"] for name, each in proposed["changes"].items()}
    if "planned_mwh" in changes:
        changes["planned_mwh"] = Decimal(str(changes["planned_mwh"]))
    supplier = changes.pop("supplier_ean", None)
    if supplier is not None:
        changes["supplier"] = _party_code(connection, supplier)
    point = points.require_supply_point(connection, row["subject"], lock=True)
    before = read_versions(connection, points.VERSIONED, point["id"])
    after = points.revised_point(connection, point, changes, since)
    _store(connection, row, deciding, "revise", since, changed_fields(before, since, changes), after)
    if supplier is not None:
        _assign(connection, row, supplier, deciding)
    return {"supply_point": row["subject"], "since": proposed["since"], "changed": sorted(changes)}


def _advance(connection: Connection, row: RowMapping, deciding: Deciding, since: date) -> Mapping[str, Any]:
    """The end of a point, or its suspension and, where its end is known, that one, too."""
    proposed = row["proposed"]
    steps = [(ENDS[proposed["action"]].act, since)]
    if proposed.get("until"):
        steps.append((Act.RESUME, date.fromisoformat(proposed["until"])))
    for act, on in steps:
        point = points.require_supply_point(connection, row["subject"], lock=True)
        after = points.advanced(connection, point, act, on)
        _store(connection, row, deciding, str(act), on, frozenset({"state"}), after)
    return {"supply_point": row["subject"], "since": proposed["since"], "acts": [str(act) for act, _ in steps]}


def _store(
    connection: Connection, row: RowMapping, deciding: Deciding, act: str, since: date, fields: frozenset[str],
    after: Sequence[Version],
) -> None:  # fmt: skip
    """Weigh the act, write the point's versions and record it, by the proposal's message."""
    number, ean = row["supply_point"], row["subject"]
    before = read_versions(connection, points.VERSIONED, number)
    change = Change("supply_point", number, ean, act, since, None, fields, (number,))
    touched = weigh(connection, change, confirmed=deciding.confirmed)
    store_versions(connection, points.VERSIONED, number, after)
    why = f"{deciding.why} (message {row['message_id']} of {row['sender']})"
    ask = Ask(deciding.person, deciding.clock, None, why)
    record(
        connection,
        change,
        ask,
        {"versions": plain([each.facts for each in before])},
        {"versions": plain([each.facts for each in after])},
        [sentence(each) for each in touched],
    )


def _assign(connection: Connection, row: RowMapping, supplier: str, deciding: Deciding) -> None:
    """A change of supplier that this assignment ends is over."""
    table = market_process
    found = connection.execute(
        select(table.c.id)
        .where(
            table.c.scenario == SUPPLIER_CHANGE,
            table.c.subject == row["subject"],
            table.c.state.in_(_ASSIGNABLE),
            table.c.data["new_supplier"].astext == supplier,
        )
        .order_by(table.c.id)
    ).scalars()
    step = Step(f"{supplier} is the supplier by the message {row['message_id']}", inbox=row["inbox"])
    for number in list(found):
        advance_process(connection, number, "assign", deciding.clock.now(), deciding.person.name, step)


def _party_code(connection: Connection, ean: str) -> str:
    code = connection.execute(select(party.c.code).where(party.c.ean13 == ean)).scalar_one_or_none()
    if code is None:
        raise Refused("unknown_supplier", f"No party has the EAN {ean}: create the supplier first, then take this.")
    return str(code)


PROPOSAL: Final = Kind(take=_take, right="operate")
