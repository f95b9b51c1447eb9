"""Mounting, removal and exchange (výměna) of a meter: one act, in the caller's transaction.

What hangs where, what answers where, what feeds which channel, states, seals, documents, the protocol, the days that
are to be made again, and the concentrators' configurations change together or not at all.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping, insert, select, text

from central.documents import files
from central.network import generated, lines, mountings, seals
from central.network.continuation import Feed, begin_mappings, end_mappings
from central.network.meter_keys import KeyStore
from central.network.meter_templates import registers_of, require_template
from central.network.meters import require_meter
from central.network.points import require_point
from central.network.transformers import ratio_at
from central.platform import audit
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.hooks import HOOKS, Change, Touched
from central.platform.identity import Person
from central.platform.plain import plain
from central.readings.open_days import reconsolidate
from central.readings.registers.entering import Entry, enter_state
from central.workflow.meter_protocol import protocol
from central.workflow.ordered_acts import finish_by_act, require_order_for
from central.workflow.tables import meter_act, meter_act_document
from shared.metering_day import PRAGUE, day_of
from shared.quantities import Commodity

AHEAD = timedelta(minutes=15)
"""An act is recorded when it was done: so far ahead may clocks differ."""
Role = Literal["photo", "protocol", "other"]


@dataclass(frozen=True, slots=True)
class State:
    """What a register showed, in its last digit; `rollover` confirms that it passed its highest state."""

    register: str
    value: int
    rollover: bool = False


@dataclass(frozen=True, slots=True)
class Removed:
    """A meter that is taken down, with its final states and the numbers of the seals that are taken off."""

    meter: str
    states: Sequence[State] = ()
    seals: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Attachment:
    """Where the mounted meter answers; none: it is read by hand."""

    concentrator: str
    bus: str
    address: dict[str, Any]
    channel: int = 0
    overrides: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Mounted:
    """A meter that is hung, with its initial states and new seals (number, kind)."""

    meter: str
    template: str
    states: Sequence[State] = ()
    seals: Sequence[tuple[str, str]] = ()
    attachment: Attachment | None = None
    directions: Sequence[str] | None = None
    """What is settled from now on; not given: what was (central/network/continuation.py)."""
    supply_point: str | None = None
    """EAN or EIC for channels that are created; not given: that of the point's channels."""


def change_meter(
    connection: Connection,
    store: KeyStore,
    point: str,
    at: datetime,
    *,
    removed: Removed | None,
    mounted: Mounted | None,
    reason: str,
    documents: Sequence[tuple[int, Role]],
    person: Person,
    now: datetime,
    work_order: str | None = None,
) -> RowMapping:
    """Take a meter down, hang one, or both at once; gives the act as it is kept. `work_order` ends with it.

    Refused, naming both sides: a second meter where one is allowed, a meter that hangs elsewhere or not here, a removal
    of what is billed, an act before a billed or read state, an address in use, a channel that could not go on, an
    order for something else.
    """
    if at > now + AHEAD:
        raise BadInput("at", f"The act at {point} is to be at {at.isoformat()}, ahead of now, {now.isoformat()}.")
    place = require_point(connection, point, lock=True)
    kind = "mounting" if removed is None else "removal" if mounted is None else "exchange"
    meters = [part.meter for part in (removed, mounted) if part is not None]
    order = None if work_order is None else require_order_for(connection, work_order, kind, place, meters)
    touched: set[str | None] = set()
    facts: dict[str, Any] = {"ratio": ratio_at(connection, point, at)}
    before: list[Feed] = []
    if removed is not None:
        mountings.dismount(connection, removed.meter, point, at)
        _require_removable(connection, removed, point, at, exchanged=mounted is not None)
        touched.add(lines.detach(connection, removed.meter, at))
        before = end_mappings(connection, removed.meter, point, at)
        _require_states(removed.meter, removed.states, [each for each in before if each.kind == "state"])
        facts["removed"] = _left(connection, removed, before, kind, at, person, now)
        for number in removed.seals:
            seals.take_off(connection, number, point, person, at)
    after: list[Feed] = []
    if mounted is not None:
        after = _hang(connection, mounted, place, before, facts, at, person, now)
        if mounted.attachment is not None:
            touched.add(mounted.attachment.concentrator)
    _make_days_again(connection, place["commodity"], before + after, at, now)
    act = _keep(connection, kind, place, at, removed, mounted, facts, reason, documents, order, person, now)
    generated.regenerate(connection, store, touched, reason, person, now)
    audit.record(
        connection,
        person,
        f"meter.{act['kind']}",
        f"measuring_point/{point}",
        {"act": act["id"], **facts},
        now,
        before={"feeds": [asdict(each) for each in before]},
        after={"feeds": [asdict(each) for each in after]},
        why=reason,
    )
    return act


