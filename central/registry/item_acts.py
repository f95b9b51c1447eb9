"""The act that revises a contract item from a day on: weighed, made, recorded. For the routes, and for proposals."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection, RowMapping

from central.platform.change import Preview, look, sentence, weigh
from central.platform.hooks import Change
from central.platform.plain import plain
from central.registry import items
from central.registry.acts import Ask, record


def revise_item(
    connection: Connection, row: RowMapping, changes: Mapping[str, Any], since: date, ask: Ask
) -> int | Preview:
    """Let the locked item end on `since` and one with other facts begin; that one's number.

    With `ask.preview` only what would be touched. BadInput outside of the item's validity, Refused where a room
    objects or something touched was not confirmed.
    """
    items.require_inside(row, since)
    facts = items.revised_item(connection, row, changes)
    fields = frozenset(name for name, value in facts.items() if row[name] != value)
    change = change_of(row, "revise", since, fields)
    before, after = facts_of(row), plain(facts) | {"valid": [plain(since), plain(row["valid"].upper)]}
    if ask.preview:
        return look(connection, change, before, after)
    touched = weigh(connection, change, confirmed=ask.confirmed)
    made = items.split_item(connection, row, facts, since)
    record(connection, change, ask, before, after, [sentence(each) for each in touched])
    return made


def change_of(row: RowMapping, act: str, since: date, fields: frozenset[str]) -> Change:
    """An act on an item as other rooms weigh it."""
    name = f"{row['number']} of {row['ean']}"
    until = row["valid"].upper
    return Change("contract_item", row["id"], name, act, since, until, fields, (row["supply_point"],))


def facts_of(row: RowMapping) -> dict[str, Any]:
    """An item as it is recorded."""
    facts: dict[str, Any] = plain({name: row[name] for name in (*items.ITEM_FACTS, "ean", "valid")})
    return facts
