"""An EDIGAS archive and mappings of ours in the documented style: what an operator's import would bring."""

import io
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


def take_in(
    folder: Path, *changes: tuple[str, str], given: dict[str, bytes] | None = None, first: date = date(2026, 1, 2)
) -> Imported:
    """Import them on top of the shipped package."""
    base = load_package("sandbox-2026")
    return import_schemas(base, [archive(*changes)], NAME, first, folder, mappings() if given is None else given)


def package_in(folder: Path) -> FormatPackage:
    """The package that the import made."""
    return read_package(folder / NAME / f"{NAME}.json")
