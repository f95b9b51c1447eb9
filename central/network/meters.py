"""Concentrators and meters: create, require, revise."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update
from sqlalchemy.exc import IntegrityError

from central.network.tables import concentrator, meter
from central.platform.constraints import explain
from central.platform.errors import BadInput, NotFound
from central.platform.reconcile import Outcome, ids_of, reconcile
from shared.identifiers import IdentifierError, parse_edge_id

Spec = Mapping[str, Any]


def create_concentrators(connection: Connection, specs: Sequence[Spec]) -> Outcome:
    """Create concentrators; the id must be fit for an MQTT topic."""
    for spec in specs:
        try:
            parse_edge_id(spec["id"])
        except IdentifierError as error:
            raise BadInput("concentrator_id", str(error)) from None
    return reconcile(connection, concentrator, "concentrator", ("id",), specs)


def create_meters(connection: Connection, specs: Sequence[Spec]) -> Outcome:
    """Create meters under their concentrators."""
    ids_of(connection, concentrator, "concentrator", "id", (spec["concentrator"] for spec in specs))
    return reconcile(connection, meter, "meter", ("id",), specs)


def require_concentrator(connection: Connection, identifier: str, *, lock: bool = False) -> RowMapping:
    """A concentrator by id, or NotFound."""
    query = select(concentrator).where(concentrator.c.id == identifier)
    found = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if found is None:
        raise NotFound("concentrator_not_found", f"There is no concentrator {identifier}.")
    return found


def revise_concentrator(connection: Connection, identifier: str, name: str, place: str) -> RowMapping:
    """Change a concentrator's name and place."""
    connection.execute(update(concentrator).where(concentrator.c.id == identifier).values(name=name, place=place))
    return require_concentrator(connection, identifier)


def revise_meter(connection: Connection, identifier: str, serial: str, model: str, place: str) -> RowMapping:
    """Change a meter's serial number, model and place; Refused where another meter has number and model."""
    try:
        connection.execute(
            update(meter).where(meter.c.id == identifier).values(serial=serial, model=model, place=place)
        )
    except IntegrityError as error:
        raise explain(error) from error
    return require_meter(connection, identifier)


def require_meter(connection: Connection, identifier: str, *, lock: bool = False) -> RowMapping:
    """A meter by id, or NotFound."""
    query = select(meter).where(meter.c.id == identifier)
    found = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if found is None:
        raise NotFound("meter_not_found", f"There is no meter {identifier}.")
    return found
