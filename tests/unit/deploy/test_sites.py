"""Made-up sites: the same for the same seed, right check digits, no address twice."""

from collections import Counter
from pathlib import Path

import pytest

from central.registry.form import check_contract_item, check_party, check_supply_point
from central.workflow.site_file import read_site, write_site
from deploy.sites.command import main
from deploy.sites.generate import METERS_OF_A_CONCENTRATOR, generate
from deploy.sites.tables import records


def test_a_site_is_the_same_for_the_same_seed() -> None:
    assert write_site(generate(30, 4)) == write_site(generate(30, 4))
    assert write_site(generate(30, 4)) != write_site(generate(30, 5))


@pytest.mark.parametrize("points", [1, 7, 600])
def test_a_site_has_so_many_points_with_right_identifiers_and_free_addresses(points: int) -> None:
    site = generate(points)
    assert len(site.supply_points) == len(site.meters) == len({point.ean for point in site.supply_points}) == points
    for point in site.supply_points:
        check_supply_point({"ean": point.ean, "commodity": point.commodity, "voltage_level": point.voltage_level})
    for party in site.parties:
        facts = {"ico": party.ico, "ean13": party.ean13, "iban": party.iban}
        assert check_party({"name": party.name, **facts}) == []
    for contract in site.contracts:
        for item in contract.items:
            check_contract_item({name: getattr(item, name) for name in item.__struct_fields__})
    addresses = Counter((each.concentrator, each.bus, str(each.address)) for each in site.attachments)
    assert max(addresses.values()) == 1
    assert len(site.concentrators) == -(-points // METERS_OF_A_CONCENTRATOR)
    assert {mapping.meter for mapping in site.mappings} == {meter.id for meter in site.meters}
    assert read_site(write_site(site)) == site


def test_a_larger_site_has_all_kinds() -> None:
    site = generate(600)
    kinds = Counter((point.commodity, point.voltage_level, point.point_type) for point in site.supply_points)
    assert kinds[("electricity", "NN", "consumption")] > 400
    assert min(kinds[("electricity", "VN", "production")], kinds[("gas", None, "consumption")]) > 10
    assert kinds[("electricity", "VN", "entry")] == 1
    assert {element.kind for element in site.network_elements} == {"node", "feeder", "transformer"}


def test_the_command_writes_the_site_and_its_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--points", "12", "--seed", "3", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("\n") == 4
    site = read_site((tmp_path / "site.json").read_bytes())
    assert site == generate(12, 3)
    lines = (tmp_path / "meters.csv").read_text("utf-8-sig").splitlines()
    assert len(lines) == 1 + len(list(records(site, "meters"))) == 13
    with pytest.raises(SystemExit):
        main(["--points", "0"])
