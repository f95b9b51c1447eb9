"""Which package prices which point, and what a run keeps of it."""

from datetime import date

from central.settlement.books import find_book
from central.settlement.formula_parameters import FORMULA_SHAPES
from central.tariffs.load import load_file, shipped_files
from central.workflow.settle_month import described, in_force
from shared.quantities import Commodity

PACKAGES = [load_file(path, FORMULA_SHAPES) for path in shipped_files()]


def test_the_package_is_found_by_commodity_price_list_and_day() -> None:
    books = [in_force(package) for package in PACKAGES]
    day = date(2026, 3, 1)
    electricity = find_book(books, Commodity.ELECTRICITY, "CEZ", day)
    gas = find_book(books, Commodity.GAS, "GASNET", day)
    assert electricity is not None
    assert gas is not None
    assert (electricity.name, gas.name) == ("cz-electricity-2026", "cz-gas-2017-example")
    assert find_book(books, Commodity.GAS, "CEZ", day) is None
    assert find_book(books, Commodity.ELECTRICITY, "CEZ", date(1999, 1, 1)) is None


def test_what_a_run_keeps_of_a_package() -> None:
    kept = described(next(package for package in PACKAGES if package.name == "cz-gas-2017-example"))
    assert kept["name"] == "cz-gas-2017-example"
    assert kept["example"] is True
    assert kept["payment_term_days"] == 14
    assert kept["vat_percent"] == "21"
    assert kept["checksum"].startswith("sha256:")
