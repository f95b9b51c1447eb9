"""Conditions, price lists and supply contracts in the parts of a point's period."""

from datetime import date
from decimal import Decimal

from central.settlement.cuts import Held
from central.settlement.document import tenure_document
from central.settlement.facts import ContractTerms, Named, PointFacts
from central.settlement.own import Condition, OwnFacts, OwnPrice, PriceList
from central.settlement.spans import facts_of
from tests.unit.central.settlement.test_facts import BOOKS, END, FIRST, ITEM, TENTH, TERMS, TWO, parts, record

PAYER = Named(4, "C")
SUPPLY = type(ITEM)(6, 9, "D/1", "supply", TENTH, None, "CEZ", None, None, None, None, None, None)


def found(**given: object) -> PointFacts:
    facts = facts_of(record(**given), FIRST, END, BOOKS)
    assert facts is not None and facts.problem is None
    return facts


def condition(
    since: date, until: date | None = None, percent: str | None = None, choice: str | None = None
) -> Held[Condition]:
    return Held(since, until, Condition(None if percent is None else Decimal(percent), choice, "protokol 7"))


def test_conditions_cut_the_month_and_decide_the_tariff() -> None:
    own = OwnFacts(
        conditions={
            "loss": [condition(TENTH, percent="4")],
            "capacity_exempt": [condition(FIRST, TENTH)],
            "storage": [condition(TENTH, choice="pumped")],
            "single_component": [condition(TENTH)],
        }
    )
    facts = found(own=own)
    assert parts(facts) == [(FIRST, TENTH), (TENTH, END)]
    before, after = (span.tariff for span in facts.spans)
    assert (before.loss_coefficient, before.capacity_exempt, before.storage, before.tariff_choice) == (
        None,
        True,
        None,
        None,
    )
    assert (after.loss_coefficient, after.capacity_exempt) == (Decimal("1.04"), False)
    assert (after.storage, after.tariff_choice) == ("pumped", "single_component")
    told = tenure_document(facts, facts.tenures()[0])["own"]["conditions"]
    assert [each["kind"] for each in told] == ["capacity_exempt", "loss", "single_component", "storage"]
    assert told[1] == {
        "kind": "loss",
        "percent": "4",
        "choice": None,
        "source": "protokol 7",
        "valid": ["2026-03-11", None],
    }


def test_a_point_without_anything_of_its_own_keeps_its_document() -> None:
    facts = found()
    assert "own" not in tenure_document(facts, facts.tenures()[0])


def test_a_price_of_a_list_cuts_the_month() -> None:
    prices = [Held(date(2026, 1, 1), TENTH, OwnPrice(Decimal(1), "x")), Held(TENTH, None, OwnPrice(Decimal(2), "y"))]
    listed = PriceList("NN26", "Ceník", {("energy", ""): prices})
    facts = found(own=OwnFacts(lists={ITEM.id: [Held(date(2026, 1, 1), None, listed)]}))
    assert parts(facts) == [(FIRST, TENTH), (TENTH, END)]
    assert len(facts.tenures()) == 1 and facts.supply_tenures() == []


def test_a_supply_contract_has_a_tenure_of_its_own() -> None:
    terms = {**TERMS, 9: [Held(None, None, ContractTerms(TWO, PAYER))]}
    facts = found(supplies=[Held(TENTH, None, SUPPLY)], terms=terms)
    network, supply = facts.tenures(), facts.supply_tenures()
    assert [(each.first, each.end) for each in network] == [(FIRST, END)]
    assert [(each.first, each.end, each.last.item.id) for each in supply] == [(TENTH, END, 6)]
    assert (supply[0].last.customer, supply[0].last.payer) == (TWO, PAYER)
    assert supply[0].owner not in {each.owner for each in network}


def test_a_purchase_contract_makes_the_entry_of_a_network() -> None:
    item = type(ITEM)(5, 7, "N/1", "purchase", None, None, "CEZ", "D02d", 3, 25, None, None, None, seller=44)
    (span,) = found(items=[Held(None, None, item)]).spans
    assert span.tariff.network_entry and span.item.seller == 44
