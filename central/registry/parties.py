"""Parties: create, find, require, revise."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, RowMapping, select, text

from central.platform.errors import BadInput, NotFound
from central.platform.overview import Column, Kind, Overview
from central.platform.reconcile import Outcome, ids_of, reconcile
from central.registry.form import Spec, check_party
from central.registry.party_tables import PARTY_FACTS, ROLES, party, party_past
from central.registry.versions import Version, Versioned, read_versions, revised

VERSIONED = Versioned(party, party_past, PARTY_FACTS)

_superior = party.alias("superior_party")

OVERVIEW = Overview(
    name="parties",
    source=party,
    key=party.c.id,
    joined=party.outerjoin(_superior, _superior.c.id == party.c.superior),
    columns=(
        Column("id", party.c.id, Kind.INTEGER),
        Column("code", party.c.code, searched=True),
        Column("name", party.c.name, searched=True, folded=party.c.name_folded),
        Column("role", party.c.roles, Kind.LIST, ROLES, sortable=False),
        *(
            Column(name, party.c[name])
            for name in (
                "ico", "dic", "street", "city", "postal_code", "country", "ean13", "eic", "iban", "licence",
                "registration", "email", "phone",
            )
        ),
        Column("vat_payer", party.c.vat_payer, Kind.BOOLEAN),
        Column("superior", party.c.superior, Kind.INTEGER),
        Column("superior_code", _superior.c.code, through=(party.c.superior, _superior.c.id)),
        Column("since", party.c.since, Kind.DATE),
    ),
    default_sort=(("name", False),),
    search=party.c.search,
)  # fmt: skip

POINTS_OF = text("""
    -- supply points whose billing names the party: customer or payer of their contract, operator, supplier
    SELECT ci.supply_point FROM contract_item ci JOIN contract c ON c.id = ci.contract
     WHERE (c.customer = :party OR c.payer = :party) AND (upper(ci.valid) IS NULL OR upper(ci.valid) > :since)
    UNION SELECT id FROM supply_point WHERE operator = :party OR supplier = :party
""")


def create_parties(connection: Connection, specs: Sequence[Spec]) -> Outcome:
    """Create parties from the fields of the table; `superior` is the superior distributor's code.

    `role` stands for `roles` with one role.
    """
    specs = [with_roles(spec) for spec in specs]
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


def with_roles(spec: Spec) -> dict[str, Any]:
    """The spec with `roles`, sorted and each once; `role` and `roles` together are taken together."""
    given = {name: value for name, value in spec.items() if name not in ("role", "roles")}
    roles = {*(spec.get("roles") or ()), *([spec["role"]] if spec.get("role") else ())}
    if not roles:
        raise BadInput("roles", f"The party {spec.get('code')} has no role; give at least one of {', '.join(ROLES)}.")
    return {**given, "roles": sorted(roles)}


def find_party(connection: Connection, code: str) -> RowMapping | None:
    """A party by its code."""
    return connection.execute(select(party).where(party.c.code == code)).mappings().first()


def require_party(connection: Connection, identifier: int, *, lock: bool = False) -> RowMapping:
    """A party by id, or NotFound; with `lock` nobody else changes it in this transaction."""
    query = select(party).where(party.c.id == identifier)
    found = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if found is None:
        raise NotFound("party_not_found", f"There is no party {identifier}.")
    return found


def revised_party(
    connection: Connection, row: RowMapping, changes: Mapping[str, Any], since: date
) -> tuple[list[Version], list[str]]:
    """The party's versions after a change from `since` on, and warnings; `superior` is a code."""
    changes = dict(changes)
    if changes.get("superior") is not None:
        changes["superior"] = ids_of(connection, party, "party", "code", [changes["superior"]])[changes["superior"]]
    if changes.get("roles") is not None:
        changes["roles"] = sorted(set(changes["roles"]))
    versions = revised(read_versions(connection, VERSIONED, row["id"]), changes, since)
    warnings = [check_party(version.facts) for version in versions][-1]
    return versions, warnings


def points_of(connection: Connection, identifier: int, since: date) -> tuple[int, ...]:
    """Supply points whose billing names the party on or after a day."""
    return tuple(connection.execute(POINTS_OF, {"party": identifier, "since": since}).scalars())
