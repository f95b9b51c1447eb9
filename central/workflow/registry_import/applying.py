"""Create what a plan names through the verbs of the rooms, by sets; what they refuse is traced to its lines.

A set that a verb refuses is taken back (savepoint) and given in halves, until the single thing that it refuses stands
alone: so that every fault is found, each by the rule of the room and in its words, and n good things still cost few
statements.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, select
from sqlalchemy.exc import DataError

from central.network.channels import create_channels, create_evidence_channels, create_mappings
from central.network.generated import look_again
from central.network.line_tables import bus
from central.network.lines import create_attachments, create_buses
from central.network.meters import create_concentrators, create_meters
from central.network.mountings import create_mountings
from central.network.point_tables import board
from central.network.points import create_boards, create_points
from central.network.registers import create_register_versions
from central.platform.errors import DomainError
from central.platform.reconcile import Outcome, any_of
from central.registry.contracts import create_contracts
from central.registry.parties import create_parties
from central.registry.points import create_supply_points
from central.workflow.registry_import.fields import FIELDS
from central.workflow.registry_import.mapping import RegistryMapping
from central.workflow.registry_import.planning import ORDER, Entry, Planned
from central.workflow.registry_import.reading import MOST_PROBLEMS, Problems, Record, column_of

Specs = Sequence[Mapping[str, Any]]
Verb = Callable[[Connection, Specs], Outcome]

SHOWN: Final = {
    "party": "parties",
    "supply_point": "supply_points",
    "contract": "contracts",
    "concentrator": "concentrators",
    "bus": "buses",
    "board": "boards",
    "measuring_point": "measuring_points",
    "meter": "meters",
    "mounting": "mountings",
    "attachment": "attachments",
    "evidence_channel": "evidence_channels",
    "register_version": "register_versions",
    "channel": "channels",
    "mapping": "mappings",
}
"""Sections as the counts name them: as in a site file."""


def apply(
    connection: Connection, planned: Planned, records: Sequence[Record], mapping: RegistryMapping, problems: Problems
) -> dict[str, Outcome]:
    """Create everything planned that is not stored; what is refused is added to the problems. Gives counts by section.

    Lines with faults bring nothing more. The caller takes everything back where there are problems.
    """
    texts = {record.line: record.texts for record in records}
    outcomes: dict[str, Outcome] = {}
    for section in ORDER:
        entries = [
            _without_faulty_items(entry, problems.lines)
            for entry in planned.entries[section]
            if not problems.lines.issuperset(entry.lines)
        ]
        applied = _Applied(connection, _VERBS[section], mapping, texts, problems)
        applied.take(entries)
        outcomes[SHOWN[section]] = Outcome(applied.inserted, applied.unchanged)
    touched = [entry.spec["concentrator"] for entry in planned.entries["attachment"]]
    if not problems.count and (outcomes["attachments"].inserted or outcomes["buses"].inserted):
        look_again(connection, touched + [entry.spec["concentrator"] for entry in planned.entries["bus"]])
    return outcomes


class _Applied:
    """One section on its way into the database."""

    def __init__(
        self,
        connection: Connection,
        verb: Verb,
        mapping: RegistryMapping,
        texts: Mapping[int, Mapping[str, str]],
        problems: Problems,
    ) -> None:
        self.inserted = self.unchanged = 0
        self._connection, self._verb, self._mapping = connection, verb, mapping
        self._texts, self._problems = texts, problems

    def take(self, entries: Sequence[Entry]) -> None:
        """Create the entries; halves where they are refused together."""
        if not entries or self._problems.count >= MOST_PROBLEMS:
            return
        try:
            with self._connection.begin_nested():
                outcome = self._verb(self._connection, [entry.spec for entry in entries])
        except DomainError as error:
            self._refused(entries, error.code, error.message)
        except DataError as error:
            self._refused(entries, "value", f"The database cannot hold a value: {str(error.orig).splitlines()[0]}")
        else:
            self.inserted += outcome.inserted
            self.unchanged += outcome.unchanged

    def _refused(self, entries: Sequence[Entry], code: str, message: str) -> None:
        if len(entries) > 1:
            half = len(entries) // 2
            self.take(entries[:half])
            self.take(entries[half:])
            return
        entry = entries[0]
        if entry.section == "contract" and len(entry.spec["items"]) > 1:
            # Header first, then each item by itself: the fault belongs to its line.
            items = entry.spec["items"]
            self.take([Entry(entry.section, {**entry.spec, "items": []}, entry.lines, entry.field)])
            if not self._problems.lines.issuperset(entry.lines):
                for item in items:
                    one = {**entry.spec, "items": [item]}
                    self.take([Entry(entry.section, one, [item["_line"]], "supply_point.ean")])
            return
        line = entry.lines[-1] if entry.section == "contract" else entry.lines[0]
        shown = next((name for name in _blamed(entry.section, code) if name in self._mapping.columns), entry.field)
        text = self._texts.get(line, {}).get(shown)
        self._problems.add(line, column_of(self._mapping, shown), text, message)
        self._problems.lines.update(entry.lines)


def _without_faulty_items(entry: Entry, faulty: set[int]) -> Entry:
    """A contract without the items of faulty lines; all else as it is."""
    if entry.section != "contract":
        return entry
    items = [item for item in entry.spec.get("items", ()) if item["_line"] not in faulty]
    return Entry(entry.section, {**entry.spec, "items": items}, entry.lines, entry.field)


def _blamed(section: str, code: str) -> list[str]:
    """Fields that an error's code is about, the best first."""
    fact = {"breaker": "breaker_amps", "reserved_capacity": "reserved_capacity_year_kw"}.get(code, code)
    fact = fact.removesuffix("_not_found")
    named = [f"{section}.{fact}"] if section != "contract" else [f"contract.{fact}", f"item.{fact}"]
    if code.endswith("_not_found"):
        named += [f"{section}.{name}" for name in ("operator", "customer", "superior") if fact == "party"]
        named += ["supply_point.ean"] if fact == "supply_point" else []
    return [name for name in named if name in FIELDS]


