"""The editable form: a package unpacked and built again is the same; slips in it are sentences with file and line."""

import json
from pathlib import Path

import pytest

from central.tariffs.load import PackageInvalidError, load_file, shipped_files
from central.tariffs.seal import seal
from central.tariffs.source import read_source, spelled, write_source

KEY = bytes(range(32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_source(load_file(_gas()), tmp_path / "gas")
    return tmp_path / "gas"


def _gas() -> Path:
    return next(path for path in shipped_files() if path.stem == "cz-gas-2017-example")


@pytest.mark.parametrize("path", shipped_files(), ids=lambda path: path.stem)
def test_unpacked_and_built_again_it_is_the_same(path: Path, tmp_path: Path) -> None:
    package = load_file(path)
    write_source(package, tmp_path / "source")
    again = seal(read_source(tmp_path / "source"), KEY)
    assert again["checksum"] == package.checksum
    assert spelled(again) == spelled(seal(read_source(tmp_path / "source"), KEY))


def test_a_spreadsheet_in_czech_is_understood(folder: Path) -> None:
    table = folder / "tables" / "gas_fixed.csv"
    lines = table.read_text(encoding="utf-8").replace(",", ";").replace("67.89", "1 067,89")
    table.write_text("\ufeff" + lines, encoding="utf-8")
    rows = next(each for each in read_source(folder)["tables"] if each["component"] == "gas_fixed")["rows"]
    assert rows[0] == ["GASNET", "0-1.89", "1067.89"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("operator,band,value", "band,operator,value", "the header"),
        ("GASNET,0-1.89,67.89", "GASNET,67.89", "line 2, has 2 cells; 3 are expected"),
    ],
)
def test_a_wrong_table_names_file_and_line(folder: Path, old: str, new: str, sentence: str) -> None:
    table = folder / "tables" / "gas_fixed.csv"
    table.write_text(table.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(PackageInvalidError, match=rf"gas_fixed\.csv.*{sentence}"):
        read_source(folder)


def test_a_table_outside_the_folder_is_refused(folder: Path) -> None:
    (folder.parent / "elsewhere.csv").write_text("operator,band,value\n", encoding="utf-8")
    head = folder / "package.json"
    content = json.loads(head.read_text(encoding="utf-8"))
    content["tables"][0]["file"] = "../elsewhere.csv"
    head.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(PackageInvalidError, match="which is not in"):
        read_source(folder)


def test_no_source_and_a_folder_in_use_are_sentences(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(PackageInvalidError, match=r"There is no package\.json"):
        read_source(tmp_path / "nowhere")
    with pytest.raises(PackageInvalidError, match="not an empty folder"):
        write_source(load_file(_gas()), folder)
