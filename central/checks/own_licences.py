"""Whose licence is ours: the operators that hold networks in the registry."""

from typing import Final

import numpy as np
from sqlalchemy import text

from central.checks.frame import Numbers
from central.checks.framework import Asked
from central.checks.operator_codes import main_operators

OPERATORS = text("""
    -- licensees of networks; where the registry has no network, operators that are no distributor above one
    SELECT o.id, o.ean13, o.ico, EXISTS (SELECT FROM network_area a WHERE a.licensee = o.id) AS licensee
      FROM party o
     WHERE EXISTS (SELECT FROM network_area a WHERE a.licensee = o.id)
        OR NOT EXISTS (SELECT FROM network_area) AND o.roles @> '{operator}' AND NOT o.roles @> '{superior_distributor}'
     ORDER BY o.id
""")
ITEMS: Final = """
    -- items whose operator, their own or else the point's, is one of ours; what is bought is another's
    SELECT i.id AS contract_item
      FROM contract_item i JOIN supply_point p ON p.id = i.supply_point
     WHERE i.supply_point = ANY (%(points)s::bigint[]) AND i.kind <> 'purchase'
       AND coalesce(i.operator, p.operator) = ANY (%(own)s::bigint[])
"""


def own_operators(asked: Asked) -> Numbers:
    """The parties whose licence is ours; a main distributor is one only where it is said to hold a network."""

    def read(one: Asked) -> Numbers:
        known = [
            row.id
            for row in one.connection.execute(OPERATORS)
            if row.licensee or not any(each.is_party(row.ean13, row.ico) for each in main_operators())
        ]
        return np.array(known, dtype=np.int64)

    own: Numbers = asked.once("own operators", read)
    return own


def own_items(asked: Asked) -> Numbers:
    """Contract items of the points whose operator is of our own licences."""

    def read(one: Asked) -> Numbers:
        own = own_operators(one).tolist()
        return one.frame(ITEMS, ("contract_item",), own=own)["contract_item"]

    items: Numbers = asked.once("items of own licences", read)
    return items
