"""Read a package file: decode, check every reference and number, verify the checksum, index the values."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from central.platform.errors import BadInput
from central.tariffs.model import PackageFile
from central.tariffs.package import Package, index_tables, key_sets
from central.tariffs.problems import Formulas, problems_of

SHIPPED = Path(__file__).parent / "packages"
LARGEST = 8_000_000
"""Octets of a package file; the largest one that ships has less than a hundredth of it."""


class PackageInvalidError(BadInput):
    """A package file that must not be used; the sentence says where and what is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__("package_invalid", message)


def canonical(content: Any) -> bytes:
    """The one spelling of JSON content that digests are made of: sorted keys, no spaces, UTF-8."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def bare(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content without its checksum and signature: what both of them cover."""
    return {key: value for key, value in content.items() if key not in ("checksum", "signature")}


def checksum_of(content: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical content without the checksum and the signature themselves, as "sha256:<hex>"."""
    return "sha256:" + hashlib.sha256(canonical(bare(content))).hexdigest()


def load_file(path: Path, formulas: Formulas | None = None) -> Package:
    """Load a package from a file; `formulas` are those of the release (None: not checked)."""
    return load_octets(path.read_bytes(), path.name, formulas)


def load_octets(octets: bytes, where: str, formulas: Formulas | None = None) -> Package:
    """Load a package from the octets of its file; `where` names it in errors. Raises PackageInvalidError."""
    if len(octets) > LARGEST:
        raise PackageInvalidError(f"Package {where} has {len(octets)} octets; at most {LARGEST} are expected.")
    return load_content(parse_object(octets, where), where, formulas)


def load_content(content: dict[str, Any], where: str, formulas: Formulas | None = None) -> Package:
    """Load a package from its decoded JSON; `where` names it in errors. Raises PackageInvalidError."""
    _require_text(content, where)
    try:
        file = msgspec.convert(content, PackageFile)
    except msgspec.ValidationError as error:
        raise PackageInvalidError(
            f"Package {where} does not have the shape of a legislative package: {error}."
        ) from error
    problems = list(problems_of(file, formulas))
    if problems:
        raise PackageInvalidError(f"Package {where} is refused: " + " ".join(problems[:10]))
    computed = checksum_of(content)
    if file.checksum != computed:
        raise PackageInvalidError(
            f"Package {where} carries checksum {file.checksum or '(none)'}, its content has {computed}; "
            "it was changed after it was built. Fetch it again, or build it again from its sources."
        )
    return Package(file=file, checksum=computed, content=content, index=index_tables(file), key_sets=key_sets(file))


def shipped_files() -> list[Path]:
    """The packages that come with the product."""
    return sorted(SHIPPED.glob("*.json"))


def parse_object(raw: bytes, where: str) -> dict[str, Any]:
    """One JSON object without binary floats; `where` names it in errors. Raises PackageInvalidError."""
    try:
        content = json.loads(raw, parse_float=_refuse_float, parse_constant=_refuse_float)
    except (ValueError, RecursionError) as error:
        raise PackageInvalidError(f"Package {where} cannot be read as JSON: {error}.") from error
    if not isinstance(content, dict):
        raise PackageInvalidError(f"Package {where} must be one JSON object.")
    return content


def _require_text(content: Mapping[str, Any], where: str) -> None:
    """Refuse what neither a digest nor the database can take: halves of characters, and the character of number 0."""
    try:
        octets = canonical(content)
    except (UnicodeEncodeError, RecursionError):
        raise PackageInvalidError(
            f"Package {where} holds half of a character (a lone surrogate), or is nested too deep; write it anew."
        ) from None
    if b"\\u0000" in octets:
        raise PackageInvalidError(f"Package {where} holds the character U+0000, which no text may have; take it out.")


def _refuse_float(text: str) -> float:
    raise ValueError(f"the number {text} is written as a JSON number; write it as a decimal string")
