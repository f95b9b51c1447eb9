"""Check 16: operator by the code of the point (Kontrola nastavení provozovatele dle EAN/EIC objektu)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from sqlalchemy import select

from central.checks.frame import MISSING, Frame, Numbers, match
from central.checks.framework import Asked, Definition, Findings, Kind, Text, Value, findings
from central.checks.operator_codes import main_operators, prefixes
from central.checks.own_licences import own_operators
from central.checks.verdict import Result
from central.registry.tables import party

UNDECIDED, EQUAL, ANOTHER, UNKNOWN = range(4)
RESULTS: Final = np.array([Result.INFO, Result.OK, Result.ERROR, Result.WARNING], dtype=np.int8)
OTHER: Final = -1
OWN: Final = len(main_operators())
"""The place of whoever holds our own networks: codes of our own number series (registry) are theirs."""
OWN_NAME: Final = "vlastní síť (vlastní číselná řada) / own network (own number series)"

POINTS = """
    -- the operator of points, now (without days) and in spans of days before, and whose their code is: ours where it is
    -- one of our number series, else by its beginning
    SELECT p.id AS supply_point, held.operator, held.first, held.end_, coalesce(mine.place, told.place) AS decided
      FROM supply_point p
     CROSS JOIN LATERAL (
           SELECT p.operator, NULL::integer AS first, NULL::integer AS end_
            UNION ALL
           SELECT b.operator, coalesce(lower(b.valid) - DATE '1970-01-01', -2147483648),
                  upper(b.valid) - DATE '1970-01-01'
             FROM supply_point_past b WHERE b.supply_point = p.id) AS held
      LEFT JOIN LATERAL (
           SELECT c.place FROM unnest(%(commodities)s::text[], %(prefixes)s::text[], %(places)s::integer[])
                               WITH ORDINALITY AS c (commodity, prefix, place, turn)
            WHERE c.commodity = p.commodity AND starts_with(p.ean, c.prefix)
            ORDER BY c.turn LIMIT 1) AS told ON true
      LEFT JOIN LATERAL (
           SELECT %(own)s::integer AS place FROM number_series n
            WHERE n.purpose = CASE p.commodity WHEN 'gas' THEN 'eic' ELSE 'ean18' END
              AND left(p.ean, length(n.prefix) + n.digits) COLLATE "C"
                  BETWEEN n.prefix || lpad(n.first_number::text, n.digits, '0')
                      AND n.prefix || lpad(n.last_number::text, n.digits, '0')
            LIMIT 1) AS mine ON true
     WHERE p.id = ANY (%(points)s::bigint[])
"""
ITEMS = """
    -- items that name an operator themselves
    SELECT i.id AS contract_item, i.operator
      FROM contract_item i
     WHERE i.supply_point = ANY (%(points)s::bigint[]) AND i.operator IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class KnownParty:
    """A party by what tells a main operator."""

    id: int
    name: str
    ean13: str | None
    ico: str | None


@dataclass(frozen=True)
class SetOperators:
    """Operators of points and of items, and who they are.

    `points` have `decided`, the place of the main operator whose code it is, or OWN. `parties` have `main`, the place
    of the main operator by commodity that the party is, OTHER where it is none, MISSING where nothing tells, and `own`
    where its licence is ours.
    """

    points: Frame
    items: Frame
    parties: Frame
    names: tuple[str, ...]
    """Of the parties, in their order."""


