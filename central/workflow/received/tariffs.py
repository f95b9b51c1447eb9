"""Rate and breaker of billing data against the items of our contracts: what differs is a change that can be taken."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, text

from central.market.conversation.proposals import Deciding, Kind
from central.market.payloads.billing_data import BilledTariff, BillingDocument
from central.market.received import Proposal
from central.platform.change import Preview
from central.platform.errors import Refused
from central.platform.plain import plain
from central.registry import items
from central.registry.acts import Ask
from central.registry.item_acts import revise_item

KIND: Final = "tariff_change"
_FACTS: Final = ("rate", "breaker_phases", "breaker_amps")
_ITEMS: Final = text("""
    -- items by which distribution is billed at the points
    SELECT i.supply_point, c.number, i.rate, i.breaker_phases, i.breaker_amps,
           lower(i.valid) AS first, upper(i.valid) AS stop
      FROM contract_item i JOIN contract c ON c.id = i.contract
     WHERE i.supply_point = ANY (:points) AND contract_services(i.kind) @> 1
     ORDER BY i.supply_point, lower(i.valid) NULLS FIRST
""")
_ITEM_ON: Final = text("""
    SELECT i.id FROM contract_item i
     WHERE i.supply_point = :point AND contract_services(i.kind) @> 1 AND i.valid @> CAST(:day AS date)
""")
_DECIDED: Final = text("""
    SELECT id, subject, state, proposed, why FROM market_proposal
     WHERE kind = :kind AND subject = ANY (:points) AND state IN ('waiting', 'refused')
     ORDER BY id
