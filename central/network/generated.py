"""Configurations generated from the registry: manage a concentrator, preview, and make a new number where it differs.

Every act that changes what a managed concentrator should run calls `regenerate` in its own transaction; the control
service signs and sends the newest number as ever, and calls `regenerate_due` for what time changes (a mounting that was
entered ahead begins, a concentrator has a new key).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from central.network import configurations
from central.network.keys import find_key
from central.network.line_tables import bus, generated_configuration, managed_concentrator
from central.network.meter_keys import KeyStore, open_key, present_versions
from central.network.meter_templates import device_of, find_templates, has_secret
from central.network.meters import require_concentrator
from central.network.plan import GIVEN, PlannedBus, PlannedMeter, differences, plan, with_keys, wrong_in
from central.platform import audit
from central.platform.errors import BadInput, Refused
from central.platform.identity import SYSTEM, Person
from central.platform.reconcile import any_of
from shared.control.keys import key_id


def manage(
    connection: Connection,
    store: KeyStore,
    concentrator: str,
    settings: Mapping[str, Any],
    reason: str,
    person: Person,
    now: datetime,
) -> int | None:
    """Generate a concentrator's configuration from the registry from now on; gives the number, if there is a new one.

    `settings` are the fields of a configuration that are no meter's (`uplink`, `push`).
    """
    require_concentrator(connection, concentrator)
    if has_secret(settings):
        raise BadInput("settings", f"The settings of {concentrator} hold a key; keys are set for each meter.")
    for name in GIVEN:
        if name in settings:
            raise BadInput(
                "settings", f"The settings of {concentrator} hold {name}: it is generated, or the local file's."
            )
    known = find_managed(connection, concentrator, lock=True)
    row = {"concentrator": concentrator, "settings": dict(settings), "since": now, "managed_by": person.name}
    statement = upsert(managed_concentrator).values(row)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["concentrator"], set_={"settings": dict(settings)})
    )
    audit.record(
        connection,
        person,
        "concentrator.manage",
        f"concentrator/{concentrator}",
        {},
        now,
        before=None if known is None else {"settings": known["settings"]},
        after={"settings": dict(settings)},
        why=reason,
    )
    return regenerate(connection, store, [concentrator], reason, person, now).get(concentrator)


def release(connection: Connection, concentrator: str, reason: str, person: Person, now: datetime) -> None:
    """Leave a concentrator's configuration to people again; what runs goes on."""
    before = {"settings": require_managed(connection, concentrator)["settings"]}
    connection.execute(managed_concentrator.delete().where(managed_concentrator.c.concentrator == concentrator))
    subject = f"concentrator/{concentrator}"
    audit.record(connection, person, "concentrator.release", subject, {}, now, before=before, why=reason)


def find_managed(connection: Connection, concentrator: str, *, lock: bool = False) -> RowMapping | None:
    """What a managed concentrator's row says, if it is one."""
    query = select(managed_concentrator).where(managed_concentrator.c.concentrator == concentrator)
    return connection.execute(query.with_for_update() if lock else query).mappings().first()


def require_managed(connection: Connection, concentrator: str) -> RowMapping:
    """The same, or Refused."""
    require_concentrator(connection, concentrator)
    found = find_managed(connection, concentrator)
    if found is None:
        raise Refused(
            "not_managed",
            f"The configuration of {concentrator} is made by hand, not generated from the registry.",
        )
    return found


def require_by_hand(connection: Connection, concentrator: str) -> None:
    """Refused where the registry makes a concentrator's configuration."""
    found = find_managed(connection, concentrator)
    if found is not None:
        raise Refused(
            "managed",
            f"The configuration of {concentrator} is generated from the registry since {found['since'].isoformat()}; "
            "change its meters, buses or settings there, or take it out of the registry's hands first.",
        )


def planned(connection: Connection, concentrator: str, at: datetime) -> dict[str, Any]:
    """What a concentrator should run at an instant, by the registry; keys stand by meter, field and version."""
    found = find_managed(connection, concentrator)
    templates = find_templates(connection)
    rows = connection.execute(_ATTACHED, {"concentrator": concentrator, "at": at}).mappings().all()
    versions = present_versions(connection, [row["meter"] for row in rows])
    meters: dict[int, list[PlannedMeter]] = {}
    for row in rows:
        template = templates.get(row["template"])
        if template is None:
            raise Refused(
                "template_gone", f"The meter {row['meter']} is read by the template {row['template']}, which is gone."
            )
        meters.setdefault(row["bus"], []).append(
            PlannedMeter(
                id=row["meter"],
                serial=row["serial"],
                commodity=row["commodity"],
                address=row["address"],
                template=row["template"],
                device=device_of(row["template"], template),
                check_serial=template.check_serial,
                overrides=row["overrides"],
                since=row["since"],
                keys=versions.get(row["meter"], {}),
            )
        )
    lines = connection.execute(select(bus).where(bus.c.concentrator == concentrator)).mappings()
    buses = [
        PlannedBus(row["name"], row["protocol"], row["link"], row["phase_ms"], meters.get(row["id"], ()))
        for row in lines
    ]
    return plan(buses, found["settings"] if found else {})


