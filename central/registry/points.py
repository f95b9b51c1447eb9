"""Supply points: create, find, require, revise, and the acts that change their state."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, RowMapping, select, text

from central.platform.errors import NotFound, Refused
from central.platform.overview import Column, Kind, Overview
from central.platform.reconcile import Outcome, ids_of, reconcile
from central.registry import point_states
from central.registry.form import Spec, check_supply_point
from central.registry.party_tables import network_area, party
from central.registry.point_tables import (
    CATEGORIES,
    METERING_TYPES,
    POINT_FACTS,
    POINT_TYPES,
    PRESSURE_LEVELS,
    VOLTAGE_LEVELS,
    site_object,
    supply_point,
    supply_point_past,
)
from central.registry.versions import Version, Versioned, read_versions, revised

VERSIONED = Versioned(supply_point, supply_point_past, POINT_FACTS, copied=("commodity",))

_operator, _supplier = party.alias("operator_party"), party.alias("supplier_party")

OVERVIEW = Overview(
    name="supply points",
    source=supply_point,
    key=supply_point.c.id,
    joined=supply_point.join(_operator, _operator.c.id == supply_point.c.operator)
    .outerjoin(_supplier, _supplier.c.id == supply_point.c.supplier)
    .outerjoin(network_area, network_area.c.id == supply_point.c.area)
    .outerjoin(site_object, site_object.c.id == supply_point.c.site_object),
    columns=(
        Column("id", supply_point.c.id, Kind.INTEGER),
        *(Column(name, supply_point.c[name], searched=True) for name in ("ean", "name", "object", "street", "city")),
        *(Column(name, supply_point.c[name]) for name in ("postal_code", "load_profile_class")),
        Column("commodity", supply_point.c.commodity, Kind.CHOICE, ("electricity", "gas")),
        Column("point_type", supply_point.c.point_type, Kind.CHOICE, POINT_TYPES),
        Column("voltage_level", supply_point.c.voltage_level, Kind.CHOICE, VOLTAGE_LEVELS),
        Column("metering_type", supply_point.c.metering_type, Kind.CHOICE, METERING_TYPES),
        Column("category", supply_point.c.category, Kind.CHOICE, CATEGORIES),
        Column("state", supply_point.c.state, Kind.CHOICE, point_states.STATES),
        Column("temperature_zone", supply_point.c.temperature_zone),
        Column("planned_mwh", supply_point.c.planned_mwh, Kind.DECIMAL),
        Column("pressure_level", supply_point.c.pressure_level, Kind.CHOICE, PRESSURE_LEVELS),
        Column("gas_group", supply_point.c.gas_group),
        Column("operator", supply_point.c.operator, Kind.INTEGER),
        Column("operator_code", _operator.c.code, through=(supply_point.c.operator, _operator.c.id)),
        Column("supplier", supply_point.c.supplier, Kind.INTEGER),
        Column("supplier_code", _supplier.c.code, through=(supply_point.c.supplier, _supplier.c.id)),
        Column("area", supply_point.c.area, Kind.INTEGER),
        Column("area_code", network_area.c.code, through=(supply_point.c.area, network_area.c.id)),
        Column("site_object", supply_point.c.site_object, Kind.INTEGER),
        Column("site_object_code", site_object.c.code, through=(supply_point.c.site_object, site_object.c.id)),
        Column("since", supply_point.c.since, Kind.DATE),
    ),
    default_sort=(("ean", False),),
    search=supply_point.c.search,
)

LATER_ITEMS = text("""
    -- items of a point that would outlive it
    SELECT c.number, upper(ci.valid) AS until FROM contract_item ci JOIN contract c ON c.id = ci.contract
     WHERE ci.supply_point = :point AND (upper(ci.valid) IS NULL OR upper(ci.valid) > :on)
     ORDER BY upper(ci.valid) DESC NULLS FIRST LIMIT 1
