"""Routes of what a concentrator reads with: meter templates, keys of meters, configurations from the registry."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from sqlalchemy import RowMapping

from central.network import generated, lines, meter_keys, meter_templates
from central.network.meters import require_meter
from central.network.web import Body, Instant, Operator, Reader, Reason, Store, Tree
from central.platform import audit
from central.platform.etag import IfMatch, require_match, show
from central.platform.web import Db, Now

router = APIRouter()


class TemplateIn(Body):
    """A template by meter type; its shape is checked as data."""

    template: Tree
    reason: Reason


class TemplateOut(BaseModel):
    """A template with the registers that it delivers."""

    name: str
    template: dict[str, Any]
    registers: list[dict[str, Any]]


class KeyIn(Body):
    """A meter's key, `hex:` and 32 digits; stored encrypted and shown nowhere."""

    secret: Annotated[str, Field(max_length=200, repr=False)]
    reason: Reason


class KeyOut(BaseModel):
    """What is known of a key; never the key."""

    field: str
    version: int
    set_at: datetime
    set_by: str
    replaced_at: datetime | None


class Management(Body):
    """The registry makes the configuration; `settings` are its fields that are no meter's."""

    settings: Tree = Field(default_factory=dict)
    reason: Reason


class Release(Body):
    """Why the configuration is made by hand again."""

    reason: Reason


class Preview(BaseModel):
    """What the registry would have a concentrator run; keys by meter, field and version."""

    concentrator: str
    managed: bool
    at: datetime
    number: int | None
    configuration: dict[str, Any]
    differences: list[dict[str, Any]]
    problems: list[str]


@router.get("/meter-templates", summary="Templates by meter type")
def find_templates(connection: Db, _: Reader, model: str | None = None) -> list[TemplateOut]:
    """Shipped ones and those of this installation; of one model, or all."""
    found = meter_templates.find_templates(connection)
    return [_template(name, each) for name, each in found.items() if model is None or model in each.models]


@router.get("/meter-templates/{name}", summary="One template")
def get_template(connection: Db, _: Reader, response: Response, name: str) -> TemplateOut:
    """Its tag is in the header ETag."""
    found = _template(name, meter_templates.require_template(connection, name))
    show(response, found.model_dump())
    return found


@router.put("/meter-templates/{name}", summary="Store a template")
def put_template(
    connection: Db,
    person: Operator,
    clock: Now,
    store: Store,
    response: Response,
    name: str,
    body: TemplateIn,
    if_match: IfMatch = None,
) -> TemplateOut:
    """One that is there needs If-Match. Managed concentrators with meters that it reads get new configurations."""
    before = meter_templates.find_templates(connection).get(name)
    if before is not None:
        require_match(if_match, _template(name, before).model_dump(), f"the meter template {name}")
    now = clock.now()
    stored = meter_templates.put_template(connection, name, body.template, person, now)
    audit.record(
        connection,
        person,
        "meter_template.put",
        f"meter_template/{name}",
        {},
        now,
        before=None if before is None else msgspec.to_builtins(before),
        after=msgspec.to_builtins(stored),
        why=body.reason,
    )
    touched = {row["concentrator"] for row in lines.find_attachments(connection) if row["template"] == name}
    generated.regenerate(connection, store, touched, body.reason, person, now)
    found = _template(name, stored)
    show(response, found.model_dump())
    return found


@router.get("/meters/{identifier}/keys", summary="What is known of a meter's keys")
def find_keys(connection: Db, _: Reader, identifier: str) -> list[KeyOut]:
    """Versions, when and by whom; no key."""
    require_meter(connection, identifier)
    return [KeyOut(**row) for row in meter_keys.find_keys(connection, identifier)]


@router.put("/meters/{identifier}/keys/{field}", status_code=201, summary="Set a meter's key")
def set_key(
    connection: Db, person: Operator, clock: Now, store: Store, identifier: str, field: str, body: KeyIn
) -> list[KeyOut]:
    """The one before is kept as replaced; the concentrator gets the new one sealed, in a new configuration."""
    now = clock.now()
    meter_keys.set_key(connection, store, identifier, field, body.secret, person, now)
    at_work = {row["concentrator"] for row in lines.find_attachments(connection, meter=identifier)}
    generated.regenerate(connection, store, at_work, body.reason, person, now)
    return find_keys(connection, person, identifier)


@router.put("/concentrators/{identifier}/management", summary="Let the registry make the configuration")
def manage(
    connection: Db,
    person: Operator,
    clock: Now,
    store: Store,
    response: Response,
    identifier: str,
    body: Management,
    if_match: IfMatch = None,
) -> Preview:
    """From now on every change of its meters, buses and keys makes a new number. Other settings need If-Match."""
    known = generated.find_managed(connection, identifier, lock=True)
    if known is not None:
        require_match(if_match, _settings(known), f"the settings of {identifier}")
    generated.manage(connection, store, identifier, body.settings, body.reason, person, clock.now())
    return _preview(connection, response, identifier, clock.now())


@router.post("/concentrators/{identifier}/management/release", summary="Make the configuration by hand again")
def release(connection: Db, person: Operator, clock: Now, identifier: str, body: Release) -> Preview:
    """What runs goes on."""
    generated.release(connection, identifier, body.reason, person, clock.now())
    return Preview(**generated.preview(connection, identifier, clock.now()))


@router.get("/concentrators/{identifier}/generated-configuration", summary="What the registry would have it run")
def preview(
    connection: Db, _: Reader, clock: Now, response: Response, identifier: str, at: Instant | None = None
) -> Preview:
    """At an instant (now), with what differs from what was generated last, and what the schema would refuse.

    The tag of a managed concentrator's settings is in the header ETag.
    """
    return _preview(connection, response, identifier, at or clock.now())


def _preview(connection: Db, response: Response, identifier: str, at: datetime) -> Preview:
    found = Preview(**generated.preview(connection, identifier, at))
    known = generated.find_managed(connection, identifier)
    if known is not None:
        show(response, _settings(known))
    return found


def _settings(managed: RowMapping) -> dict[str, Any]:
    return {name: managed[name] for name in ("concentrator", "settings", "since")}


def _template(name: str, template: meter_templates.MeterTemplate) -> TemplateOut:
    registers = [msgspec.to_builtins(each) for each in meter_templates.registers_of(name, template)]
    return TemplateOut(name=name, template=msgspec.to_builtins(template), registers=registers)
