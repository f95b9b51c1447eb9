"""A synthetic workbook of a price decision in the layout that is assumed, with the prices of the shipped package."""

import io
from collections.abc import Callable
from typing import Any

from openpyxl import Workbook

from tests.unit.central.settlement.packages import ELECTRICITY

NAMES = {
    "CEZ": "ČEZ Distribuce, a. s.",
    "EGD": "EG.D, s.r.o.",
    "PRE": "PREdistribuce, a.s.",
    "UCED": "UCED Chomutov s.r.o.",
    "SV": "SV servisní, s.r.o.",
}
LABELS = {"JT": "Cena v JT", "VT": "Cena ve vysokém tarifu", "NT": "Cena v nízkém tarifu"}
Change = Callable[[Any, Any], None]


def rows_of(component: str) -> list[list[str]]:
    return [row for table in ELECTRICITY.content["tables"] if table["component"] == component for row in table["rows"]]


def label_of(band: str) -> str:
    phases, _, amperes = band.partition("x")
    if amperes.startswith(">"):
        return f"jistič nad {phases}x{amperes[1:]} A za každou 1 A"
    return "jistič do  3x10 A a do 1x25 A včetně" if band == "3x10" else f"jistič nad 3x6 A do 3x{amperes} A včetně"


def written(change: Change = lambda low, high: None) -> bytes:
    """The workbook of the shipped package's prices: titles above the header, gaps, numbers and texts."""
    book = Workbook()
    low, high = book.active, book.create_sheet("VVN a VN")
    assert low is not None
    low.title = "NN"
    low.append(["Ceny za zajišťování distribuce elektřiny na hladině NN"])
    low.append([None, *NAMES.values()])
    tables = {name: rows_of(f"energy_{name.lower()}") for name in LABELS}
    for rate, described in ELECTRICITY.content["rates"].items():
        low.append([])
        low.append([f"{rate.replace('_VO', ' VO')} – {described['name']}"])
        bands = dict.fromkeys(band for code, _, band, _ in rows_of("breaker") if code == rate)
        for band in bands:
            prices = {who: price for code, who, each, price in rows_of("breaker") if (code, each) == (rate, band)}
            low.append([label_of(band), *(float(prices[who]) if who in prices else None for who in NAMES)])
        for register, table in tables.items():
            prices = {who: price for code, who, price in table if code == rate}
            if prices:
                low.append(
                    [LABELS[register], *(prices[who].replace(".", ",") if who in prices else "-" for who in NAMES)]
                )
        for component, label in (("unmetered_10w", "za každých 10 W"), ("unmetered_flat", "stálým měsíčním platem")):
            prices = {who: price for code, who, price in rows_of(component) if code == rate}
            if prices:
                low.append([label, *(float(prices[who]) if who in prices else None for who in NAMES)])
    high.append(["Ceny na hladinách VVN a VN"])
    columns = ["roční rezervovaná kapacita", "měsíční rezervovaná kapacita", "použití sítí", "jednosložková cena"]
    high.append(["Provozovatel", "Napěťová hladina", *columns])
    parts = [
        {tuple(row[:-1]): float(row[-1]) for row in rows_of(component)}
        for component in ("reserved_capacity_year", "reserved_capacity_month", "use_of_networks", "single_component")
    ]
    before = None
    for who, level in parts[0]:
        high.append([None if who == before else NAMES[who], level, *(part[who, level] for part in parts)])
        before = who
    change(low, high)
    octets = io.BytesIO()
    book.save(octets)
    return octets.getvalue()