""")


def create_supply_points(connection: Connection, specs: Sequence[Spec]) -> Outcome:
    """Create supply points; `operator`, `supplier`, `area` and `site_object` are codes."""
    for spec in specs:
        check_supply_point(spec)
    parties = _ids(connection, [spec.get(name) for spec in specs for name in ("operator", "supplier")])
    places = _places(connection, specs)
    rows = []
    for spec in specs:
        row = {**spec, "operator": parties[spec["operator"]], "supplier": parties[spec.get("supplier")]}
        rows.append(row | {name: found[spec[name]] for name, found in places.items() if name in spec})
    require_parties(connection, rows)
    return reconcile(connection, supply_point, "supply point", ("ean",), rows)


NEEDED_ROLES = {"operator": "operator", "supplier": "supplier"}


def require_parties(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Refused when who runs or supplies a point lacks the role for it, or when its network is somebody else's.

    `rows` have `ean`, and ids of `operator`, `supplier` and `area`.
    """
    wanted = {row[name] for row in rows for name in NEEDED_ROLES if row.get(name) is not None}
    known = connection.execute(select(party.c.id, party.c.code, party.c.roles).where(party.c.id.in_(wanted)))
    parties = {each.id: each for each in known}
    areas = {row["area"] for row in rows if row.get("area") is not None}
    licensees = select(network_area.c.id, network_area.c.code, network_area.c.licensee, party.c.code.label("of"))
    licensees = licensees.join(party, party.c.id == network_area.c.licensee).where(network_area.c.id.in_(areas))
    networks = {each.id: each for each in connection.execute(licensees)} if areas else {}
    for row in rows:
        for name, role in NEEDED_ROLES.items():
            found = parties.get(row.get(name))
            if found is not None and role not in found.roles:
                raise Refused(
                    "role",
                    f"The supply point {row['ean']} needs as its {name} a party with the role {role}; {found.code} is "
                    f"{', '.join(found.roles)}: give it that role or name another party.",
                )
        network = networks.get(row.get("area"))
        if network is not None and network.licensee != row["operator"]:
            raise Refused(
                "area",
                f"The supply point {row['ean']} is run by {parties[row['operator']].code}, the network {network.code} "
                f"by {network.of}; name a network of its operator.",
            )


def _ids(connection: Connection, codes: Sequence[str | None]) -> dict[Any, Any]:
    return {None: None, **ids_of(connection, party, "party", "code", codes)}


def _places(connection: Connection, specs: Sequence[Mapping[str, Any]]) -> dict[str, dict[Any, Any]]:
    """Ids of network areas and of objects by code, of all that are given."""
    return {
        name: {None: None, **ids_of(connection, table, what, "code", [spec.get(name) for spec in specs])}
        for name, table, what in (("area", network_area, "network area"), ("site_object", site_object, "object"))
    }


def require_supply_point(connection: Connection, ean: str, *, lock: bool = False) -> RowMapping:
    """A supply point by its EAN or EIC, or NotFound; with `lock` nobody else changes it in this transaction."""
    query = select(supply_point).where(supply_point.c.ean == ean)
    found = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if found is None:
        raise NotFound("supply_point_not_found", f"There is no supply point {ean}; check its digits.")
    return found


def revised_point(connection: Connection, row: RowMapping, changes: Mapping[str, Any], since: date) -> list[Version]:
    """The point's versions after a change from `since` on; parties, area and object are codes."""
    places = _places(connection, [changes])
    named = dict(changes) | {name: found[changes[name]] for name, found in places.items() if name in changes}
    codes = [changes[name] for name in ("operator", "supplier") if name in changes]
    parties = _ids(connection, codes)
    named |= {name: parties[changes[name]] for name in ("operator", "supplier") if name in changes}
    versions = revised(read_versions(connection, VERSIONED, row["id"]), named, since)
    for version in versions:
        check_supply_point({"ean": row["ean"], "commodity": row["commodity"], **version.facts})
    if {"operator", "supplier", "area"} & set(named):
        since_then = [version for version in versions if version.since is None or version.since >= since]
        require_parties(connection, [{**version.facts, "ean": row["ean"]} for version in since_then])
    return versions


def advanced(connection: Connection, row: RowMapping, act: point_states.Act, on: date) -> list[Version]:
    """The point's versions after an act that changes its state on a day.

    Refused when the state does not allow it, when it would come before the present state began, or when contracts
    outlive the point's end.
    """
    versions = read_versions(connection, VERSIONED, row["id"])
    state = versions[-1].facts["state"]
    reached = point_states.advance(row["ean"], state, act)
    began = versions[-1].since
    for version in reversed(versions):
        if version.facts["state"] != state:
            break
        began = version.since
    if began is not None and on <= began:
        raise Refused(
            "state_order",
            f"The supply point {row['ean']} is {state} since {began}: it cannot {act} on {on}, which is not after.",
        )
    if reached is point_states.State.ENDED:
        item = connection.execute(LATER_ITEMS, {"point": row["id"], "on": on}).first()
        if item is not None:
            raise Refused(
                "still_contracted",
                f"The supply point {row['ean']} is under contract {item.number} until "
                f"{item.until or 'further notice'}: it cannot end on {on}; close the item first.",
            )
    return revised(versions, {"state": str(reached)}, on)