def touched_from(connection: Connection, point: str, at: datetime) -> tuple[list[Touched], list[str]]:
    """What a change of a point's meter would touch (profiles, bases, invoices), and why it must not be."""
    require_point(connection, point)
    change = change_at(connection, point, "mounting", "end", at)
    return HOOKS.affected_by(connection, change), HOOKS.refuses(connection, change)


def change_at(connection: Connection, point: str, kind: str, act: str, at: datetime) -> Change:
    """A change at a measuring point from the day of `at` on, for the rooms to judge."""
    supplied = connection.execute(_OF_POINT, {"point": point}).scalars().all()
    return Change(kind, point, f"at {point}", act, at.astimezone(PRAGUE).date(), supply_points=tuple(supplied))


def find_documents(connection: Connection, act: int) -> Sequence[RowMapping]:
    """Documents of an act: `document`, `role`."""
    table = meter_act_document.c
    query = select(table.document, table.role).where(table.meter_act == act).order_by(table.document)
    return connection.execute(query).mappings().all()


def require_act(connection: Connection, identifier: int) -> RowMapping:
    """An act by id, or NotFound."""
    found = connection.execute(_ACT, {"id": identifier}).mappings().first()
    if found is None:
        raise NotFound("meter_act_not_found", f"There is no act {identifier} on a meter.")
    return found


def _require_removable(connection: Connection, removed: Removed, point: str, at: datetime, *, exchanged: bool) -> None:
    day = at.astimezone(PRAGUE).date()
    for row in connection.execute(_LATER_STATE, {"meter": removed.meter, "at": at}):
        raise Refused(
            "later_state",
            f"The state {row.value} of {row.meter} {row.register} is entered for {row.at.isoformat()}"
            f"{' and billed by run ' + row.locked_by if row.locked_by else ''}; the meter cannot be taken down at "
            f"{at.isoformat()}, before that.",
        )
    supplied = connection.execute(_SUPPLY_POINTS, {"meter": removed.meter, "point": point}).scalars().all()
    name = f"of {removed.meter} at {point}"
    change = Change("mounting", removed.meter, name, "end", day, supply_points=tuple(supplied))
    HOOKS.require_allowed(connection, change)
    if exchanged:
        return
    for row in connection.execute(_BILLED, {"points": list(supplied), "day": day, "meter": removed.meter, "at": at}):
        raise Refused(
            "still_billed",
            f"The meter {removed.meter} measures the supply point {row.ean}, which the contract {row.number} bills "
            f"{'without end' if row.until is None else f'until {row.until}'}; it cannot be removed on {day}. End the "
            "item of the contract first, or exchange the meter.",
        )


def _require_states(meter: str, states: Sequence[State], needed: Sequence[Feed]) -> None:
    given = {each.register for each in states}
    if len(given) < len(states):
        raise BadInput("states", f"The states of {meter} name a register twice; give each once.")
    missing = sorted({each.register for each in needed} - given)
    if missing:
        raise BadInput(
            "states", f"The meter {meter} needs a state of the register {missing[0]}, which is settled; give it."
        )


def _left(
    connection: Connection,
    removed: Removed,
    feeds: Sequence[Feed],
    kind: str,
    at: datetime,
    person: Person,
    now: datetime,
) -> dict[str, Any]:
    for each in removed.states:
        entry = Entry(removed.meter, each.register, kind, at, each.value, rollover=each.rollover)
        enter_state(connection, entry, person, now)
    return {
        "meter": removed.meter,
        "states": [asdict(each) for each in removed.states],
        "seals": list(removed.seals),
        "fed": [asdict(each) for each in feeds],
    }


def _hang(
    connection: Connection,
    mounted: Mounted,
    place: RowMapping,
    before: Sequence[Feed],
    facts: dict[str, Any],
    at: datetime,
    person: Person,
    now: datetime,
) -> list[Feed]:
    point = place["name"]
    template = require_template(connection, mounted.template)
    registers = registers_of(mounted.template, template)
    if template.commodity != place["commodity"]:
        raise Refused(
            "template_commodity",
            f"The template {mounted.template} is of {template.commodity}; {point} is of {place['commodity']}.",
        )
    mountings.mount(connection, mounted.meter, point, at)
    if mounted.attachment is not None:
        spec = {**asdict(mounted.attachment), "meter": mounted.meter, "template": mounted.template, "since": at}
        lines.attach(connection, spec)
    after = begin_mappings(
        connection,
        meter=mounted.meter,
        commodity=place["commodity"],
        template=mounted.template,
        registers=registers,
        point=point,
        supply_point=mounted.supply_point or _supply_point(connection, point),
        directions=mounted.directions,
        before=before,
        ratio=facts["ratio"],
        at=at,
    )
    _require_states(mounted.meter, mounted.states, [each for each in after if each.kind == "state"])
    for each in mounted.states:
        enter_state(connection, Entry(mounted.meter, each.register, "initial", at, each.value), person, now)
    for number, kind in mounted.seals:
        seals.put_on(connection, number, kind, point, mounted.meter, person, at)
    facts["mounted"] = {
        "meter": mounted.meter,
        "template": mounted.template,
        "states": [asdict(each) for each in mounted.states],
        "seals": [number for number, _ in mounted.seals],
        "attachment": asdict(mounted.attachment) if mounted.attachment else None,
        "feeds": [asdict(each) for each in after],
    }
    return after


