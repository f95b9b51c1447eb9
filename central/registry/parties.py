"""Parties and supply points: find, get, require, create."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, select

from central.platform.errors import NotFound
from central.platform.reconcile import Outcome, ids_of, reconcile
from central.registry.rules import Spec, check_party, check_supply_point
from central.registry.tables import party, supply_point


def create_parties(connection: Connection, specs: Sequence[Spec]) -> Outcome:
    """Create parties from the fields of the table; `superior` is the superior distributor's code."""
    for spec in specs:
        check_party(spec)
    # Superiors first: the others name them.
    first = [{**spec, "superior": None} for spec in specs if spec.get("superior") is None]
    outcome = reconcile(connection, party, "party", ("code",), first)
    rest = [spec for spec in specs if spec.get("superior") is not None]
    superiors = ids_of(connection, party, "party", "code", (spec["superior"] for spec in rest))
    second = reconcile(
        connection, party, "party", ("code",), [{**spec, "superior": superiors[spec["superior"]]} for spec in rest]
    )
    return Outcome(outcome.inserted + second.inserted, outcome.unchanged + second.unchanged)


def create_supply_points(connection: Connection, specs: Sequence[Spec]) -> Outcome:
    """Create supply points; `operator` and `supplier` are codes of parties."""
    for spec in specs:
        check_supply_point(spec)
    named = [spec.get(role) for spec in specs for role in ("operator", "supplier")]
    parties: dict[Any, Any] = {None: None, **ids_of(connection, party, "party", "code", named)}
    rows = [
        {**spec, "operator": parties[spec["operator"]], "supplier": parties[spec.get("supplier")]} for spec in specs
    ]
    return reconcile(connection, supply_point, "supply point", ("ean",), rows)


def find_parties(connection: Connection, *, role: str | None = None) -> Sequence[RowMapping]:
    """Parties by name."""
    query = select(party).order_by(party.c.name, party.c.id)
    if role is not None:
        query = query.where(party.c.role == role)
    return connection.execute(query).mappings().all()


def get_party(connection: Connection, identifier: int) -> RowMapping | None:
    """A party by id."""
    return connection.execute(select(party).where(party.c.id == identifier)).mappings().first()


def require_party(connection: Connection, identifier: int) -> RowMapping:
    """A party by id, or NotFound."""
    found = get_party(connection, identifier)
    if found is None:
        raise NotFound("party_not_found", f"There is no party {identifier}.")
    return found


def find_supply_points(
    connection: Connection,
    *,
    commodity: str | None = None,
    voltage_level: str | None = None,
    metering_type: str | None = None,
    point_type: str | None = None,
) -> Sequence[RowMapping]:
    """Supply points by EAN, filtered."""
    query: Select[Any] = select(supply_point).order_by(supply_point.c.ean)
    wanted = {
        "commodity": commodity,
        "voltage_level": voltage_level,
        "metering_type": metering_type,
        "point_type": point_type,
    }
    for column, value in wanted.items():
        if value is not None:
            query = query.where(supply_point.c[column] == value)
    return connection.execute(query).mappings().all()


def get_supply_point(connection: Connection, ean: str) -> RowMapping | None:
    """A supply point by its EAN or EIC."""
    return connection.execute(select(supply_point).where(supply_point.c.ean == ean)).mappings().first()


def require_supply_point(connection: Connection, ean: str) -> RowMapping:
    """A supply point by its EAN or EIC, or NotFound."""
    found = get_supply_point(connection, ean)
    if found is None:
        raise NotFound("supply_point_not_found", f"There is no supply point {ean}; check its digits.")
    return found
