"""Predicted bills of months to come, worked by hand: the item's own days, supply, services and VAT."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from central.invoicing.advances.prediction import MonthAhead
from central.platform.errors import Refused
from central.settlement.books import BookInForce
from central.settlement.cuts import Held
from central.settlement.facts import ContractItem, ContractTerms, Named, PointRecord, PointVersion
from central.settlement.own import Attached, OwnFacts, OwnPrice, PriceList, Service
from central.tariffs.package import Package
from central.workflow.advance_bills import PointMonth, of_item, of_supply, predict_month, prices_in
from central.workflow.advance_law import moved
from central.workflow.settle_month import in_force
from shared.quantities import Commodity
from tests.unit.central.settlement.packages import ELECTRICITY, changed, table

D = Decimal
APRIL, MAY = date(2026, 4, 1), date(2026, 5, 1)
PARTY = Named(2, "A")
VERSION = PointVersion("Byt", "A", ("Dlouhá 1", "602 00", "Brno"), "NN", "C2", "household", None, Named(1, "LDS"), None,
                       "connected")  # fmt: skip
ITEM = ContractItem(5, 7, "S/1", "combined", None, None, "CEZ", "D02d", 3, 25, None, None, None)


def _taxed(content: dict[str, Any]) -> None:
    kept = [each for each in content["tables"] if each["component"] != "electricity_tax"]
    content["tables"] = [*kept, table("electricity_tax", "CZK/MWh", [], ["28.30"])]


TAXED = changed(_taxed)


class Law:
    """The law of a package, however many years back."""

    def __init__(self, package: Package = TAXED, years: int = 0) -> None:
        self.book, self.years = in_force(moved(package, years)), years

    def of(self, commodity: Commodity, prices: str, month: date) -> tuple[Sequence[BookInForce], date] | None:
        if not self.book.holds(commodity, prices, month):
            return None
        return [self.book], month.replace(year=month.year - self.years)


def own_price(amount: str) -> list[Held[OwnPrice]]:
    return [Held(date(2020, 1, 1), None, OwnPrice(D(amount), "ceník"))]


def record(*items: Held[ContractItem], own: OwnFacts | None = None, state: str = "connected") -> PointRecord:
    return PointRecord(
        id=1,
        ean="859182400941700026",
        commodity=Commodity.ELECTRICITY,
        versions=[Held(None, None, replace(VERSION, state=state))],
        items=items or (Held(None, None, ITEM),),
        terms={7: [Held(None, None, ContractTerms(PARTY, PARTY))]},
        agreed={},
        channels=(),
        own=own or OwnFacts(),
    )


def predicted(
    point: PointRecord, energy: str, month: date = APRIL, law: Any = None, known: Mapping[str, Decimal] | None = None
) -> PointMonth | None:
    ahead = MonthAhead({"energy_mwh": D(energy)}, "planned")
    before = {month.replace(year=month.year - 1): known or {}}
    return predict_month(of_item(point, 5), "CEZ", month, ahead, before, law or Law())


def bill(point: PointRecord, energy: str, month: date = APRIL, law: Any = None) -> PointMonth:
    found = predicted(point, energy, month, law)
    assert found is not None
    return found


SOLD = OwnFacts(
    lists={
        5: [Held(None, None, PriceList("NN26", "Ceník NN", {("fixed", ""): own_price("99"),
                                                           ("energy", ""): own_price("3000")}))]
    }
)  # fmt: skip


def test_supply_with_its_tax_is_in_the_advance() -> None:
    network = bill(record(), "0.600")
    both = bill(record(own=SOLD), "0.600")
    # 99 + 0.6 x 3000 = 1800 + tax 0.6 x 28.30 = 16.98
    assert both.net - network.net == D("1915.98")
    assert both.gross == (both.net * D("1.21")).quantize(D("0.01"))


def test_an_agreed_service_has_its_own_vat_and_a_measured_one_is_not_predicted() -> None:
    water = Service("voda", 3001, "Vodné", "Water", "m3", D(12), own_price("110"))
    attached = [
        Held(None, None, Attached(1, water, "fixed", fixed=D(2))),
        Held(None, None, Attached(2, water, "channel", channel=9)),
    ]
    network = bill(record(), "0.600")
    both = bill(record(own=OwnFacts(services={5: attached})), "0.600")
    assert both.net - network.net == D("220.00")
    assert both.gross - network.gross == D("246.40")  # 220 + 12 %


@pytest.mark.parametrize("quantity", ["channel", "formula", "node"])
@pytest.mark.parametrize(
    ("unit", "since", "billed"),
    [
        ("m3", None, "7.5"),
        ("MWh", None, "7.5"),
        ("GJ", date(2026, 4, 21), "2.5"),  # ten days of thirty
    ],
)
def test_a_counted_service_comes_to_what_it_did_last_year(
    quantity: str, unit: str, since: date | None, billed: str
) -> None:
    water = Service("voda", 3001, "Vodné", "Water", unit, D(12), own_price("110"))
    own = OwnFacts(services={5: [Held(since, None, Attached(1, water, quantity, channel=9, percent=D(30)))]})
    point = of_item(record(own=own), 5, {"voda"})
    ahead = MonthAhead({"energy_mwh": D("0.600")}, "planned")
    found = predict_month(point, "CEZ", APRIL, ahead, {}, Law(), {"voda": D("7.5")})
    network = bill(record(), "0.600")
    assert found is not None
    assert found.quantities == {"energy_mwh": D("0.600"), "service:voda": D(billed)}
    assert found.net - network.net == D(billed) * 110
    assert found.gross - network.gross == (D(billed) * 110 * D("1.12")).quantize(D("0.01"))


def test_supply_alone_is_a_bill_of_its_own() -> None:
    supply = replace(ITEM, id=6, contract=8, contract_kind="supply")
    sold = OwnFacts(
        lists={6: SOLD.lists[5]},
        services={6: [Held(None, None, Attached(1, Service("odečet", 3001, "Odečet", "Reading", "ks", D(21),
                                                           own_price("5")), "fixed", fixed=D(1)))]},
    )  # fmt: skip
    whole = replace(
        record(own=sold),
        supplies=[Held(date(2026, 4, 16), None, supply)],
        terms={7: record().terms[7], 8: record().terms[7]},
    )
    ahead = MonthAhead({"energy_mwh": D("0.600")}, "planned")
    assert prices_in(of_supply(whole, 6), APRIL) == "CEZ"
    found = predict_month(of_supply(whole, 6), "CEZ", APRIL, ahead, {}, Law())
    assert found is not None
    # half a month: 49.50 + 0.3 x 3000 + tax 0.3 x 28.30 + 2.50 of the service; nothing of the network
    assert found.net == D("960.49")
    assert predict_month(of_supply(whole, 6), "CEZ", APRIL.replace(month=3), ahead, {}, Law()) is None
    # and the network services are without it
    assert predict_month(of_item(whole, 5), "CEZ", APRIL, ahead, {}, Law()) == bill(record(), "0.600")


def test_an_item_that_begins_inside_the_month_counts_for_its_days() -> None:
    whole = bill(record(own=SOLD), "0.600")
    third = bill(record(Held(date(2026, 4, 21), None, ITEM), own=SOLD), "0.600")
    assert third.quantities == {"energy_mwh": D("0.2")}  # ten days of thirty
    assert abs(third.net * 3 - whole.net) < D("0.10")
    # by hand, the supply of it: 99 / 3 + 0.2 x 3000 + 0.2 x 28.30
    network = bill(record(Held(date(2026, 4, 21), None, ITEM)), "0.600")
    assert third.net - network.net == D("638.66")


def test_a_change_inside_the_month_sums_to_the_month() -> None:
    other = replace(ITEM, id=6)
    halves = record(Held(None, date(2026, 4, 16), ITEM), Held(date(2026, 4, 16), None, other))
    ahead = MonthAhead({"energy_mwh": D("0.600")}, "last_year")
    parts = [predict_month(of_item(halves, each), "CEZ", APRIL, ahead, {}, Law()) for each in (5, 6)]
    found = [part for part in parts if part is not None]
    assert [part.quantities["energy_mwh"] for part in found] == [D("0.3"), D("0.3")]
    assert abs(sum(part.net for part in found) - bill(record(), "0.600").net) <= D("0.10")


def test_what_is_not_supplied_or_not_yet_an_item_is_not_billed() -> None:
    assert predicted(record(state="disconnected"), "0.600") is None
    assert predicted(record(Held(MAY, None, ITEM)), "0.600") is None


def test_law_of_the_year_before_holds_on_and_own_prices_are_those_of_the_time() -> None:
    dearer = {
        ("fixed", ""): own_price("99"),
        ("energy", ""): [Held(date(2020, 1, 1), date(2027, 4, 16), OwnPrice(D(3000), "ceník")),
                         Held(date(2027, 4, 16), None, OwnPrice(D(4000), "ceník 2027"))],
    }  # fmt: skip
    sold = OwnFacts(lists={5: [Held(None, None, PriceList("NN", "Ceník", dearer))]})
    now = bill(record(own=SOLD), "0.600")
    then = bill(record(own=sold), "0.600", date(2027, 4, 1), Law(years=1))
    assert then.prices_of == APRIL
    assert then.net - now.net == D("300.00")  # half of 0.6 MWh is 1000 Kč/MWh dearer


def test_what_cannot_be_priced_is_said_with_the_point_and_month() -> None:
    unpriced = OwnFacts(lists={5: [Held(None, None, PriceList("NN26", "Ceník NN", {}))]})
    with pytest.raises(Refused, match=r"859182400941700026 cannot be priced for 2026-04: Ceník NN26 nemá"):
        predicted(record(own=unpriced), "0.600")
    with pytest.raises(Refused, match="No legislative package with the price list CEZ can price 2027-04"):
        predicted(record(), "0.600", date(2027, 4, 1))


def test_a_moved_package_holds_the_same_values_a_year_later() -> None:
    later = moved(ELECTRICITY, 1)
    assert later.valid == (date(2027, 1, 1), date(2028, 1, 1))
    assert {day.replace(year=day.year - 1) for day in later.borders} == set(ELECTRICITY.borders)
    assert later.checksum != ELECTRICITY.checksum  # laws are kept by it
    assert moved(ELECTRICITY, 0) is ELECTRICITY