def _contracts(connection: Connection, specs: Specs) -> Outcome:
    cleaned = [
        {**spec, "items": [_without_line(item) for item in spec["items"]]}
        for spec in specs
    ]  # fmt: skip
    return create_contracts(connection, cleaned)


def _without_line(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != "_line"}


def _boards(connection: Connection, specs: Specs) -> Outcome:
    """A file only names boards: one that is there may be a cabinet and stand anywhere."""
    query = select(board.c.name).where(any_of(board.c.name, [spec["name"] for spec in specs]))
    stored = set(connection.execute(query).scalars())
    done = create_boards(connection, [spec for spec in specs if spec["name"] not in stored])
    return Outcome(done.inserted, done.unchanged + len(stored))


def _attachments(connection: Connection, specs: Specs) -> Outcome:
    """A number is the address that it is under the bus's protocol."""
    query = select(bus.c.concentrator, bus.c.name, bus.c.protocol)
    chosen = any_of(bus.c.concentrator, sorted({spec["concentrator"] for spec in specs}))
    protocols = {(row.concentrator, row.name): row.protocol for row in connection.execute(query.where(chosen))}
    return create_attachments(
        connection,
        [
            {**spec, "address": address_of(protocols.get((spec["concentrator"], spec["bus"]), ""), spec["address"])}
            for spec in specs
        ],
    )


def address_of(protocol: str, number: int) -> dict[str, Any]:
    """A meter's address on a bus by its number: unit (Modbus), device (IEC 62056-21), server (DLMS over TCP), physical
    address (HDLC)."""
    if protocol.startswith("modbus"):
        return {"unit": number}
    if protocol == "iec62056-21":
        return {"device": str(number)}
    if protocol == "dlms-wrapper":
        return {"server": number}
    return {"server": 1, "physical": number}


def number_of(address: Mapping[str, Any]) -> int | None:
    """The number of an address, None where it has none."""
    for name in ("unit", "device", "physical", "server"):
        if str(address.get(name, "")).isdigit():
            return int(address[name])
    return None


_VERBS: Final[dict[str, Verb]] = {
    "party": create_parties,
    "supply_point": create_supply_points,
    "contract": _contracts,
    "concentrator": create_concentrators,
    "bus": create_buses,
    "board": _boards,
    "measuring_point": create_points,
    "meter": create_meters,
    "mounting": create_mountings,
    "attachment": _attachments,
    "evidence_channel": create_evidence_channels,
    "register_version": create_register_versions,
    "channel": create_channels,
    "mapping": create_mappings,
}
