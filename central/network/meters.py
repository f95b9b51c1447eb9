"""Concentrators and meters: find, get, require, create."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from central.network.tables import concentrator, meter
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


def find_concentrators(connection: Connection) -> Sequence[RowMapping]:
    """All concentrators by id."""
    return connection.execute(select(concentrator).order_by(concentrator.c.id)).mappings().all()


def require_concentrator(connection: Connection, identifier: str) -> RowMapping:
    """A concentrator by id, or NotFound."""
    found = connection.execute(select(concentrator).where(concentrator.c.id == identifier)).mappings().first()
    if found is None:
        raise NotFound("concentrator_not_found", f"There is no concentrator {identifier}.")
    return found


def find_meters(
    connection: Connection, *, concentrator_id: str | None = None, commodity: str | None = None
) -> Sequence[RowMapping]:
    """Meters by id, filtered."""
    query = select(meter).order_by(meter.c.id)
    if concentrator_id is not None:
        query = query.where(meter.c.concentrator == concentrator_id)
    if commodity is not None:
        query = query.where(meter.c.commodity == commodity)
    return connection.execute(query).mappings().all()


def require_meter(connection: Connection, identifier: str) -> RowMapping:
    """A meter by id, or NotFound."""
    found = connection.execute(select(meter).where(meter.c.id == identifier)).mappings().first()
    if found is None:
        raise NotFound("meter_not_found", f"There is no meter {identifier}.")
    return found