""")


@dataclass(frozen=True, slots=True)
class Item:
    """A contract item: its contract, what it says, its days half-open (None: open)."""

    supply_point: int
    contract: str
    rate: str | None
    breaker_phases: int | None
    breaker_amps: int | None
    first: date | None
    stop: date | None


@dataclass(frozen=True, slots=True)
class Decided:
    """A change that waits already or was refused, in a sentence."""

    sentence: str
    waits: bool


@dataclass(slots=True)
class Compared:
    """What billing data are compared with: items by point, and changes that wait or were refused, by their keys."""

    items: Mapping[int, Sequence[Item]]
    decided: dict[tuple[Any, ...], Decided] = field(default_factory=dict)


def items_of(connection: Connection, points: Iterable[int]) -> dict[int, list[Item]]:
    """The items of distribution of these points, in the order of time."""
    found: dict[int, list[Item]] = {}
    for row in connection.execute(_ITEMS, {"points": sorted(points)}):
        item = Item(row.supply_point, row.number, row.rate, row.breaker_phases, row.breaker_amps, row.first, row.stop)
        found.setdefault(item.supply_point, []).append(item)
    return found


def read_decided(connection: Connection, codes: Sequence[str]) -> dict[tuple[Any, ...], Decided]:
    """Changes of these points that wait or were refused."""
    rows = connection.execute(_DECIDED, {"kind": KIND, "points": list(codes)}).mappings()
    return {
        _key(row["subject"], row["proposed"]): Decided(_sentence(row), waits=row["state"] == "waiting") for row in rows
    }


def _sentence(row: RowMapping) -> str:
    if row["state"] == "waiting":
        return f"That of {row['subject']} waits as the proposal {row['id']}."
    return f"That of {row['subject']} was refused ({row['id']}): {row['why']}"


def compare(
    documents: Sequence[BillingDocument], known: Mapping[str, int], compared: Compared
) -> tuple[list[Proposal], list[str]]:
    """A proposal for each change of an item that the documents mean, and sentences on what is not proposed.

    Later spans are compared with the item as the changes before them leave it: each proposal is one step.
    """
    found: list[Proposal] = []
    said: dict[str, None] = {}
    held = {point: list(items) for point, items in compared.items.items()}
    for document in sorted(documents, key=lambda each: each.first_day):
        point = known.get(document.opm)
        if point is None or document.segment in {"historic", "cancel"}:
            continue
        for tariff in sorted(document.tariffs, key=lambda each: each.first_day):
            places = [place for place, each in enumerate(held.get(point, [])) if _overlaps(each, tariff)]
            if not places:
                said[f"No contract bills distribution at {document.opm} from {tariff.first_day}."] = None
            for place in places:
                item = held[point][place]
                if not (changes := difference(tariff, item)):
                    continue
                proposed = {
                    "contract": item.contract,
                    "since": max(item.first or tariff.first_day, tariff.first_day).isoformat(),
                    "document": document.number,
                    "changes": plain(changes),
                }
                decided = compared.decided.get(_key(document.opm, proposed))
                if decided is None:
                    found.append(Proposal(KIND, document.opm, proposed, _why(document, item, proposed), point))
                else:
                    said[decided.sentence] = None
                if decided is None or decided.waits:
                    held[point][place] = replace(item, **{name: each["to"] for name, each in changes.items()})
    for proposal in found:
        sentence = f"That of {proposal.subject} waits already."
        compared.decided[_key(proposal.subject, proposal.proposed)] = Decided(sentence, waits=True)
    return found, list(said)


def _why(document: BillingDocument, item: Item, proposed: Mapping[str, Any]) -> str:
    parts = ", ".join(f"{name} {each['to']} instead of {each['from']}" for name, each in proposed["changes"].items())
    return f"The billing data {document.number} have {parts} from {proposed['since']} (contract {item.contract})."


def difference(tariff: BilledTariff, item: Item) -> dict[str, dict[str, Any]]:
    """By fact of the item: as it is and as the billing data say; what they leave out is not a difference."""
    told = {"rate": tariff.rate, "breaker_phases": tariff.breaker_phases, "breaker_amps": tariff.breaker_amps}
    found = {}
    for name, value in told.items():
        mine = getattr(item, name)
        if value is not None and value != mine:
            found[name] = {"from": mine, "to": value}
    return found


def _overlaps(item: Item, tariff: BilledTariff) -> bool:
    stop = tariff.last_day + timedelta(days=1)
    return (item.first is None or item.first < stop) and (item.stop is None or item.stop > tariff.first_day)


def _key(subject: str, proposed: Mapping[str, Any]) -> tuple[Any, ...]:
    changes = plain(proposed["changes"])
    return (
        subject,
        *((name, str(changes[name]["from"]), str(changes[name]["to"])) for name in _FACTS if name in changes),
    )


def _take(connection: Connection, row: RowMapping, deciding: Deciding) -> Mapping[str, Any]:
    """Revise the contract item as the billing data say; Refused where the registry does not allow it.

    What was changed to that meanwhile stays; what was changed to something else is not overwritten.
    """
    proposed = row["proposed"]
    since = date.fromisoformat(proposed["since"])
    item = _item_on(connection, row, since)
    changes: dict[str, Any] = {}
    for name, each in proposed["changes"].items():
        mine = plain(item[name])
        if str(mine) == str(each["from"]):
            changes[name] = each["to"]
        elif str(mine) != str(each["to"]):
            raise Refused(
                "registry_changed",
                f"The item of {row['subject']} under contract {item['number']} has {name} {mine} since the message "
                "came: refuse this proposal and change the item by hand where it is still wrong.",
            )
    if not changes:
        return {}
    if "breaker_amps" in changes:
        changes["breaker_amps"] = _whole(changes["breaker_amps"])
    why = f"{deciding.why} (message {row['message_id']} of {row['sender']}, billing data {proposed['document']})"
    subject = f"contract/{item['number']}"
    ask = Ask(deciding.person, deciding.clock, None, why, confirmed=deciding.confirmed, subject=subject)
    made = revise_item(connection, item, changes, since, ask)
    assert not isinstance(made, Preview), "it was not asked for"
    return {"contract_item": made, "contract": item["number"], "since": proposed["since"], "changed": sorted(changes)}


def _item_on(connection: Connection, row: RowMapping, since: date) -> RowMapping:
    number = connection.execute(_ITEM_ON, {"point": row["supply_point"], "day": since}).scalar_one_or_none()
    if number is None:
        raise Refused("no_item", f"No contract bills distribution at {row['subject']} on {since} any more.")
    return items.require_item(connection, number, lock=True)


def _whole(amps: Any) -> int:
    given = Decimal(str(amps))
    if given != int(given):
        raise Refused("breaker", f"A breaker of {given} A cannot be entered: amperes are whole numbers here.")
    return int(given)


PROPOSAL: Final = Kind(take=_take, right="operate")
