"""An EDIGAS archive and mappings of ours in the documented style: what an operator's import would bring."""

import io
import json
import zipfile
from datetime import date
from pathlib import Path
from typing import Final

from central.market.format_package import FormatPackage, load_package, read_package
from central.market.official.install import Imported, import_schemas

FOLDER: Final = Path(__file__).with_name("edigas")
NAME: Final = "official-edigas"


def mappings() -> dict[str, bytes]:
    """Element mappings by format."""
    return {"EDIGAS": (FOLDER / "edigas.json").read_bytes(), "APERAK": (FOLDER / "aperak.json").read_bytes()}


def archive(*changes: tuple[str, str]) -> bytes:
    """The schemas as a zip file, with `changes` of their texts."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as made:
        for file in sorted(FOLDER.glob("*.xsd")):
            text = file.read_text(encoding="utf-8")
            for old, new in changes:
                text = text.replace(old, new)
            made.writestr(f"gas/{file.name}", text)
    return held.getvalue()


def with_energies() -> tuple[tuple[str, str], dict[str, bytes]]:
    """A change of the schemas, and the mappings, that have a place for energies and calorific values."""
    old, kind = '<xs:attribute name="status" type="xs:string"/>', 'type="xs:decimal" use="required"/>'
    given = mappings()
    edigas = json.loads(given["EDIGAS"])
    (values,) = (node for node in edigas["payload"][-1]["children"] if node["element"] == "Quantity")
    for name, field, places in (("kwh", "energy_kwh", 2), ("hs", "calorific_kwh_m3", 4)):
        value = {"name": name, "field": field, "type": "decimal", "places": places, "required": True, "mark": "assumed"}
        values["attributes"].append(value)
    added = f'{old}<xs:attribute name="kwh" {kind}<xs:attribute name="hs" {kind}'
    return (old, added), given | {"EDIGAS": json.dumps(edigas).encode()}


def take_in(
    folder: Path, *changes: tuple[str, str], given: dict[str, bytes] | None = None, first: date = date(2026, 1, 2)
) -> Imported:
    """Import them on top of the shipped package."""
    base = load_package("sandbox-2026")
    return import_schemas(base, [archive(*changes)], NAME, first, folder, mappings() if given is None else given)


def package_in(folder: Path) -> FormatPackage:
    """The package that the import made."""
    return read_package(folder / NAME / f"{NAME}.json")
