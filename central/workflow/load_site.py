"""Load a whole site: all or nothing, and once more without effect."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection

from central.network.channels import create_channels, create_evidence_channels, create_mappings
from central.network.generated import look_again
from central.network.lines import create_attachments, create_buses
from central.network.meters import create_concentrators, create_meters
from central.network.mountings import create_mountings, mount_by_mappings
from central.network.points import create_boards, create_points
from central.network.registers import create_register_versions
from central.network.topology_load import create_elements, create_point_supplies
from central.platform import audit
from central.platform.identity import Person
from central.platform.reconcile import Outcome
from central.registry.contracts import create_contracts
from central.registry.parties import create_parties
from central.registry.points import create_supply_points
from central.workflow.site_file import Site

Specs = Sequence[Mapping[str, Any]]


def load_site(connection: Connection, site: Site, person: Person, at: datetime) -> dict[str, Outcome]:
    """Create everything the site names that is not stored yet, in the caller's transaction.

    Returns what was inserted and what was there, by section. What is stored with other values is Refused, what breaks
    a rule is BadInput: nothing of the site is in then, because the caller's transaction ends.
    """
    verbs: dict[str, Callable[[Connection, Specs], Outcome]] = {
        "parties": create_parties,
        "supply_points": create_supply_points,
        "contracts": create_contracts,
        "concentrators": create_concentrators,
        "meters": create_meters,
        "boards": create_boards,
        "measuring_points": create_points,
        "mountings": create_mountings,
        "buses": create_buses,
        "attachments": create_attachments,
        "evidence_channels": create_evidence_channels,
        "register_versions": create_register_versions,
        "channels": create_channels,
        "mappings": create_mappings,
        "network_elements": partial(create_elements, person=person),
        "point_supplies": create_point_supplies,
    }
    outcomes = {
        section: verb(connection, [_plain(item) for item in getattr(site, section)]) for section, verb in verbs.items()
    }
    if outcomes["mappings"].inserted:
        mount_by_mappings(connection, [mapping.meter for mapping in site.mappings])
    inserted = {section: outcome.inserted for section, outcome in outcomes.items() if outcome.inserted}
    if inserted:
        look_again(connection, [bus.concentrator for bus in site.buses] + [at.concentrator for at in site.attachments])
        audit.record(connection, person, "site.load", f"site/{site.name}", inserted, at)
    return outcomes


def _plain(item: msgspec.Struct) -> dict[str, Any]:
    """The section's item as a dictionary, items of a contract included."""
    return {
        name: [_plain(part) if isinstance(part, msgspec.Struct) else part for part in value]
        if isinstance(value, list)
        else value
        for name, value in msgspec.structs.asdict(item).items()
    }
