"""Values of the operator's own prices, from when until when: price lists of supply by contract item, own services."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from central.checks.frame import MISSING, Chosen, Frame, Numbers
from central.checks.framework import SERVICES, Asked
from central.checks.rate_values import Regulated, has_two_tariffs
from central.settlement.service_tables import PRICED, RATES

SUPPLY: Final = SERVICES.index("supply")
OTHER: Final = SERVICES.index("other")

LISTS: Final = """
    -- prices of the own price lists of items; one for any rate holds where the item's rate has none of its own
    SELECT l.contract_item, array_position(%(components)s::text[], p.component) - 1 AS component, p.id AS value,
           coalesce(lower(d.days) - DATE '1970-01-01', -2147483648) AS first,
           coalesce(upper(d.days) - DATE '1970-01-01', 2147483648) AS end_, micro(p.price) AS price
      FROM contract_item i
      JOIN item_price_list l ON l.contract_item = i.id
      JOIN own_price p ON p.price_list = l.price_list AND p.rate IN ('', coalesce(i.rate, '')) AND p.valid && l.valid
     CROSS JOIN LATERAL unnest(
           datemultirange(p.valid * l.valid)
           - (SELECT coalesce(range_agg(o.valid), '{}') FROM own_price o
               WHERE p.rate = '' AND o.price_list = p.price_list AND o.component = p.component AND o.rate <> ''
                 AND o.rate = i.rate)) AS d (days)
     WHERE i.supply_point = ANY (%(points)s::bigint[])
"""
SERVICE_PRICES: Final = """
    -- prices of own services
    SELECT s.rate, coalesce(lower(p.valid) - DATE '1970-01-01', -2147483648) AS first,
           coalesce(upper(p.valid) - DATE '1970-01-01', 2147483648) AS end_
      FROM own_service s JOIN own_service_price p ON p.service = s.id
"""
_COMPONENTS: Final[Mapping[int, str]] = {1: "fixed", 2: "vt", 3: "nt", 2011: "fixed", 2012: "energy"}
"""What of an own price list a rate of supply is; 2 is `energy` under a rate of a single tariff."""


def read_lists(asked: Asked) -> Frame:
    """Prices of the own price lists by contract item and component. For `Asked.once`."""
    names = ("contract_item", "component", "value", "first", "end_", "price")
    return asked.frame(LISTS, names, components=list(PRICED))


def read_service_prices(asked: Asked) -> Frame:
    """Prices of own services by rate."""
    return asked.frame(SERVICE_PRICES, ("rate", "first", "end_"))


def is_own_service(bases: Frame) -> Chosen:
    """Bases of own services, by their rates."""
    chosen: Chosen = (bases["service"] == OTHER) & (bases["rate"] >= RATES[0]) & (bases["rate"] <= RATES[1])
    return chosen


def own_component(bases: Frame, combination: Numbers, regulated: Regulated) -> Numbers:
    """The place of what each basis of supply has of an own price list; MISSING for other bases, taxes too."""
    found = np.full(len(bases), MISSING, dtype=np.int64)
    supply = bases["service"] == SUPPLY
    for rate, component in _COMPONENTS.items():
        found[supply & (bases["rate"] == rate)] = PRICED.index(component)
    two = _of_two_tariffs(combination, regulated)
    found[supply & (bases["rate"] == 2) & ~two] = PRICED.index("energy")
    return found


def _of_two_tariffs(combination: Numbers, regulated: Regulated) -> Chosen:
    pays = [key for key, each in regulated.combinations.items() if has_two_tariffs(regulated.packages, each)]
    return np.isin(combination, np.array(pays, dtype=np.int64))
