"""Records into things to create, by section, each with the lines that bring it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from central.network.continuation import evidence_of, versions_of
from central.network.meter_templates import MeterTemplate, registers_of
from central.workflow.registry_import.fields import FIELDS
from central.workflow.registry_import.mapping import KEYS, RegistryMapping
from central.workflow.registry_import.reading import Problems, Record, column_of, given_sections

ORDER: Final = (
    "party", "supply_point", "contract", "concentrator", "bus", "board", "measuring_point", "meter", "mounting",
    "attachment", "evidence_channel", "register_version", "channel", "mapping",
)  # fmt: skip
"""What is named comes before what names it."""


@dataclass(slots=True)
class Entry:
    """A thing to create with the lines that bring it; `field` is where its faults are shown."""

    section: str
    spec: dict[str, Any]
    lines: list[int]
    field: str


@dataclass(slots=True)
class Planned:
    """Entries by section, in the order of the file."""

    entries: dict[str, list[Entry]] = field(default_factory=lambda: {section: [] for section in ORDER})
    _known: dict[tuple[str, str], Entry] = field(default_factory=dict)

    def add(self, section: str, spec: dict[str, Any], line: int, shown: str) -> None:
        """A thing that nothing else in the file can be."""
        self.entries[section].append(Entry(section, spec, [line], shown))

    def meet(self, section: str, key: str, spec: dict[str, Any], line: int) -> tuple[Entry, tuple[str, ...]]:
        """A thing that several rows may name; gives it and the facts in which this row differs from the first."""
        known = self._known.get((section, key))
        if known is None:
            known = Entry(section, spec, [line], KEYS[section])
            self._known[section, key] = known
            self.entries[section].append(known)
            return known, ()
        differing = tuple(name for name, value in spec.items() if known.spec[name] != value)
        if not differing:
            known.lines.append(line)
        return known, differing


def plan(
    records: Sequence[Record],
    mapping: RegistryMapping,
    templates: Mapping[str, MeterTemplate],
    problems: Problems,
) -> Planned:
    """What the records bring. Things that differ between two lines are problems that name both."""
    planned = Planned()
    for record in records:
        before = problems.count
        given = given_sections(record.values)
        if not given:
            problems.add(record.line, None, None, f"Line {record.line} only names things; expected facts of one.")
        if "party" in given:
            _meet(planned, record, "party", mapping, problems)
        if "supply_point" in given and mapping.content == "supply_points":
            _meet(planned, record, "supply_point", mapping, problems)
        if given & {"contract", "item"} and problems.count == before:
            _contract(planned, record, given, mapping, problems)
        if mapping.content == "meters" and problems.count == before:
            _meter(planned, record, given, mapping, templates, problems)
    return planned


def facts_of(record: Record, section: str) -> dict[str, Any]:
    """The facts of one thing in a record."""
    return {FIELDS[name].fact: value for name, value in record.values.items() if FIELDS[name].section == section}


def _meet(
    planned: Planned,
    record: Record,
    section: str,
    mapping: RegistryMapping,
    problems: Problems,
    spec: dict[str, Any] | None = None,
) -> Entry:
    key = record.values[KEYS[section]]
    facts = facts_of(record, section) if spec is None else spec
    entry, differing = planned.meet(section, str(key), facts, record.line)
    for fact in differing:
        name = f"{section}.{fact}"
        problems.add(
            record.line,
            column_of(mapping, name),
            record.texts.get(name),
            f"The {section.replace('_', ' ')} {key} has the {fact} {facts[fact]} here and {entry.spec[fact]} on line "
            f"{entry.lines[0]}; expected the same.",
        )
    return entry


def _contract(planned: Planned, record: Record, given: set[str], mapping: RegistryMapping, problems: Problems) -> None:
    number, ean = record.values.get("contract.number"), record.values.get("supply_point.ean")
    if number is None or ("item" in given and ean is None):
        missing = "contract.number" if number is None else "supply_point.ean"
        problems.add(
            record.line, column_of(mapping, missing), "", f"Nothing is given; expected {missing}, as the row has terms."
        )
        return
    before = problems.count
    entry = _meet(planned, record, "contract", mapping, problems)
    if problems.count > before:
        return
    entry.spec.setdefault("items", [])
    if "item" in given:
        facts = facts_of(record, "item")
        phases = facts.get("breaker_phases")
        if phases is not None:
            facts["breaker_phases"] = int(phases)
        entry.spec["items"].append({**facts, "supply_point": ean, "_line": record.line})


def _meter(
    planned: Planned,
    record: Record,
    given: set[str],
    mapping: RegistryMapping,
    templates: Mapping[str, MeterTemplate],
    problems: Problems,
) -> None:
    values, line = record.values, record.line
    if "concentrator" in given:
        _meet(planned, record, "concentrator", mapping, problems)
    if "bus" in given:
        _bus(planned, record, mapping, problems)
    if "board" in given:
        _meet(planned, record, "board", mapping, problems, {"name": values["board.name"], "kind": "board"})
    if "measuring_point" in given:
        # Where several meters of a file hang, the place takes what the first line says.
        spec = {
            "name": values["measuring_point.name"],
            "commodity": values.get("meter.commodity"),
            "place": values.get("measuring_point.place") or "",
            "board": values.get("board.name"),
        }
        _meet(planned, record, "measuring_point", mapping, problems, spec)
    if "meter" not in given:
        return
    for needed in ("concentrator.id", "measuring_point.name"):
        if values.get(needed) is None:
            message = f"Nothing is given; expected the {needed.replace('.', ' ').replace('_', ' ')} of the meter."
            problems.add(line, column_of(mapping, needed), "", message)
            return
    name = values["meter.template"]
    template = templates.get(name)
    if template is None or template.commodity != values["meter.commodity"]:
        fitting = [each for each, known in templates.items() if known.commodity == values["meter.commodity"]]
        problems.add(
            line,
            column_of(mapping, "meter.template"),
            record.texts.get("meter.template"),
            f"There is no meter template {name!r} of {values['meter.commodity']}; expected one of "
            f"{', '.join(fitting)}.",
        )
        return
    _hang(planned, record, name, template)


def _bus(planned: Planned, record: Record, mapping: RegistryMapping, problems: Problems) -> None:
    values = record.values
    facts = {name: values.get(f"bus.{name}") for name in ("protocol", "host", "port")}
    missing = [name for name, value in facts.items() if value is None]
    if missing or values.get("concentrator.id") is None:
        name = f"bus.{missing[0]}" if missing else "concentrator.id"
        problems.add(
            record.line, column_of(mapping, name), "", f"Nothing is given; expected {name}, as the row brings a bus."
        )
        return
    concentrator, bus = values["concentrator.id"], values["bus.name"]
    spec = {
        "concentrator": concentrator,
        "name": bus,
        "protocol": facts["protocol"],
        "link": {"kind": "tcp", "host": facts["host"], "port": facts["port"]},
        "phase_ms": 0,
    }
    entry, differing = planned.meet("bus", f"{concentrator} {bus}", spec, record.line)
    if differing:
        problems.add(
            record.line,
            column_of(mapping, "bus.name"),
            bus,
            f"The bus {bus} of {concentrator} has another protocol or address here than on line {entry.lines[0]}; "
            "expected the same.",
        )


def _hang(planned: Planned, record: Record, name: str, template: MeterTemplate) -> None:
    values, line = record.values, record.line
    meter, point, since = values["meter.id"], values["measuring_point.name"], values["meter.since"]
    spec = {fact: values[f"meter.{fact}"] for fact in ("id", "serial", "model", "commodity")}
    spec |= {"concentrator": values["concentrator.id"], "place": values.get("meter.place") or ""}
    planned.add("meter", spec, line, "meter.id")
    planned.add("mounting", {"meter": meter, "measuring_point": point, "since": since}, line, "measuring_point.name")
    if values.get("bus.name") is not None and values.get("meter.address") is not None:
        attachment = {
            "meter": meter,
            "concentrator": values["concentrator.id"],
            "bus": values["bus.name"],
            "address": values["meter.address"],
            "template": name,
            "since": since,
            "channel": values.get("meter.channel") or 0,
        }
        planned.add("attachment", attachment, line, "meter.address")
    registers = registers_of(name, template)
    constant = values.get("meter.multiplier") or 1
    for register in registers:
        planned.add("evidence_channel", evidence_of(meter, register), line, "meter.template")
    for version in versions_of(meter, registers, constant, since):
        digits = values.get("meter.digits") or version["digits"]
        planned.add("register_version", {**version, "digits": digits}, line, "meter.multiplier")
    for register in registers:
        if register.facts.feeds is None:
            continue
        channel = {
            "point": point,
            "direction": register.facts.feeds,
            "commodity": values["meter.commodity"],
            "unit": register.unit,
            "exponent": register.exponent,
            "supply_point": values.get("supply_point.ean"),
            "kind": register.kind,
            "step_s": register.step_ms // 1000 or None,
        }
        planned.add("channel", channel, line, "supply_point.ean")
        fed = {name: channel[name] for name in ("point", "direction", "kind")}
        multiplier = constant * register.facts.multiplier
        mapped = {**fed, "meter": meter, "register": register.register, "multiplier": multiplier, "since": since}
        planned.add("mapping", mapped, line, "meter.multiplier")
