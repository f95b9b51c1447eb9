"""What the bases of customer checks are compared with, read for whole chunks of points and laid beside each basis.

* previous: the basis of the same point, service and component that ends last before it begins (400 days back at
  most), and those of the same month a year before, added; both in the unit of the basis, or apart from it
* received: lines of received distribution invoices of the same point and rate whose period lies inside its interval
* item: its contract item and supply point
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from central.checks import units
from central.checks.customer.columns import APART, COLUMNS
from central.checks.frame import MISSING, Frame, Numbers, group, match, totals
from central.checks.framework import SERVICES, Asked
from central.checks.verdict import TAKING_BACK
from central.registry.point_tables import METERING_TYPES, VOLTAGE_LEVELS

BACK: Final = 400
"""Days that an earlier basis may lie back."""

_HISTORY: Final = """
    -- the bases of the points that hold and that no other takes back, and those that are checked
    SELECT b.id, b.supply_point, array_position(%(services)s::text[], b.service) - 1 AS service,
           hashtextextended(b.component, 0) AS component, hashtextextended(b.unit, 0) AS unit,
           hashtextextended(b.price_unit, 0) AS price_unit, micro(b.quantity) AS quantity,
           micro(b.unit_price) AS price, (b.amount * 100)::bigint AS amount,
           (lower(b.valid) AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01' AS first,
           (upper(b.valid) AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01' AS end_,
           (b.statement_type <> ALL (%(taking_back)s::integer[]) AND b.statement_type NOT IN (4, 11)
            AND NOT EXISTS (SELECT FROM billing_basis o WHERE o.original = b.id AND o.state <> 'cancelled'
                               AND o.statement_type = ANY (%(taking_back)s::integer[])))::integer AS holds
      FROM billing_basis b
     WHERE b.supply_point = ANY (%(points)s::bigint[]) AND b.state <> 'cancelled'
       AND upper(b.valid) > (DATE '1970-01-01' + %(since)s::integer)::timestamp AT TIME ZONE 'Europe/Prague'
"""
_HISTORY_NAMES: Final = (
    "id", "supply_point", "service", "component", "unit", "price_unit", "quantity", "price", "amount", "first", "end_",
    "holds",
)  # fmt: skip
_UNITS: Final = """
    SELECT hashtextextended(u.name, 0) AS digest, u.place - 1 AS place
      FROM unnest(%(units)s::text[]) WITH ORDINALITY AS u (name, place)
"""
_RECEIVED: Final = """
    -- lines of distribution invoices that no later one corrects
    SELECT coalesce(t.supply_point, i.supply_point) AS supply_point, t.rate, (t.net * 100)::bigint AS net,
           lower(t.period) - DATE '1970-01-01' AS first, upper(t.period) - DATE '1970-01-01' AS end_
      FROM received_invoice i
      JOIN received_invoice_item t ON t.invoice = i.id
     WHERE coalesce(t.supply_point, i.supply_point) = ANY (%(points)s::bigint[]) AND t.rate IS NOT NULL
       AND NOT EXISTS (SELECT FROM received_invoice c WHERE c.issuer = i.issuer AND c.corrects = i.number)
"""
_ITEMS: Final = """
    SELECT i.id AS contract_item, micro(i.reserved_input_kw) AS item_reserved_input,
           micro(i.reserved_output_kw) AS item_reserved_output, micro(i.breaker_amps) AS item_breaker,
           micro(i.annual_mwh) AS item_yearly_energy, lower(i.valid) - DATE '1970-01-01' AS item_first,
           upper(i.valid) - 1 - DATE '1970-01-01' AS item_last,
           array_position(%(levels)s::text[], p.voltage_level) - 1 AS point_voltage_level,
           array_position(%(types)s::text[], p.metering_type) - 1 AS point_metering_type
      FROM contract_item i JOIN supply_point p ON p.id = i.supply_point
     WHERE i.supply_point = ANY (%(points)s::bigint[])
"""
_ITEM_NAMES: Final = tuple(name for name, column in COLUMNS.items() if column.source == "item")


def read_compared(asked: Asked, bases: Frame, names: Sequence[str]) -> Frame:
    """The named columns, a value beside each basis: MISSING where there is none, APART in another unit."""
    sources = {COLUMNS[name].source for name in names}
    found: dict[str, Numbers] = {}
    for source in sorted(sources):
        found |= _READ[source](asked, bases)
    return Frame({name: found[name] for name in names})


def _previous(asked: Asked, bases: Frame) -> Mapping[str, Numbers]:
    since = int(bases["first"].min()) - BACK if len(bases) else 0
    given = {"services": list(SERVICES), "taking_back": TAKING_BACK, "since": since}
    history = asked.once(
        f"bases since {since} for customer checks", lambda it: it.frame(_HISTORY, _HISTORY_NAMES, **given)
    )
    names = asked.once(
        "digests of units", lambda it: it.frame(_UNITS, ("digest", "place"), units=[*units.KNOWN, *_PRICE_UNITS])
    )
    return lay_history(bases, history, dict(zip(names["digest"].tolist(), names["place"].tolist(), strict=True)))


_PRICE_UNITS: Final = tuple(
    f"Kč/{unit}{ending}" for unit in units.KNOWN for ending in (("", "/měs") if unit in ("MW", "kW", "A") else ("",))
)


def lay_history(bases: Frame, history: Frame, digests: Mapping[int, int]) -> Mapping[str, Numbers]:
    """Earlier bases beside each; `digests` says which known unit a digest is of."""
    here, mine = match([bases["id"]], [history["id"]])
    own = history.take(mine)
    holding = history.take(history["holds"] == 1)
    key = ("supply_point", "service", "component")
    places, others = match([own[name] for name in key], [holding[name] for name in key])
    return {
        **_last_before(len(bases), here, own, holding, places, others, digests),
        **_year_before(len(bases), here, own, holding, places, others, digests),
    }


def _last_before(
    many: int, here: NDArray[np.intp], own: Frame, holding: Frame, places: NDArray[np.intp], others: NDArray[np.intp],
    digests: Mapping[int, int],
) -> Mapping[str, Numbers]:  # fmt: skip
    earlier = (holding["end_"][others] <= own["first"][places]) & (
        holding["end_"][others] > own["first"][places] - BACK
    )
    places, others = places[earlier], others[earlier]
    order = np.lexsort((holding["id"][others], holding["end_"][others], places))
    places, others = places[order], others[order]
    newest = np.flatnonzero(np.concatenate((places[1:] != places[:-1], np.ones(min(1, len(places)), dtype=np.bool_))))
    places, others = places[newest], others[newest]
    mine, theirs = own.take(places), holding.take(others)
    quantity = _in_own_unit(mine, theirs, theirs["quantity"], 1, digests)
    laid = {
        "previous_quantity": quantity,
        "previous_price": _in_own_unit(mine, theirs, theirs["price"], -1, digests),
        "previous_amount": theirs["amount"],
        "previous_last": theirs["end_"] - 1,
        "previous_days": theirs["end_"] - theirs["first"],
    }
    return {name: _spread(many, here[places], column) for name, column in laid.items()}


def _year_before(
    many: int, here: NDArray[np.intp], own: Frame, holding: Frame, places: NDArray[np.intp], others: NDArray[np.intp],
    digests: Mapping[int, int],
) -> Mapping[str, Numbers]:  # fmt: skip
    that = _month(holding["first"])[others] == _month(own["first"])[places] - 12
    places, others = places[that], others[that]
    mine, theirs = own.take(places), holding.take(others)
    quantity = _in_own_unit(mine, theirs, theirs["quantity"], 1, digests)
    numbers, first = group([places])
    added = totals(numbers, np.where(quantity <= APART, 0, quantity), len(first))
    worst = np.full(len(first), np.iinfo(np.int64).max, dtype=np.int64)
    np.minimum.at(worst, numbers, quantity)
    laid = {
        # one of them without a common unit leaves no sum
        "year_before_quantity": np.where(worst <= APART, worst, added),
        "year_before_amount": totals(numbers, theirs["amount"], len(first)),
    }
    return {name: _spread(many, here[places[first]], column) for name, column in laid.items()}


def _in_own_unit(mine: Frame, theirs: Frame, values: Numbers, power: int, digests: Mapping[int, int]) -> Numbers:
    """Values of other bases in the unit of each basis: APART where it is another one, or leaves no whole millionths."""
    keys = [frame[name] for frame in (mine, theirs) for name in ("unit", "price_unit")]
    if not len(values):
        return values
    numbers, first = group(keys)
    found = np.full(len(values), APART, dtype=np.int64)
    for number, row in enumerate(first.tolist()):
        rows = numbers == number
        our, our_price, their, their_price = (int(key[row]) for key in keys)
        if our == their and (power > 0 or our_price == their_price):
            found[rows] = values[rows]
            continue
        ours, other = (
            _measured(unit, price, power, digests) for unit, price in ((our, our_price), (their, their_price))
        )
        if ours is None or other is None or ours[0] != other[0]:
            continue
        up, down = (other[1], ours[1]) if power > 0 else (ours[1], other[1])
        given = values[rows]
        fits = (given != MISSING) & (np.abs(given) < 2**62 // up) & (given * up % down == 0)
        found[rows] = np.where(fits, given * up // down, np.where(given == MISSING, MISSING, APART))
    return found


def _measured(unit: int, price_unit: int, power: int, digests: Mapping[int, int]) -> tuple[str, int] | None:
    names = [*units.KNOWN, *_PRICE_UNITS]
    if unit not in digests or (power < 0 and price_unit not in digests):
        return None
    return units.of_basis(names[digests[unit]], names[digests[price_unit]] if power < 0 else "")


def _received(asked: Asked, bases: Frame) -> Mapping[str, Numbers]:
    names = ("supply_point", "rate", "net", "first", "end_")
    return lay_received(bases, asked.once("received lines for customer checks", lambda it: it.frame(_RECEIVED, names)))


def lay_received(bases: Frame, lines: Frame) -> Mapping[str, Numbers]:
    """Sum and number of the received lines inside each interval; no sum where there are none."""
    places, others = match([bases["supply_point"], bases["rate"]], [lines["supply_point"], lines["rate"]])
    inside = (lines["first"][others] >= bases["first"][places]) & (lines["end_"][others] <= bases["end_"][places])
    places, others = places[inside], others[inside]
    many = np.bincount(places, minlength=len(bases)).astype(np.int64)
    amount = totals(places, lines["net"][others], len(bases))
    return {"received_amount": np.where(many == 0, MISSING, amount), "received_lines": many}


def _item(asked: Asked, bases: Frame) -> Mapping[str, Numbers]:
    given: dict[str, Any] = {"levels": list(VOLTAGE_LEVELS), "types": list(METERING_TYPES)}
    items = asked.once(
        "contract items for customer checks",
        lambda it: it.frame(_ITEMS, ("contract_item", *_ITEM_NAMES), **given),
    )
    places, others = match([bases["contract_item"]], [items["contract_item"]])
    return {name: _spread(len(bases), places, items[name][others]) for name in _ITEM_NAMES}


def _spread(many: int, places: NDArray[np.intp], values: Numbers) -> Numbers:
    found = np.full(many, MISSING, dtype=np.int64)
    found[places] = values
    return found


def _month(days: Numbers) -> Numbers:
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


_READ: Final[Mapping[str, Callable[[Asked, Frame], Mapping[str, Numbers]]]] = {
    "previous": _previous,
    "received": _received,
    "item": _item,
}
