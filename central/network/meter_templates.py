"""Templates by meter type: how a concentrator reads such a meter, and what its registers feed. Shape, shipped ones.

A template is data: `device` is a device of a concentrator's configuration without id and address (or the name of a
shared device template, shared/device_templates), `registers` says of its registers what the wire does not: which
direction they feed, their digits and tariff.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta
from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from central.network.line_tables import meter_template
from central.platform.errors import BadInput, NotFound
from central.platform.identity import Person
from shared.device_templates import shipped_templates

SHIPPED: Final = Path(__file__).parent / "meter_templates"
NOT_IN_A_TEMPLATE: Final = ("id", "template", "address.physical", "address.unit", "address.device", "profile.since")
"""What each meter has of its own."""

Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class RegisterFacts(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Of one register that the device part reads: what it feeds and what stands on its face."""

    register: str
    feeds: Literal["A+", "A-", "R+", "R-", "V", "VT", "NT", "JT"] | None = None
    """Direction of the channel that it feeds; none: evidence only."""
    digits: Annotated[int, Meta(ge=1, le=18)] | None = None
    multiplier: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    """The register's own constant."""
    tariff: Literal["VT", "NT", "JT"] | None = None
    obis: str | None = None
    min_value: int | None = None
    max_value: int | None = None


class MeterTemplate(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How meters of some models are read and what they feed."""

    models: list[str]
    """Models of meters that it is proposed for."""
    commodity: Literal["electricity", "gas"]
    device: dict[str, Any] | str
    registers: list[RegisterFacts]
    check_serial: bool = False
    """The concentrator compares the serial number that the meter says with the registry's."""


@dataclass(frozen=True, slots=True)
class TemplateRegister:
    """A register as the device part delivers it, with its facts; `step_ms` 0 for states."""

    register: str
    unit: str
    exponent: int
    kind: Literal["interval", "state"]
    step_ms: int
    facts: RegisterFacts


def parse_template(name: str, body: Any) -> MeterTemplate:
    """The checked template; BadInput names the place."""
    try:
        template = msgspec.convert(body, MeterTemplate)
        msgspec.convert(name, Name)
    except msgspec.ValidationError as error:
        raise BadInput("meter_template", f"The meter template {name!r} does not follow its schema: {error}.") from None
    device = device_of(name, template)
    for place in NOT_IN_A_TEMPLATE:
        part: Any = device
        for step in place.split("."):
            part = part.get(step) if isinstance(part, dict) else None
        if part is not None:
            raise BadInput("meter_template", f"The meter template {name!r} gives {place}, which each meter has itself.")
    if has_secret(device):
        raise BadInput("meter_template", f"The meter template {name!r} holds a key; keys are set for each meter.")
    registers_of(name, template)
    return template


def device_of(name: str, template: MeterTemplate) -> Mapping[str, Any]:
    """The device part of a template, a shared one by its name."""
    if not isinstance(template.device, str):
        return template.device
    shared = shipped_templates().get(template.device)
    if shared is None:
        raise BadInput(
            "meter_template",
            f"The meter template {name!r} names the device template {template.device!r}; there are "
            f"{', '.join(shipped_templates())}.",
        )
    return shared


def registers_of(name: str, template: MeterTemplate) -> Sequence[TemplateRegister]:
    """What a meter read by this template delivers. Raises BadInput where facts name a register that is not read."""
    facts = {each.register: each for each in template.registers}
    found = []
    for register, unit, exponent, kind, step_ms in _delivered(name, device_of(name, template)):
        own = facts.get(register) or RegisterFacts(register=register)
        found.append(TemplateRegister(register, unit, exponent, kind, step_ms, own))
    names = [each.register for each in found]
    for each in facts:
        if each not in names:
            raise BadInput(
                "meter_template",
                f"The meter template {name!r} says what the register {each} feeds, which its device does not read; "
                f"it reads {', '.join(names) or 'nothing'}.",
            )
    return found


def _delivered(name: str, device: Mapping[str, Any]) -> list[tuple[str, str, int, Any, int]]:
    try:
        profile, states = device.get("profile") or {}, device.get("states") or {}
        # A column of a profile may hold a counter: evidence of states, then.
        columns = [
            (
                str(each["register"]),
                str(each["unit"]),
                int(each.get("exponent", 0)),
                each.get("kind", "interval"),
                int(profile["step_s"]) * 1000 if each.get("kind", "interval") == "interval" else 0,
            )
            for each in profile.get("registers", ())
        ]
        sampled = [
            (str(each["register"]), str(each["unit"]), int(each.get("exponent", 0)), "state", 0)
            for each in states.get("registers", ())
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(
            "meter_template", f"The meter template {name!r}: its profile or states lack {error}; see the schema."
        ) from None
    return columns + [each for each in sampled if each[0] not in {column[0] for column in columns}]


def has_secret(data: Any) -> bool:
    """Whether a part of a configuration holds a key, open or sealed, however deep."""
    if isinstance(data, dict):
        return bool({"secret", "sealed"} & data.keys()) or any(map(has_secret, data.values()))
    return isinstance(data, list) and any(map(has_secret, data))


@lru_cache
def shipped_meter_templates() -> Mapping[str, MeterTemplate]:
    """The templates that come with central, by name."""
    return {
        path.stem: parse_template(path.stem, msgspec.json.decode(path.read_bytes()))
        for path in sorted(SHIPPED.glob("*.json"))
    }


def find_templates(connection: Connection) -> Mapping[str, MeterTemplate]:
    """All templates by name: those of the database come before shipped ones."""
    stored = connection.execute(select(meter_template.c.name, meter_template.c.body))
    own = {name: msgspec.convert(body, MeterTemplate) for name, body in stored}
    return dict(sorted({**shipped_meter_templates(), **own}.items()))


def require_template(connection: Connection, name: str) -> MeterTemplate:
    """A template by name, or NotFound."""
    return template_of(find_templates(connection), name)


def template_of(found: Mapping[str, MeterTemplate], name: str) -> MeterTemplate:
    """The one of this name among templates, or NotFound."""
    if name not in found:
        raise NotFound(
            "meter_template_not_found", f"There is no meter template {name!r}; there are {', '.join(found)}."
        )
    return found[name]


def put_template(connection: Connection, name: str, body: Any, person: Person, now: datetime) -> MeterTemplate:
    """Store a template under a name, over what was there."""
    template = parse_template(name, body)
    row = {"name": name, "body": msgspec.to_builtins(template), "made_at": now, "made_by": person.name}
    statement = insert(meter_template).values(row)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={**row}))
    return template
