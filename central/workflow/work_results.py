"""What a technician brings back from a work order: register states, photos, a signature, and a word on it.

One transaction: either the order ends with all of it, or nothing is stored.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, RowMapping, insert, select, text

from central.documents import files
from central.documents.tables import document
from central.network.maintenance import work_orders
from central.network.maintenance.order_states import OrderState
from central.platform.errors import BadInput, Refused
from central.platform.identity import Person
from central.readings.registers.entering import Entry, enter_state
from central.workflow.work_order_tables import work_order_document, work_order_state

_SHOWN_UNITS = {"Wh": ("kWh", 3), "varh": ("kvarh", 3), "m3": ("m³", 0)}
"""What the face of a register shows, and its power of ten over the unit that we count in."""

_DIGITS = re.compile(r"[0-9]{1,18}(\.[0-9]{0,9})?")


@dataclass(frozen=True, slots=True)
class Register:
    """A register that a technician reads: `exponent` of its integers in `unit`, the last state that is known."""

    name: str
    unit: str
    exponent: int
    tariff: str | None
    obis: str | None
    last_value: int | None
    last_at: datetime | None

    @property
    def shown_unit(self) -> str:
        """The unit on the meter's face."""
        return _SHOWN_UNITS.get(self.unit, (self.unit, 0))[0]

    @property
    def _shift(self) -> int:
        return self.exponent - _SHOWN_UNITS.get(self.unit, (self.unit, 0))[1]

    def shown(self, value: int) -> Decimal:
        """The register's integer as its face shows it."""
        return Decimal(value).scaleb(self._shift)

    def read(self, written: str) -> int:
        """The register's integer of what was read off the face; a comma is as good as a point. Raises BadInput."""
        plain = written.strip().replace(" ", "").replace("\u00a0", "").replace(",", ".")
        if not _DIGITS.fullmatch(plain):
            raise BadInput(
                "state", f"The state {written[:40]!r} of the register {self.name} must be digits, such as 12345,6."
            )
        number = Decimal(plain)
        counted = number.scaleb(-self._shift)
        if counted != counted.to_integral_value():
            last = Decimal(1).scaleb(self._shift)
            raise BadInput(
                "state", f"The state {written} of the register {self.name} has digits below its last one ({last:f})."
            )
        return int(counted)


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that comes with a result."""

    role: str
    name: str
    media_type: str
    octets: bytes


_REGISTERS = text("""
    SELECT e.register AS name, e.unit, e.exponent, v.tariff, v.obis, known.value AS last_value, known.at AS last_at
    FROM evidence_channel e
    LEFT JOIN register_version v ON v.evidence_channel = e.id AND v.valid @> CAST(:now AS timestamptz)
    LEFT JOIN LATERAL (
        SELECT value, at FROM (
            (SELECT r.value, r.at FROM register_reading r
             WHERE r.evidence_channel = e.id AND r.at <= :now
               AND NOT EXISTS (SELECT FROM batch f WHERE f.id = r.batch_id AND f.revoked_at IS NOT NULL)
             ORDER BY r.at DESC LIMIT 1)
            UNION ALL
            (SELECT s.value, s.at FROM meter_state s
             WHERE s.evidence_channel = e.id AND s.at <= :now AND s.revoked_at IS NULL ORDER BY s.at DESC LIMIT 1)
        ) both_sources ORDER BY at DESC LIMIT 1
    ) known ON true
    WHERE e.device = :meter AND e.kind = 'state'
    ORDER BY coalesce(v.obis, e.register)
""")


def registers_of(connection: Connection, meter: str, now: datetime) -> list[Register]:
    """The registers of a meter that have states, with the last one known."""
    rows = connection.execute(_REGISTERS, {"meter": meter, "now": now})
    return [Register(**row._mapping) for row in rows]


def finish_with_results(
    connection: Connection,
    order: RowMapping,
    states: Sequence[tuple[str, str]],
    attached: Sequence[Attached],
    result: str,
    done: bool,
    person: Person,
    now: datetime,
) -> None:
    """End an order that is under way. `states` are (register, as read off its face); read at `now`.

    Raises what entering the states and storing the files raise; Refused for an order without a meter that has states.
    """
    if order["state"] != OrderState.UNDER_WAY:
        raise Refused(
            "order_state",
            f"The work order {order['number']} is {order['state']}; results are taken while it is under way.",
        )
    if states:
        if order["meter"] is None:
            raise Refused("no_meter", f"The work order {order['number']} is about no meter: it cannot bring states.")
        known = {register.name: register for register in registers_of(connection, order["meter"], now)}
        for name, written in states:
            if name not in known:
                raise BadInput("register", f"The meter {order['meter']} has no register {name!r} with states.")
            entry = Entry(order["meter"], name, "own", now, known[name].read(written), note=order["number"])
            stored = enter_state(connection, entry, person, now)
            connection.execute(insert(work_order_state).values(work_order=order["id"], meter_state=stored["id"]))
    for each in attached:
        attach(connection, order, each, person, now)
    work_orders.finish(connection, order, result, done, person, now)


def attach(connection: Connection, order: RowMapping, each: Attached, person: Person, now: datetime) -> int:
    """Store a file with an order; gives the document's id."""
    identifier = files.store(connection, each.name, each.media_type, each.octets, person, now)
    connection.execute(insert(work_order_document).values(work_order=order["id"], document=identifier, role=each.role))
    return identifier


def documents_of(connection: Connection, order: int) -> Sequence[RowMapping]:
    """Documents of an order: id, role, name, media type."""
    query = (
        select(document.c.id, work_order_document.c.role, document.c.name, document.c.media_type)
        .join(work_order_document, work_order_document.c.document == document.c.id)
        .where(work_order_document.c.work_order == order)
        .order_by(document.c.id)
    )
    return connection.execute(query).mappings().all()
