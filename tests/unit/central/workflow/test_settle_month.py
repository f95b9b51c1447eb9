"""Which package prices which point, and what a run keeps of it."""

from central.settlement.formulas import ALL_FORMULAS
from central.tariffs.load import load_file, shipped_files
from central.workflow.settle_month import described, finder
from shared.quantities import Commodity

PACKAGES = [load_file(path, ALL_FORMULAS) for path in shipped_files()]


def test_the_package_is_found_by_commodity_and_price_list() -> None:
    book_of = finder(PACKAGES)
    electricity, gas = book_of(Commodity.ELECTRICITY, "CEZ"), book_of(Commodity.GAS, "GASNET")
    assert electricity is not None
    assert gas is not None
    assert (electricity.name, gas.name) == ("cz-electricity-2026", "cz-gas-2017-example")
    assert book_of(Commodity.GAS, "CEZ") is None


def test_what_a_run_keeps_of_a_package() -> None:
    kept = described(PACKAGES[1])
    assert kept["name"] == "cz-gas-2017-example"
    assert kept["example"] is True
    assert kept["payment_term_days"] == 14
    assert kept["vat_percent"] == "21"
    assert kept["checksum"].startswith("sha256:")
