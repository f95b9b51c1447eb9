"""A site as tables of customers, supply points and meters that central imports (docs/registry-import.md)."""

from collections.abc import Iterator
from typing import Any

import msgspec

from central.workflow.registry_import.applying import number_of
from central.workflow.registry_import.mapping import Content
from central.workflow.site_file import Site

Record = dict[str, Any]


def records(site: Site, content: Content) -> Iterator[Record]:
    """The rows of one table by field. In this order they can be imported: parties, supply points, meters."""
    yield from {"parties": _parties, "supply_points": _points, "meters": _meters}[content](site)


def _facts(section: str, thing: msgspec.Struct | None) -> Record:
    return (
        {} if thing is None else {f"{section}.{name}": value for name, value in msgspec.structs.asdict(thing).items()}
    )


def _parties(site: Site) -> Iterator[Record]:
    for party in site.parties:
        roles = sorted({*party.roles, *([party.role] if party.role else [])})
        yield {**_facts("party", party), "party.roles": roles}


def _points(site: Site) -> Iterator[Record]:
    items: dict[str, list[Record]] = {}
    for contract in site.contracts:
        header = {name: value for name, value in _facts("contract", contract).items() if name != "contract.items"}
        header["contract.payer"] = contract.payer or contract.customer
        for item in contract.items:
            items.setdefault(item.supply_point, []).append({**header, **_facts("item", item)})
    for point in site.supply_points:
        facts = _facts("supply_point", point)
        for terms in items.get(point.ean, [{}]):
            yield {**facts, **terms}


def _meters(site: Site) -> Iterator[Record]:
    places = {point.name: point for point in site.measuring_points}
    hung = {mounting.meter: mounting for mounting in site.mountings}
    attached = {attachment.meter: attachment for attachment in site.attachments}
    concentrators = {concentrator.id: concentrator for concentrator in site.concentrators}
    buses = {(bus.concentrator, bus.name): bus for bus in site.buses}
    supplied = {channel.point: channel.supply_point for channel in site.channels}
    constants: dict[str, int] = {}
    for mapping in site.mappings:
        constants[mapping.meter] = min(constants.get(mapping.meter, mapping.multiplier), mapping.multiplier)
    for meter in site.meters:
        mounting, attachment = hung[meter.id], attached[meter.id]
        place, bus = places[mounting.measuring_point], buses[attachment.concentrator, attachment.bus]
        yield {
            **_facts("meter", meter),
            **_facts("concentrator", concentrators[attachment.concentrator]),
            "bus.name": bus.name,
            "bus.protocol": bus.protocol,
            "bus.host": bus.link.get("host"),
            "bus.port": bus.link.get("port"),
            "board.name": place.board,
            "measuring_point.name": place.name,
            "measuring_point.place": place.place,
            "meter.since": mounting.since,
            "meter.template": attachment.template,
            "meter.address": number_of(attachment.address),
            "meter.channel": attachment.channel,
            "meter.multiplier": constants.get(meter.id, 1),
            "supply_point.ean": supplied.get(place.name),
        }
