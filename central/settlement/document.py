"""The canonical document of a tenure: the registry facts that its input stands on, as they were known."""

import hashlib
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from central.settlement.facts import ChannelFacts, Named, PointFacts, Span, Tenure


def spelled(document: Any) -> str:
    """The one spelling of a document that digests are made of: JSON, sorted keys, no spaces."""
    return msgspec.json.encode(document, order="sorted").decode()


def digest_of(document: Any) -> str:
    """SHA-256 of the canonical spelling of a document, as "sha256:<hex>"."""
    return digest_of_text(spelled(document))


def digest_of_text(spelling: str) -> str:
    """SHA-256 of a canonical spelling, as "sha256:<hex>"."""
    return "sha256:" + hashlib.sha256(spelling.encode()).hexdigest()


def tenure_document(facts: PointFacts, tenure: Tenure) -> dict[str, Any]:
    """What a run keeps of a tenure; where facts changed within it, the last ones stand above and all in `parts`."""
    last, version = tenure.last, tenure.last.version
    document: dict[str, Any] = {
        "period": [tenure.first.isoformat(), tenure.end.isoformat()],
        "supply_point": {
            "id": facts.supply_point,
            "ean": facts.ean,
            "name": version.name,
            "object": version.object,
            "address": list(version.address),
            "commodity": facts.commodity.value,
            "level": version.level,
            "metering_type": version.metering_type,
            "category": version.category,
            "operator": _party(version.operator),
            "supplier": None if version.supplier is None else _party(version.supplier),
        },
        "contract": {
            "id": last.item.contract,
            "number": last.item.contract_number,
            "kind": last.item.contract_kind,
            "customer": _party(last.customer),
            "payer": _party(last.payer),
        },
        "item": _item(last),
        "channels": [_channel(channel) for channel in facts.channels],
        "parts": [_part(span) for span in tenure.spans],
    }
    own = facts.record.own.document(last.item.id, tenure.first, tenure.end)
    if own:
        document["own"] = own
    if facts.record.gas:
        document["gas"] = [
            {"channel": channel, **terms.document()} for channel, terms in sorted(facts.record.gas.items())
        ]
    if sharing := sharing_document(facts, tenure):
        document["sharing"] = sharing
    return document


def sharing_document(facts: PointFacts, tenure: Tenure) -> list[dict[str, Any]]:
    """What was allocated by sharing, by group: version, source and 0.01 kWh of each day; empty without any."""
    groups: dict[str, dict[str, Any]] = {}
    for each in facts.record.shared.days:
        if tenure.covers(each.day):
            told = [each.version, each.source, each.units]
            groups.setdefault(each.group, {"group": each.group, "days": {}})["days"][each.day.isoformat()] = told
    return [groups[group] for group in sorted(groups)]


def _item(span: Span) -> dict[str, Any]:
    item, agreed = span.item, span.agreed
    unmetered = {"unmetered_w": _number(item.unmetered_w), "unmetered_flat": item.unmetered_flat}
    return {
        "id": item.id,
        "prices": item.prices,
        "rate": item.rate,
        "breaker_phases": item.breaker_phases,
        "breaker_amps": item.breaker_amps,
        "reserved_capacity_year_kw": _number(agreed.get("reserved_capacity_year_kw")),
        "reserved_capacity_month_kw": _number(agreed.get("reserved_capacity_month_kw")),
        "reserved_input_kw": _number(agreed.get("reserved_input_kw")),
        "reserved_output_kw": _number(agreed.get("reserved_output_kw")),
        "annual_mwh": _number(item.annual_mwh),
        "gas_daily_capacity_m3": _number(item.gas_daily_capacity_m3),
        "gas_category": item.gas_category,
        "valid": [_day(item.since), _day(item.until)],
        **(unmetered if item.is_unmetered else {}),
    }


def _part(span: Span) -> dict[str, Any]:
    return {
        "from": span.first.isoformat(),
        "to": span.end.isoformat(),
        "level": span.version.level,
        "metering_type": span.version.metering_type,
        "package": {"name": span.book.name, "version": span.book.version, "checksum": span.book.checksum},
        "agreed": {name: str(value) for name, value in span.agreed.items()},
    }


def _channel(channel: ChannelFacts) -> Mapping[str, Any]:
    return {
        "id": channel.id,
        "direction": channel.direction,
        "kind": channel.kind,
        "unit": channel.unit,
        "exponent": channel.exponent,
        "mappings": [dict(mapping) for mapping in channel.mappings],
    }


def _party(party: Named) -> dict[str, Any]:
    return {"id": party.id, "code": party.code}


def _number(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()
