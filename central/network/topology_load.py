"""A whole topology at once, as a site file has it: elements in their states, what feeds them, what they feed."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any

from sqlalchemy import Connection, insert, select

from central.network.channels import by_name, validity_of
from central.network.point_tables import measuring_point
from central.network.topology import feed_element, supply_point
from central.network.topology_tables import element_supply, network_element, network_element_step, point_supply
from central.platform.errors import BadInput
from central.platform.identity import Person
from central.platform.reconcile import Outcome, any_of, reconcile
from shared.metering_day import PRAGUE

Spec = Mapping[str, Any]

_FACTS = ("name", "kind", "state", "project", "place", "rated_kva")


def create_elements(connection: Connection, specs: Sequence[Spec], person: Person) -> Outcome:
    """Create elements in the state that they have `since` a day, fed from `fed_from` from then on; once more without
    effect. What feeds comes before what is fed, so that nothing feeds itself.
    """
    names = [spec["name"] for spec in specs]
    _check_order(specs)
    stored = set(
        connection.execute(select(network_element.c.name).where(any_of(network_element.c.name, names))).scalars()
    )
    rows = [{**{name: spec.get(name) for name in _FACTS}, "state_since": spec["since"]} for spec in specs]
    done = reconcile(connection, network_element, "network element", ("name",), rows)
    fed = [spec for spec in specs if spec.get("fed_from") is not None]
    wanted = {(name,) for name in names} | {(spec["fed_from"],) for spec in fed}
    elements = by_name(connection, network_element, ("name",), wanted)
    steps = [
        {
            "element": elements[(spec["name"],)].id,
            "state": spec["state"],
            "since": spec["since"],
            "project": spec.get("project") or "",
            "person": person.name,
            "reason": "site file",
        }
        for spec in specs
        if spec["name"] not in stored
    ]
    if steps:
        connection.execute(insert(network_element_step), steps)
    supplies = []
    for spec in fed:
        element, source = elements[(spec["name"],)].id, elements[(spec["fed_from"],)].id
        begin = datetime.combine(spec["since"], time(), PRAGUE)
        row = {"element": element, "fed_from": source, "valid": validity_of(f"supply of {spec['name']}", begin, None)}
        if spec["name"] in stored and not _is_stored(connection, row):
            feed_element(connection, spec["name"], spec["fed_from"], begin)
        else:
            supplies.append(row)
    reconcile(connection, element_supply, "supply of an element", ("element", "valid"), supplies)
    return done


def create_point_supplies(connection: Connection, specs: Sequence[Spec]) -> Outcome:
    """Measuring points hang behind `element` and the meter of `parent` from `since` on; once more without effect."""
    points = by_name(connection, measuring_point, ("name",), {(spec["measuring_point"],) for spec in specs})
    named = {(spec["element"],) for spec in specs if spec.get("element") is not None}
    elements = by_name(connection, network_element, ("name",), named)
    rows, inserted = [], 0
    for spec in specs:
        what = f"supply of {spec['measuring_point']}"
        row = {
            "measuring_point": points[(spec["measuring_point"],)].id,
            "element": elements[(spec["element"],)].id if spec.get("element") is not None else None,
            "valid": validity_of(what, spec["since"], None),
        }
        if spec.get("parent") is None:
            rows.append({**row, "parent": None})
        elif not _has_supply(connection, row):
            # A parent may close a circle: that rule looks at one at a time.
            supply_point(connection, spec["measuring_point"], spec.get("element"), spec["parent"], spec["since"])
            inserted += 1
    done = reconcile(connection, point_supply, "supply of a measuring point", ("measuring_point", "valid"), rows)
    return Outcome(done.inserted + inserted, len(specs) - done.inserted - inserted)


def _check_order(specs: Sequence[Spec]) -> None:
    later = {spec["name"] for spec in specs}
    for spec in specs:
        if spec.get("fed_from") in later:
            raise BadInput(
                "supply_order",
                f"The element {spec['name']} is fed from {spec['fed_from']}, which comes after it or is it; put what "
                "feeds first.",
            )
        later.discard(spec["name"])


def _is_stored(connection: Connection, row: Spec) -> bool:
    table = element_supply
    query = select(table.c.id).where(table.c.element == row["element"], table.c.valid == row["valid"])
    return connection.execute(query).first() is not None


def _has_supply(connection: Connection, row: Spec) -> bool:
    table = point_supply
    query = select(table.c.id).where(table.c.measuring_point == row["measuring_point"], table.c.valid == row["valid"])
    return connection.execute(query).first() is not None
