"""Lines: modems, buses of concentrators, and which meter answers where. Create, revise, attach, detach, find."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError

from central.network.channels import by_name, validity_of
from central.network.configuration_body import problems_of
from central.network.line_tables import attachment, bus, modem
from central.network.meter_templates import MeterTemplate, find_templates, has_secret, template_of
from central.network.tables import concentrator as concentrator_table
from central.network.tables import meter as meter_table
from central.platform.constraints import explain
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.reconcile import Outcome, ids_of, reconcile

Spec = Mapping[str, Any]

_ATTACHED = (
    select(
        attachment.c.id,
        attachment.c.meter,
        bus.c.concentrator,
        bus.c.name.label("bus"),
        attachment.c.address,
        attachment.c.listens,
        attachment.c.template,
        attachment.c.overrides,
        func.lower(attachment.c.valid).label("since"),
        func.upper(attachment.c.valid).label("until"),
    )
    .join(bus, bus.c.id == attachment.c.bus)
    .order_by(func.lower(attachment.c.valid), attachment.c.id)
)


def listens(protocol: str, address: Mapping[str, Any], channel: int = 0) -> str:
    """An address as one text: what no two meters of a bus may have at a time. Pure.

    DLMS: physical and logical address (the client is ours). Modbus: the unit. IEC 62056-21: the address in the opening
    request. Meters on M-Bus behind another meter have its address and differ by their `channel` there.
    """
    return _own(protocol, address) + (f" channel {channel}" if channel else "")


def _own(protocol: str, address: Mapping[str, Any]) -> str:
    if protocol in ("modbus-rtu", "modbus-tcp"):
        return f"unit {address.get('unit')}"
    if protocol == "iec62056-21":
        return f"device {address.get('device') or 'any'}"
    return f"server {address.get('server')} physical {address.get('physical', 'none')}"


def create_modems(connection: Connection, specs: Sequence[Spec]) -> Outcome:
    """Create modems: `serial`, `model`, `kind`, `iccid`, `phone`, `place`."""
    return reconcile(connection, modem, "modem", ("serial",), specs)


def create_buses(connection: Connection, specs: Sequence[Spec]) -> Outcome:
    """Create buses: `concentrator`, `name`, `protocol`, `link` as in a concentrator's configuration, `phase_ms`,
    `modem` by serial number.
    """
    ids_of(connection, concentrator_table, "concentrator", "id", (spec["concentrator"] for spec in specs))
    rows = [_bus_row(connection, spec) for spec in specs]
    return reconcile(connection, bus, "bus", ("concentrator", "name"), rows)


def revise_bus(connection: Connection, spec: Spec) -> RowMapping:
    """Change a bus's protocol, link, phase or modem."""
    row = require_bus(connection, spec["concentrator"], spec["name"], lock=True)
    try:
        connection.execute(update(bus).where(bus.c.id == row["id"]).values(_bus_row(connection, spec)))
    except IntegrityError as error:
        raise explain(error) from error
    return require_bus(connection, spec["concentrator"], spec["name"])


def require_bus(connection: Connection, concentrator: str, name: str, *, lock: bool = False) -> RowMapping:
    """A bus by concentrator and name, or NotFound."""
    query = select(bus).where(bus.c.concentrator == concentrator, bus.c.name == name)
    found = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if found is None:
        raise NotFound("bus_not_found", f"The concentrator {concentrator} has no bus {name}; create it first.")
    return found


def find_attachments(
    connection: Connection, *, concentrator: str | None = None, meter: str | None = None
) -> Sequence[RowMapping]:
    """Where meters answer and answered, oldest first."""
    query = _ATTACHED
    if concentrator is not None:
        query = query.where(bus.c.concentrator == concentrator)
    if meter is not None:
        query = query.where(attachment.c.meter == meter)
    return connection.execute(query).mappings().all()


def create_attachments(connection: Connection, specs: Sequence[Spec]) -> Outcome:
    """Attach many, as a site file has them, from `since` until `until`; once more without effect."""
    rows = _attachment_rows(connection, specs)
    _require_free(connection, rows, specs, repeatable=True)
    return reconcile(connection, attachment, "attachment", ("meter", "bus", "valid"), rows)


def attach(connection: Connection, spec: Spec) -> None:
    """Let a meter answer at an address: `meter`, `concentrator`, `bus`, `address`, `template`, `overrides`, `since`.

    The meter is the concentrator's from then on. An address that is in use, or a meter that is attached elsewhere then,
    is Refused, naming both sides.
    """
    rows = _attachment_rows(connection, [spec])
    _require_free(connection, rows, [spec])
    try:
        connection.execute(insert(attachment).values(rows))
    except IntegrityError as error:
        raise explain(error) from error
    connection.execute(
        update(meter_table).where(meter_table.c.id == spec["meter"]).values(concentrator=spec["concentrator"])
    )


def detach(connection: Connection, meter: str, at: datetime) -> str | None:
    """End where a meter answers, at `at`; gives the concentrator, None where it was not attached."""
    for row in find_attachments(connection, meter=meter):
        if row["until"] is not None and row["until"] <= at:
            continue
        if row["since"] is not None and row["since"] >= at:
            raise Refused(
                "attached_later",
                f"The meter {meter} is attached to the bus {row['bus']} of {row['concentrator']} from "
                f"{row['since'].isoformat()} on; it cannot be detached at {at.isoformat()}, before that.",
            )
        connection.execute(
            update(attachment).where(attachment.c.id == row["id"]).values(valid=Range(row["since"], at, bounds="[)"))
        )
        return str(row["concentrator"])
    return None


