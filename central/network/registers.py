"""Versions of physical registers: what is on a register's face, by validity. Find, create."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select, update
from sqlalchemy.dialects.postgresql import Range

from central.network.channels import EXPONENTS, by_name, validity_of
from central.network.register_tables import MOST_DIGITS, TARIFFS, register_version
from central.network.tables import channel_mapping, evidence_channel
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.reconcile import Outcome, reconcile

Spec = Mapping[str, Any]

LARGEST_MULTIPLIER = 10**7
"""Of current and voltage transformers together: 4000/5 A and 400/0.1 kV multiply by 3.2 million."""


def create_register_versions(connection: Connection, specs: Sequence[Spec]) -> Outcome:
    """Create versions of registers: `meter`, `register`, `digits`, `multiplier`, `tariff`, `obis`, `since`, `until`.

    `unit` and `exponent` (of the last digit) default to what the register delivers. Overlaps are Refused.
    """
    registers = by_name(
        connection, evidence_channel, ("device", "register"), {(spec["meter"], spec["register"]) for spec in specs}
    )
    rows = []
    for spec in specs:
        register = registers[spec["meter"], spec["register"]]
        what = f"version of the register {spec['meter']} {spec['register']}"
        exponent = spec.get("exponent")
        row = {
            "evidence_channel": register.id,
            "digits": spec["digits"],
            "unit": spec.get("unit") or register.unit,
            "exponent": register.exponent if exponent is None else exponent,
            "multiplier": spec.get("multiplier", 1),
            "tariff": spec.get("tariff"),
            "obis": spec.get("obis"),
            "valid": validity_of(what, spec["since"], spec.get("until")),
        }
        _check(what, row)
        rows.append(row)
    return reconcile(connection, register_version, "version of a register", ("evidence_channel", "valid"), rows)


def find_register_versions(
    connection: Connection,
    *,
    meter: str | None = None,
    evidence_channels: Sequence[int] | None = None,
    identifier: int | None = None,
) -> Sequence[RowMapping]:
    """Versions with their meter and register, oldest first; of a meter, of evidence channels, or all."""
    query = (
        select(
            register_version.c.id,
            register_version.c.evidence_channel,
            evidence_channel.c.device.label("meter"),
            evidence_channel.c.register,
            register_version.c.digits,
            register_version.c.unit,
            register_version.c.exponent,
            register_version.c.multiplier,
            register_version.c.tariff,
            register_version.c.obis,
            func.lower(register_version.c.valid).label("since"),
            func.upper(register_version.c.valid).label("until"),
        )
        .join(evidence_channel, evidence_channel.c.id == register_version.c.evidence_channel)
        .order_by(evidence_channel.c.device, evidence_channel.c.register, func.lower(register_version.c.valid))
    )
    if meter is not None:
        query = query.where(evidence_channel.c.device == meter)
    if evidence_channels is not None:
        query = query.where(register_version.c.evidence_channel.in_(evidence_channels))
    if identifier is not None:
        query = query.where(register_version.c.id == identifier)
    return connection.execute(query).mappings().all()


def require_register_version(connection: Connection, identifier: int) -> RowMapping:
    """A version by id, or NotFound."""
    for row in find_register_versions(connection, identifier=identifier):
        return row
    raise NotFound("register_version_not_found", f"There is no version {identifier} of a register.")


def close_register_version(connection: Connection, identifier: int, until: datetime) -> RowMapping:
    """End an open version at `until`, so that another may follow; Refused where it has an end already."""
    row = require_register_version(connection, identifier)
    what = f"version {identifier} of the register {row['meter']} {row['register']}"
    if row["until"] is not None:
        raise Refused("closed", f"The {what} ended at {row['until'].isoformat()} already.")
    connection.execute(
        update(register_version)
        .where(register_version.c.id == identifier)
        .values(valid=validity_of(what, row["since"], until))
    )
    return require_register_version(connection, identifier)


def channels_fed(connection: Connection, register: int, since: datetime) -> list[int]:
    """Channels that an evidence channel feeds at or after an instant."""
    mapping = channel_mapping.c
    query = (
        select(mapping.channel)
        .distinct()
        .where(mapping.evidence_channel == register, mapping.valid.op("&&")(Range(since, None, bounds="[)")))
    )
    return list(connection.execute(query.order_by(mapping.channel)).scalars())


def _check(what: str, row: Mapping[str, Any]) -> None:
    if not 1 <= row["digits"] <= MOST_DIGITS:
        raise BadInput("digits", f"The {what} has {row['digits']} digits; 1 to {MOST_DIGITS} are possible.")
    if not 1 <= row["multiplier"] <= LARGEST_MULTIPLIER:
        raise BadInput(
            "multiplier", f"The {what} multiplies by {row['multiplier']}; 1 to {LARGEST_MULTIPLIER} are possible."
        )
    if row["tariff"] is not None and row["tariff"] not in TARIFFS:
        raise BadInput("tariff", f"The {what} has the tariff {row['tariff']}; expected {', '.join(TARIFFS)} or none.")
    low, high = EXPONENTS
    if not low <= row["exponent"] <= high:
        raise BadInput("exponent", f"The {what} counts in 10^{row['exponent']} {row['unit']}; {low} to {high} can be.")