def _make_days_again(
    connection: Connection, commodity: str, feeds: Sequence[Feed], at: datetime, now: datetime
) -> None:
    """Days from the act on that are over: what was made of them stands on mappings that have changed."""
    channels = sorted({each.channel for each in feeds if each.kind == "interval"})
    first = day_of(Commodity(commodity), at).date
    number = (now.astimezone(PRAGUE).date() - first).days
    days = [first + timedelta(days=n) for n in range(number + 1)]
    pairs = [(each, day) for each in channels for day in days]
    if pairs:
        reconsolidate(connection, [each for each, _ in pairs], [day for _, day in pairs], now)


def _keep(
    connection: Connection,
    kind: str,
    place: RowMapping,
    at: datetime,
    removed: Removed | None,
    mounted: Mounted | None,
    facts: dict[str, Any],
    reason: str,
    documents: Sequence[tuple[int, Role]],
    order: RowMapping | None,
    person: Person,
    now: datetime,
) -> RowMapping:
    identifier = connection.execute(
        insert(meter_act)
        .values(
            kind=kind,
            measuring_point=place["id"],
            at=at,
            removed=removed.meter if removed else None,
            mounted=mounted.meter if mounted else None,
            facts=plain(facts),
            reason=reason,
            made_at=now,
            made_by=person.name,
            work_order=order["id"] if order else None,
        )
        .returning(meter_act.c.id)
    ).scalar_one()
    act = require_act(connection, identifier)
    kept = [*documents, (_protocol(connection, act, place, person, now), "protocol")]
    if len({document for document, _ in kept}) < len(kept):
        raise BadInput("documents", f"A document is named twice in the act at {place['name']}; name it once.")
    for document, role in kept:
        files.require(connection, document)
        connection.execute(insert(meter_act_document).values(meter_act=identifier, document=document, role=role))
    if order is not None:
        finish_by_act(connection, order, act, kept, person, now)
    return act


def _protocol(connection: Connection, act: RowMapping, place: RowMapping, person: Person, now: datetime) -> int:
    meters = {
        name: dict(require_meter(connection, act[name])) for name in ("removed", "mounted") if act[name] is not None
    }
    octets = protocol(dict(act), dict(place), meters)
    return files.store(connection, f"protokol-{act['id']}.pdf", "application/pdf", octets, person, now)


def _supply_point(connection: Connection, point: str) -> str | None:
    found: str | None = connection.execute(_EAN, {"point": point}).scalar()
    return found


_ACT = text("""
    SELECT a.id, a.kind, p.name AS measuring_point, a.at, a.removed, a.mounted, a.facts, a.reason, a.made_at, a.made_by,
           o.number AS work_order
    FROM meter_act a JOIN measuring_point p ON p.id = a.measuring_point LEFT JOIN work_order o ON o.id = a.work_order
    WHERE a.id = :id
""")

_LATER_STATE = text("""
    SELECT e.device AS meter, e.register, s.value, s.at, s.locked_by
    FROM meter_state s JOIN evidence_channel e ON e.id = s.evidence_channel
    WHERE e.device = :meter AND s.at > :at AND s.revoked_at IS NULL
    ORDER BY s.locked_by NULLS LAST, s.at DESC LIMIT 1
""")

_SUPPLY_POINTS = text("""
    SELECT DISTINCT c.supply_point FROM channel c
    JOIN channel_mapping m ON m.channel = c.id JOIN evidence_channel e ON e.id = m.evidence_channel
    WHERE c.point = :point AND e.device = :meter AND c.supply_point IS NOT NULL ORDER BY 1
""")

_OF_POINT = text("""
    SELECT DISTINCT supply_point FROM channel WHERE point = :point AND supply_point IS NOT NULL ORDER BY 1
""")

# An item that goes on, of a supply point that no other meter measures.
_BILLED = text("""
    SELECT sp.ean, k.number, upper(i.valid) AS until
    FROM contract_item i JOIN contract k ON k.id = i.contract JOIN supply_point sp ON sp.id = i.supply_point
    WHERE i.supply_point = ANY (:points) AND (upper_inf(i.valid) OR upper(i.valid) > CAST(:day AS date))
      AND NOT EXISTS (
        SELECT FROM channel c JOIN channel_mapping m ON m.channel = c.id
        JOIN evidence_channel e ON e.id = m.evidence_channel
        WHERE c.supply_point = i.supply_point AND e.device <> :meter AND m.valid @> CAST(:at AS timestamptz))
    ORDER BY k.number LIMIT 1
""")

_EAN = text("""
    SELECT sp.ean FROM channel c JOIN supply_point sp ON sp.id = c.supply_point
    WHERE c.point = :point ORDER BY c.id LIMIT 1
""")