def last_plan(connection: Connection, concentrator: str) -> RowMapping | None:
    """What was generated last."""
    table = generated_configuration.c
    query = select(generated_configuration).where(table.concentrator == concentrator).order_by(table.number.desc())
    return connection.execute(query.limit(1)).mappings().first()


def preview(connection: Connection, concentrator: str, at: datetime) -> dict[str, Any]:
    """What would be generated, what differs from what was generated last, and what the schema would refuse."""
    require_concentrator(connection, concentrator)
    wanted, last = planned(connection, concentrator, at), last_plan(connection, concentrator)
    return {
        "concentrator": concentrator,
        "managed": find_managed(connection, concentrator) is not None,
        "at": at,
        "number": last["number"] if last else None,
        "configuration": wanted,
        "differences": list(differences(last["plan"] if last else {}, wanted)),
        "problems": wrong_in(wanted, concentrator),
    }


def regenerate(
    connection: Connection,
    store: KeyStore,
    concentrators: Iterable[str | None],
    reason: str,
    person: Person,
    now: datetime,
) -> dict[str, int]:
    """New numbers for those of these concentrators that are managed and should run something else than before.

    In the transaction of the act that changed it. BadInput, naming bus and meter, where the concentrator's schema
    refuses what came out; Refused where a key is to be sealed and the concentrator is not enrolled.
    """
    made = {}
    for concentrator in sorted({each for each in concentrators if each is not None}):
        number = _regenerate(connection, store, concentrator, reason, person, now)
        if number is not None:
            made[concentrator] = number
    return made


def regenerate_due(connection: Connection, store: KeyStore, now: datetime) -> list[str]:
    """Look again at managed concentrators for which time changed something; for the control service.

    Gives why, for those where it could not be done: they are looked at again when something changes.
    """
    refused = []
    for concentrator in connection.execute(_DUE, {"now": now}).scalars().all():
        try:
            with connection.begin_nested():
                regenerate(connection, store, [concentrator], "čas platnosti nebo nový klíč", SYSTEM, now)
        except (BadInput, Refused) as error:
            refused.append(error.message)
            _looked(connection, concentrator, now)
    return refused


def look_again(connection: Connection, concentrators: Iterable[str]) -> None:
    """Let the control service generate for these anew: what they run was changed by who has no key store."""
    connection.execute(
        update(managed_concentrator)
        .where(any_of(managed_concentrator.c.concentrator, sorted(set(concentrators))))
        .values(looked_at=None)
    )


def _regenerate(
    connection: Connection, store: KeyStore, concentrator: str, reason: str, person: Person, now: datetime
) -> int | None:
    if find_managed(connection, concentrator, lock=True) is None:
        return None
    wanted, last = planned(connection, concentrator, now), last_plan(connection, concentrator)
    enrolled = find_key(connection, concentrator)
    recipient = key_id(bytes(enrolled["public_key"])) if enrolled else None
    wrong = wrong_in(wanted, concentrator)
    if wrong:
        raise BadInput(
            "configuration",
            "\n".join(f"What {concentrator} would run is refused by its schema, {each}" for each in wrong),
        )
    _looked(connection, concentrator, now)
    if last is not None and last["plan"] == wanted and last["recipient"] == recipient:
        return None
    body = with_keys(
        wanted,
        lambda meter, field, version: {"secret": "hex:" + open_key(connection, store, meter, field, version).hex()},
    )
    number = configurations.put(connection, concentrator, body, reason, person, now)
    connection.execute(
        insert(generated_configuration).values(
            concentrator=concentrator, number=number, plan=wanted, recipient=recipient
        )
    )
    return number


def _looked(connection: Connection, concentrator: str, now: datetime) -> None:
    connection.execute(
        update(managed_concentrator).where(managed_concentrator.c.concentrator == concentrator).values(looked_at=now)
    )


_ATTACHED = text("""
    SELECT a.meter, a.bus, a.address, a.template, a.overrides, lower(a.valid) AS since, m.serial, m.commodity
    FROM attachment a JOIN bus b ON b.id = a.bus JOIN meter m ON m.id = a.meter
    WHERE b.concentrator = :concentrator AND a.valid @> CAST(:at AS timestamptz)
    ORDER BY a.meter
""")

_DUE = text("""
    SELECT c.concentrator FROM managed_concentrator c
    WHERE c.looked_at IS NULL
       OR EXISTS (SELECT FROM concentrator_key k WHERE k.concentrator = c.concentrator AND k.enrolled_at > c.looked_at)
       OR EXISTS (
            SELECT FROM attachment a JOIN bus b ON b.id = a.bus
            WHERE b.concentrator = c.concentrator
              AND (lower(a.valid) > c.looked_at AND lower(a.valid) <= :now
                   OR upper(a.valid) > c.looked_at AND upper(a.valid) <= :now))
    ORDER BY c.concentrator FOR UPDATE OF c SKIP LOCKED
""")