class OperatorOfCode:
    """Where the code of a point tells the main distributor or our own network, the contract item must name it."""

    definition: ClassVar[Definition] = Definition(
        number=16,
        name=Text(
            "Kontrola nastavení provozovatele elektřiny/plynu dle EAN/EIC objektu",
            "Electricity or gas operator by the EAN or EIC of the point",
        ),
        rule=Text(
            "Začátek EAN nebo EIC místa určuje hlavního provozovatele distribuční soustavy (číselník s dodávkou), kód "
            "z vlastní číselné řady vlastní síť: na položce smlouvy, a kde na ní není, na místě, je týž: OK; je jiný: "
            "chyba; z kódu nelze určit (řada cizích lokálních soustav): informace; provozovatel nemá EAN ani IČO: "
            "varování, kontrola se nemohla provést.",
            "The beginning of a point's EAN or EIC tells its main distribution operator (list with the release), a "
            "code of an own number series an own network: the contract item, or the point where the item names none, "
            "has the same: OK; another: error; the code does not tell (series of others' local networks): info; the "
            "operator has neither an EAN nor a company number: warning, the check could not run.",
        ),
        group="Aktualizace fakturačních podkladů",
        groups=("regular", "accrual", "annual"),
        statements=("regular", "annual"),
        messages=(
            Text(
                "Z kódu místa nelze určit provozovatele; nastaven je {operator}.",
                "The code of the point does not tell its operator; {operator} is set.",
            ),
            Text(
                "Provozovatel {operator} souhlasí s kódem místa ({decided}).",
                "The operator {operator} agrees with the code of the point ({decided}).",
            ),
            Text(
                "Podle kódu patří místo provozovateli {decided}, nastaven je {operator}. Opravte provozovatele na "
                "položce smlouvy, nebo kód místa.",
                "By its code the point belongs to {decided}, {operator} is set. Correct the operator on the contract "
                "item, or the code of the point.",
            ),
            Text(
                "Kontrola se nemohla provést: podle kódu patří místo provozovateli {decided}, ale nastavený {operator} "
                "nemá EAN ani IČO. Doplňte je u subjektu.",
                "The check could not run: by its code the point belongs to {decided}, but {operator}, which is set, "
                "has neither an EAN nor a company number. Enter them with the party.",
            ),
        ),
    )

    def read(self, asked: Asked, bases: Frame) -> SetOperators:
        """Operators that are set, whose codes the points have, and who the operators are."""
        commodities, beginnings, places = zip(*prefixes(), strict=True)
        lists = {"commodities": list(commodities), "prefixes": list(beginnings), "places": list(places), "own": OWN}
        points = asked.frame(POINTS, ("supply_point", "operator", "first", "end_", "decided"), **lists)
        items = asked.frame(ITEMS, ("contract_item", "operator"))
        wanted = np.unique(np.concatenate([points["operator"], items["operator"]])).tolist()
        query = select(party.c.id, party.c.name, party.c.ean13, party.c.ico).where(party.c.id.in_(wanted))
        known = [KnownParty(*row) for row in asked.connection.execute(query.order_by(party.c.id))]
        own = own_operators(asked).tolist()
        return SetOperators(points, items, which_main(known, own), tuple(each.name for each in known))

    def verdict(self, bases: Frame, read: SetOperators, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """One finding about each basis."""
        decided, operator = _of_points(bases, read.points)
        places, others = match([bases["contract_item"]], [read.items["contract_item"]])
        operator[places] = read.items["operator"][others]
        name, main, own = (np.full(len(bases), MISSING, dtype=np.int64) for _ in range(3))
        places, others = match([operator, bases["commodity"]], [read.parties["party"], read.parties["commodity"]])
        for told, column in ((name, "name"), (main, "main"), (own, "own")):
            told[places] = read.parties[column][others]
        messages = np.select(
            [decided == MISSING, decided == OWN, main == MISSING, main == decided],
            [UNDECIDED, np.where(own == 1, EQUAL, ANOTHER), UNKNOWN, EQUAL],
            ANOTHER,
        )
        values = {
            "decided": Value(Kind.WORD, decided, (*(each.name for each in main_operators()), OWN_NAME)),
            "operator": Value(Kind.WORD, name, read.names),
            "party": Value(Kind.LINK, operator, ("party",)),
            "point": Value(Kind.LINK, bases["supply_point"], ("supply_point",)),
        }
        return [findings(bases["id"], RESULTS[messages], messages, values)]


def which_main(parties: Iterable[KnownParty], own: Sequence[int]) -> Frame:
    """Which main operator each party is, for each commodity, and whether it is one of our own."""
    known = []
    for name, row in enumerate(parties):
        for commodity, word in enumerate(("electricity", "gas")):
            main = MISSING if row.ean13 is None and row.ico is None else OTHER
            for place, operator in enumerate(main_operators()):
                if operator.commodity == word and operator.is_party(row.ean13, row.ico):
                    main = place
            known.append((row.id, name, commodity, main, int(row.id in own)))
    columns = np.array(known, dtype=np.int64).reshape(-1, 5).T
    return Frame(dict(zip(("party", "name", "commodity", "main", "own"), columns, strict=True)))


def _of_points(bases: Frame, points: Frame) -> tuple[Numbers, Numbers]:
    """Whose the code is, and who the operator of the point was on the last day of each basis."""
    decided, operator = (np.full(len(bases), MISSING, dtype=np.int64) for _ in range(2))
    places, others = match([bases["supply_point"]], [points["supply_point"]])
    decided[places] = points["decided"][others]
    last = bases["end_"][places] - 1
    now = points["end_"][others] == MISSING
    before = ~now & (points["first"][others] <= last) & (last < points["end_"][others])
    for held in (now, before):
        operator[places[held]] = points["operator"][others[held]]
    return decided, operator
