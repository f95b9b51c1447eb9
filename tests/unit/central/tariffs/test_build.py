"""Packages from raw price tables: what a label becomes, and that building again gives the same bytes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from central.tariffs.build import electricity_2026, main
from central.tariffs.build_gas import gas_2015, gas_2017_example
from central.tariffs.build_parts import number
from central.tariffs.build_years import electricity_2021
from central.tariffs.load import PackageInvalidError, load_content, load_file, shipped_files
from central.tariffs.seal import PRODUCT_KEYS, require_signer, seal
from central.tariffs.source import spelled
from shared.control.keys import make_key_file

LOW = {
    "C25d": {
        "name": "Dvoutarifová sazba  s operativním řízením po dobu 8 hodin",
        "breaker": {
            "jistič do  3x10 A a do 1x25 A včetně": {"CEZ": 211.0},
            "jistič nad 3x10 A do 3x16 A včetně": {"CEZ": 337.0},
            "jistič nad 3x160 A za každou 1A": {"CEZ": 21.09},
            "jistič nad 1x25 A za každou 1 A": {"CEZ": 7.03},
        },
        "VT": {"CEZ": 2208.39},
        "NT": {"CEZ": 116.5},
    },
    "C60d": {"name": "Neměřené", "breaker": {}, "other": [["Částka za každých (i započatých) 10 W", {"CEZ": 65.35}]]},
}
HIGH = {
    "system_services": 164.24,
    "nonnetwork_infrastructure_month": 12.87,
    "poze_mw_month": 0,
    "poze_cap_mwh": 495,
    "overrun_export_kw_month": {"VN": 1108},
    "dso": {"CEZ": {"VN": [252565, 281823, 106.22, 5157.52]}},
    "nts_informative": {"CEZ": {"VN": [190133, 22743, 19013, 227429, 106.66, 5555.18, 761]}},
    "dso_fields": ["rk_rocni", "rk_mesicni", "pouziti_siti", "jednoslozkova"],
}


def test_raw_tables_become_a_package() -> None:
    package = load_content(seal(electricity_2026(LOW, HIGH), None), "built")
    assert package.file.rates["C25d"].registers == ["VT", "NT"]
    assert package.file.rates["C25d"].low_tariff_hours == 8
    breaker = next(table for table in package.file.tables if table.component == "breaker")
    assert [row[2:] for row in breaker.rows] == [
        ["3x10", "211"],
        ["3x16", "337"],
        ["3x>160", "21.09"],
        ["1x>25", "7.03"],
    ]
    unmetered = next(table for table in package.file.tables if table.component == "unmetered_10w")
    assert unmetered.rows == [["C60d", "CEZ", "65.35"]]


def _build(folder: Path, key: str, high: dict[str, Any] = HIGH) -> dict[str, bytes]:
    """Build into a folder with the key of this name, made where it is missing; the packages' octets by file name."""
    paths = [folder / "low.json", folder / "high.json"]
    for path, raw in zip(paths, (LOW, high), strict=True):
        path.write_text(json.dumps(raw), encoding="utf-8")
    if not (folder / key).exists():
        make_key_file(folder / key)
    assert main([*map(str, paths), str(folder), str(folder / key)]) == 0
    return {path.name: path.read_bytes() for path in folder.glob("cz-*.json")}


def test_building_again_gives_the_same_bytes(tmp_path: Path) -> None:
    built = _build(tmp_path, "sign.key")
    assert len(built) == len(shipped_files())
    assert _build(tmp_path, "sign.key") == built


def test_a_new_key_signs_only_what_changed(tmp_path: Path) -> None:
    built = _build(tmp_path, "first.key")
    changed = tmp_path / "cz-electricity-2026.json"
    before = json.loads(changed.read_bytes())
    changed.write_text(spelled(seal({**before, "version": "2026.0"}, None)), encoding="utf-8")
    again = _build(tmp_path, "second.key")
    assert {name for name in built if again[name] != built[name]} == {changed.name}
    after = json.loads(again[changed.name])
    assert after["checksum"] == before["checksum"]
    assert after["signature"].split(":")[1] != before["signature"].split(":")[1]


def test_a_changed_content_under_the_same_version_is_refused(tmp_path: Path) -> None:
    built = _build(tmp_path, "sign.key")
    with pytest.raises(PackageInvalidError, match=r"cz-electricity-2026\.json is version .* Raise the version"):
        _build(tmp_path, "sign.key", {**HIGH, "system_services": 165})
    assert {path.name: path.read_bytes() for path in tmp_path.glob("cz-*.json")} == built


@pytest.mark.parametrize("build", [gas_2015, gas_2017_example, electricity_2021])
def test_a_shipped_package_is_what_the_source_builds(build: Callable[[], dict[str, Any]]) -> None:
    built = seal(build(), None)
    shipped = next(path for path in shipped_files() if path.stem == built["name"])
    content = json.loads(shipped.read_text(encoding="utf-8"))
    assert {**content, "signature": None} == built
    assert shipped.read_text(encoding="utf-8") == spelled(content)


def test_what_ships_is_signed_by_a_key_of_the_product() -> None:
    for path in shipped_files():
        assert require_signer(load_file(path), PRODUCT_KEYS) in PRODUCT_KEYS, path.name


def test_an_unknown_band_is_refused() -> None:
    wrong = {"C99d": {"name": "x", "breaker": {"jistič dle dohody": {"CEZ": 1.0}}}}
    with pytest.raises(ValueError, match="jistič dle dohody is not understood"):
        electricity_2026(wrong, HIGH)


@pytest.mark.parametrize(("raw", "text"), [(66.0, "66"), (2418.4, "2418.4"), (252565, "252565"), (0, "0")])
def test_numbers(raw: float, text: str) -> None:
    assert number(raw) == text
