"""Networks (LDS) and the tree of objects: create, find, require, revise."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from central.platform.constraints import explain
from central.platform.errors import NotFound, Refused
from central.platform.overview import Column, Kind, Overview
from central.platform.reconcile import ids_of
from central.registry.party_tables import COMMODITIES, network_area, party
from central.registry.point_tables import OBJECT_KINDS, site_object
from central.registry.validity import ends, starts, validity

_licensee, _superior = party.alias("licensee_party"), party.alias("superior_party")
_parent = site_object.alias("parent_object")

AREAS = Overview(
    name="network areas",
    source=network_area,
    key=network_area.c.id,
    joined=network_area.join(_licensee, _licensee.c.id == network_area.c.licensee).join(
        _superior, _superior.c.id == network_area.c.superior
    ),
    columns=(
        Column("id", network_area.c.id, Kind.INTEGER),
        Column("code", network_area.c.code),
        Column("name", network_area.c.name),
        Column("commodity", network_area.c.commodity, Kind.CHOICE, COMMODITIES),
        Column("licensee", _licensee.c.code),
        Column("superior", _superior.c.code),
        Column("licence", network_area.c.licence),
        Column("valid_from", starts(network_area.c.valid), Kind.DATE),
        Column("valid_to", ends(network_area.c.valid), Kind.DATE),
    ),
    default_sort=(("code", False),),
)

OBJECTS = Overview(
    name="objects",
    source=site_object,
    key=site_object.c.id,
    joined=site_object.outerjoin(_parent, _parent.c.id == site_object.c.parent),
    columns=(
        Column("id", site_object.c.id, Kind.INTEGER),
        Column("code", site_object.c.code),
        Column("name", site_object.c.name),
        Column("kind", site_object.c.kind, Kind.CHOICE, OBJECT_KINDS),
        Column("parent", _parent.c.code),
        *(Column(name, site_object.c[name]) for name in ("street", "city", "postal_code")),
        Column("area_m2", site_object.c.area_m2, Kind.DECIMAL),
    ),
    default_sort=(("code", False),),
)

WITHIN = text("""
    -- an object and all that is a part of it
    WITH RECURSIVE below (id) AS (
        SELECT id FROM site_object WHERE code = :code
        UNION SELECT o.id FROM site_object o JOIN below b ON o.parent = b.id)
    SELECT id FROM below
""")


def create_area(connection: Connection, facts: Mapping[str, Any], start: date, end: date | None) -> None:
    """Create a network; `licensee` and `superior` are codes of parties with those roles."""
    roles = {"licensee": "operator", "superior": "superior_distributor"}
    parties = {name: _with_role(connection, facts[name], role) for name, role in roles.items()}
    valid = validity(f"network area {facts['code']}", start, end)
    connection.execute(insert(network_area).values(**{**facts, **parties}, valid=valid))


def require_area(connection: Connection, code: str, *, lock: bool = False) -> RowMapping:
    """A network by its code, or NotFound."""
    query = select(network_area).where(network_area.c.code == code)
    found = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if found is None:
        raise NotFound("area_not_found", f"There is no network area {code}; create it first or correct it.")
    return found


IN_USE = text("SELECT min(ean) FROM supply_point WHERE area = :area AND state <> 'ended'")


def revise_area(connection: Connection, row: RowMapping, changes: Mapping[str, Any]) -> None:
    """Change name, licence, superior distributor (by code), or the end of a network that no point needs any more."""
    values = {name: value for name, value in changes.items() if name != "valid_to"}
    if "superior" in values:
        values["superior"] = _with_role(connection, values["superior"], "superior_distributor")
    if "valid_to" in changes:
        code, end = row["code"], changes["valid_to"]
        point = connection.execute(IN_USE, {"area": row["id"]}).scalar()
        if end is not None and point is not None:
            raise Refused("in_use", f"The network {code} cannot close on {end}: the supply point {point} is in it.")
        values["valid"] = validity(f"network area {code}", row["valid"].lower, end)
    if values:
        connection.execute(update(network_area).where(network_area.c.id == row["id"]).values(**values))


def _with_role(connection: Connection, code: str, role: str) -> int:
    row = connection.execute(select(party.c.id, party.c.roles).where(party.c.code == code)).first()
    if row is None:
        raise NotFound("party_not_found", f"There is no party {code}; create it first or correct it.")
    if role not in row.roles:
        raise Refused(
            "role", f"The party {code} is {', '.join(row.roles)}, not {role}: give it that role or name another party."
        )
    return int(row.id)


def create_object(connection: Connection, facts: Mapping[str, Any]) -> None:
    """Create an object; `parent` is the code of what it is a part of."""
    connection.execute(insert(site_object).values(**{**facts, **_parents(connection, facts)}))


def require_object(connection: Connection, code: str, *, lock: bool = False) -> RowMapping:
    """An object by its code, or NotFound."""
    query = select(site_object).where(site_object.c.code == code)
    found = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if found is None:
        raise NotFound("object_not_found", f"There is no object {code}; create it first or correct it.")
    return found


def revise_object(connection: Connection, row: RowMapping, changes: Mapping[str, Any]) -> None:
    """Change an object; it cannot become a part of itself or of one of its parts."""
    values = {**changes, **_parents(connection, changes)}
    if not values:
        return
    if values.get("parent") in within(connection, row["code"]):
        raise Refused(
            "cycle",
            f"The object {row['code']} cannot be a part of {changes['parent']}, which is a part of it.",
        )
    try:
        connection.execute(update(site_object).where(site_object.c.id == row["id"]).values(**values))
    except IntegrityError as error:
        raise explain(error) from error


def within(connection: Connection, code: str) -> set[int]:
    """Ids of an object and of all its parts."""
    return set(connection.execute(WITHIN, {"code": code}).scalars())


def _parents(connection: Connection, facts: Mapping[str, Any]) -> dict[str, Any]:
    if "parent" not in facts:
        return {}
    return {"parent": ids_of(connection, site_object, "object", "code", [facts["parent"]]).get(facts["parent"])}