def _bus_row(connection: Connection, spec: Spec) -> dict[str, Any]:
    shape = {"name": spec["name"], "protocol": spec["protocol"], "link": spec["link"], "devices": []}
    wrong = list(problems_of({**shape, "phase_ms": spec.get("phase_ms", 0)}, "BusConfig"))
    if wrong:
        raise BadInput("bus", f"The bus {spec['name']} of {spec['concentrator']}, {wrong[0]}")
    modem_id = None
    if spec.get("modem") is not None:
        modem_id = connection.execute(select(modem.c.id).where(modem.c.serial == spec["modem"])).scalar()
        if modem_id is None:
            raise NotFound("modem_not_found", f"There is no modem {spec['modem']}; create it first.")
    return {
        "concentrator": spec["concentrator"],
        "name": spec["name"],
        "protocol": spec["protocol"],
        "link": spec["link"],
        "phase_ms": spec.get("phase_ms", 0),
        "modem": modem_id,
    }


def _attachment_rows(connection: Connection, specs: Sequence[Spec]) -> list[dict[str, Any]]:
    names = {(spec["concentrator"], spec["bus"]) for spec in specs}
    buses = by_name(connection, bus, ("concentrator", "name"), names)
    connection.execute(_LOCK, {"buses": [line.id for line in buses.values()]})
    meters = by_name(connection, meter_table, ("id",), {(spec["meter"],) for spec in specs})
    templates = find_templates(connection)
    addresses: dict[str, list[str]] = {}
    rows = []
    for spec in specs:
        line, facts = buses[spec["concentrator"], spec["bus"]], meters[(spec["meter"],)]
        _check_template(templates, spec["template"], facts)
        spelled = repr(spec["address"])  # few differ: units and devices are counted from 1 on each bus
        if spelled not in addresses:
            addresses[spelled] = list(problems_of(spec["address"], "Address"))
        if addresses[spelled]:
            raise BadInput(
                "address", f"The address of {spec['meter']} on the bus {spec['bus']}, {addresses[spelled][0]}"
            )
        overrides = spec.get("overrides") or {}
        for name in ("id", "address", "template", "security"):
            if name in overrides:
                raise BadInput("overrides", f"The overrides of {spec['meter']} hold {name}, which has its own place.")
        if has_secret(overrides):
            raise BadInput("overrides", f"The overrides of {spec['meter']} hold a key; keys are set for each meter.")
        rows.append(
            {
                "meter": spec["meter"],
                "bus": line.id,
                "address": spec["address"],
                "listens": listens(line.protocol, spec["address"], spec.get("channel", 0)),
                "template": spec["template"],
                "overrides": overrides,
                "valid": validity_of(f"attachment of {spec['meter']}", spec["since"], spec.get("until")),
            }
        )
    return rows


def _check_template(templates: Mapping[str, MeterTemplate], name: str, facts: Any) -> None:
    commodity = template_of(templates, name).commodity
    if commodity != facts.commodity:
        raise Refused(
            "template_commodity",
            f"The template {name} is of {commodity}; the meter {facts.id} measures {facts.commodity}.",
        )


def _require_free(
    connection: Connection, rows: Sequence[Mapping[str, Any]], specs: Sequence[Spec], *, repeatable: bool = False
) -> None:
    """Refused, naming both sides, where a meter or an address is taken; `repeatable`: not by the very same."""
    parameters = {
        "meters": [row["meter"] for row in rows],
        "buses": [row["bus"] for row in rows],
        "listens": [row["listens"] for row in rows],
        "sinces": [row["valid"].lower for row in rows],
        "untils": [row["valid"].upper for row in rows],
    }
    for other in connection.execute(_IN_THE_WAY, parameters):
        row, spec = rows[other.number - 1], specs[other.number - 1]
        same = (other.meter, other.bus_id, other.since, other.until)
        if repeatable and same == (row["meter"], row["bus"], row["valid"].lower, row["valid"].upper):
            continue
        span = f"from {_said(other.since)} to {_said(other.until)}"
        if other.meter == row["meter"]:
            raise Refused(
                "attached_elsewhere",
                f"The meter {other.meter} is attached to the bus {other.bus} of {other.concentrator} {span}; it cannot "
                f"be attached to {spec['bus']} of {spec['concentrator']} from {spec['since'].isoformat()} as well.",
            )
        raise Refused(
            "address_in_use",
            f"On the bus {other.bus} of {other.concentrator} the address ({row['listens']}) is that of {other.meter} "
            f"{span}; {row['meter']} cannot have it from {spec['since'].isoformat()} as well.",
        )


def _said(instant: datetime | None) -> str:
    return "ever" if instant is None else instant.isoformat()


_LOCK = text("SELECT id FROM bus WHERE id = ANY(CAST(:buses AS integer[])) ORDER BY id FOR UPDATE")

_IN_THE_WAY = text("""
    WITH asked AS (
        SELECT number, meter, bus, listens, tstzrange(since, until) AS valid
        FROM unnest(CAST(:meters AS text[]), CAST(:buses AS integer[]), CAST(:listens AS text[]),
                    CAST(:sinces AS timestamptz[]), CAST(:untils AS timestamptz[]))
             WITH ORDINALITY AS a (meter, bus, listens, since, until, number)
    ), met AS (
        SELECT k.number, k.meter, a.id FROM asked k JOIN attachment a ON a.meter = k.meter AND a.valid && k.valid
        UNION
        SELECT k.number, k.meter, a.id FROM asked k
        JOIN attachment a ON a.bus = k.bus AND a.listens = k.listens AND a.valid && k.valid
    )
    SELECT met.number, a.meter, b.id AS bus_id, b.name AS bus, b.concentrator, lower(a.valid) AS since,
           upper(a.valid) AS until
    FROM met JOIN attachment a ON a.id = met.id JOIN bus b ON b.id = a.bus
    ORDER BY met.number, a.meter <> met.meter, lower(a.valid)
""")
