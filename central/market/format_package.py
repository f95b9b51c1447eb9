"""Format packages: message codes, code lists, namespaces and schemas of the market operator's messages as dated data.

A package is `formats/NAME.json` with XSD files beside it. A package whose status is `sandbox` was written by us; its
messages may leave for addresses marked as a sandbox only (see `channel.py`). Every entry says in `mark` how sure it is:
documented, inferred or assumed.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

import msgspec
from lxml import etree

from central.market.errors import FormatError
from central.market.format_data import (
    EnvelopeRules,
    Format,
    ListedCode,
    MessageKind,
    MessageUnit,
    PackageData,
    ReasonCode,
    ReasonType,
    ValueType,
    problems_of,
)
from central.market.mapping.model import Mapping
from central.market.mapping.model import problems_of as mapping_problems
from shared.metering_day import PRAGUE
from shared.quantities import Quality

FORMATS_FOLDER: Final = Path(__file__).with_name("formats")
INSTALLED: Final = "market-formats"
"""Folder below ROZVODNA_HOME with the packages that `rozvodna market import-schemas` made."""
SCHEMA_NAMESPACE: Final = "{http://www.w3.org/2001/XMLSchema}"


@dataclass(frozen=True)
class FormatPackage:
    """One release of message formats, checked and indexed; `digest` (SHA-256) covers the JSON file and its schemas."""

    data: PackageData
    folder: Path
    digest: str

    @property
    def name(self) -> str:
        return self.data.name

    @property
    def is_sandbox(self) -> bool:
        """Written by us: must never leave for a production address."""
        return self.data.status == "sandbox"

    def is_sandbox_message(self, code: str) -> bool:
        """Whether a message of that code is laid out by us: it must never leave for a production address."""
        return (self.message(code).status or self.data.status) == "sandbox"

    @property
    def envelope(self) -> EnvelopeRules:
        return self.data.envelope

    @cached_property
    def _formats(self) -> dict[str, Format]:
        return {entry.name: entry for entry in self.data.formats}

    @cached_property
    def _messages(self) -> dict[str, MessageKind]:
        return {entry.code: entry for entry in self.data.messages}

    @cached_property
    def value_types(self) -> dict[str, ValueType]:
        """By our channel direction: A+, A-, R+, R-."""
        return {entry.direction: entry for entry in self.data.value_types}

    @cached_property
    def value_types_by_code(self) -> dict[str, ValueType]:
        """By the operator's code: A12, A11, ..."""
        return {entry.code: entry for entry in self.data.value_types}

    @cached_property
    def units(self) -> dict[str, MessageUnit]:
        return {entry.code: entry for entry in self.data.units}

    @cached_property
    def resolutions(self) -> dict[int, str]:
        """Code by the period's length in seconds."""
        return {entry.seconds: entry.code for entry in self.data.resolutions}

    @cached_property
    def letters(self) -> dict[Quality, str | None]:
        """Status letter of every quality that may be sent."""
        return {Quality[entry.quality]: entry.letter for entry in self.data.statuses}

    @cached_property
    def qualities(self) -> dict[str | None, Quality]:
        """Quality by status letter."""
        return {letter: quality for quality, letter in self.letters.items()}

    @cached_property
    def reason_types(self) -> dict[str, ReasonType]:
        return {entry.type: entry for entry in self.data.reason_types}

    @cached_property
    def reason_codes(self) -> dict[str, ReasonCode]:
        return {entry.code: entry for entry in self.data.reason_codes}

    def format(self, name: str) -> Format:
        """The format of that name; FormatError if the package has none."""
        if name not in self._formats:
            raise FormatError("unknown_format", f"The format package {self.name} has no format {name!r}.")
        return self._formats[name]

    def message(self, code: str) -> MessageKind:
        """The message of that code; FormatError if the package has none."""
        if code not in self._messages:
            raise FormatError("unknown_message_code", f"The format package {self.name} has no message code {code!r}.")
        return self._messages[code]

    def code_list(self, name: str) -> tuple[ListedCode, ...]:
        """The code list of that name; FormatError if the package has none."""
        if name not in self.data.code_lists:
            raise FormatError("unknown_code_list", f"The format package {self.name} has no code list {name!r}.")
        return self.data.code_lists[name]

    @cached_property
    def mappings(self) -> dict[str, Mapping]:
        """Element mappings by format."""
        return {entry.name: _read_mapping(self.folder / entry.mapping) for entry in self.data.formats if entry.mapping}

    def mapping(self, format_name: str) -> Mapping:
        """The element mapping of a format; FormatError if the package has none for it."""
        if format_name not in self.mappings:
            raise FormatError("no_mapping", f"The format package {self.name} has no element mapping of {format_name}.")
        return self.mappings[format_name]

    def root(self, format_name: str) -> str:
        """Local name of the document element of a format."""
        found = self.mappings.get(format_name)
        return format_name if found is None or found.root is None else found.root

    def is_bare(self, format_name: str) -> bool:
        """Whether the format has not the common envelope: its mapping names a document element of its own."""
        found = self.mappings.get(format_name)
        return found is not None and found.root is not None

    def format_of_root(self, namespace: str | None, root: str) -> str | None:
        """The format whose documents begin so."""
        for entry in self.data.formats:
            if entry.namespace == (namespace or "") and self.root(entry.name) == root:
                return entry.name
        return None

    @cached_property
    def _schemas(self) -> dict[str, etree.XMLSchema]:
        return {}

    def schema(self, format_name: str) -> etree.XMLSchema:
        """The compiled XSD of a format; FormatError if the package has none for it."""
        if format_name not in self._schemas:
            path = self.format(format_name).schema
            if path is None:
                raise FormatError(
                    "no_schema", f"The format package {self.name} has no schema of {format_name}: it cannot be written."
                )
            try:
                self._schemas[format_name] = etree.XMLSchema(_parse_schema(self.folder / path))
            except (etree.LxmlError, OSError) as error:
                raise FormatError("bad_schema", f"The schema {path} cannot be used: {str(error)[:500]}.") from None
        return self._schemas[format_name]


def _read_mapping(path: Path) -> Mapping:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Mapping)
    except (OSError, msgspec.DecodeError) as error:
        raise FormatError("bad_package", f"The element mapping {path.name} cannot be read: {error}.") from None


def _parse_schema(path: Path) -> etree._ElementTree:
    """A schema file of ours; its includes are files beside it."""
    return etree.parse(path, etree.XMLParser(no_network=True, resolve_entities=False, load_dtd=False))


def files_of_schema(path: Path) -> set[Path]:
    """The file of a schema with all that it includes or imports; FormatError where one is missing or outside."""
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        try:
            root = _parse_schema(file).getroot()
        except (OSError, etree.XMLSyntaxError) as error:
            raise FormatError("bad_schema", f"The schema {file.name} cannot be read: {error}.") from None
        for kind in ("include", "import"):
            for other in root.iterfind(f"{SCHEMA_NAMESPACE}{kind}"):
                location = other.get("schemaLocation")
                if location is None:
                    continue
                if "://" in location or not (file.parent / location).resolve().is_relative_to(path.parent.resolve()):
                    raise FormatError("bad_schema", f"The schema {file.name} takes in {location}, outside its folder.")
                waiting.append(file.parent / location)
    return found


def read_package(path: Path) -> FormatPackage:
    """The package of a JSON file; FormatError names what does not fit together in it."""
    text = path.read_bytes()
    try:
        data = msgspec.json.decode(text, type=PackageData)
    except msgspec.DecodeError as error:
        raise FormatError("bad_package", f"The format package {path.name} cannot be read: {error}.") from None
    if problems := problems_of(data):
        raise FormatError("bad_package", f"The format package {path.name} is not usable. " + " ".join(problems))
    digest = hashlib.sha256(text)
    schema_files = {
        file for entry in data.formats if entry.schema for file in files_of_schema(path.parent / entry.schema)
    }
    mapping_files = {path.parent / entry.mapping for entry in data.formats if entry.mapping}
    package = FormatPackage(data, path.parent, "")
    lists = frozenset(data.code_lists)
    if problems := [problem for mapping in package.mappings.values() for problem in mapping_problems(mapping, lists)]:
        raise FormatError("bad_package", f"The format package {path.name} is not usable. " + " ".join(problems))
    for file in sorted(schema_files | mapping_files):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return FormatPackage(data, path.parent, digest.hexdigest())


_FOLDERS: dict[Path, None] = {}
"""Folders with packages of this installation, in the order in which they were named."""


def look_into(home: Path) -> Path:
    """Find packages of the installation whose state lies in `home`, too; the folder of its packages."""
    folder = home.absolute() / INSTALLED
    _FOLDERS.setdefault(folder)
    return folder


def folders() -> tuple[Path, ...]:
    """The folders of installed packages that are looked into, for `find_in` of another process."""
    return tuple(_FOLDERS)


def find_in(known: Iterable[Path]) -> None:
    """Find packages in these folders, too."""
    _FOLDERS.update(dict.fromkeys(known))


def find_packages() -> dict[str, Path]:
    """The packages that there are, shipped and installed, by name."""
    files = sorted(FORMATS_FOLDER.glob("*.json"))
    files += [file for folder in _FOLDERS for file in sorted(folder.glob("*/*.json")) if file.stem == file.parent.name]
    return {file.stem: file for file in reversed(files)}


def load_package(name: str) -> FormatPackage:
    """The shipped or installed package of that name, e.g. `sandbox-2026`; FormatError."""
    found = find_packages()
    if name not in found:
        known = ", ".join(sorted(found))
        raise FormatError("unknown_package", f"There is no format package {name!r}; there are: {known}.")
    return _read_once(found[name])


@lru_cache(maxsize=16)
def _read_once(path: Path) -> FormatPackage:
    return read_package(path)


def usable_packages() -> tuple[list[FormatPackage], dict[str, str]]:
    """The packages that can be read, and by name why the others cannot: one that is broken stops its messages only."""
    usable: list[FormatPackage] = []
    broken: dict[str, str] = {}
    for name in sorted(find_packages()):
        try:
            usable.append(load_package(name))
        except FormatError as error:
            broken[name] = error.message
        except OSError as error:
            broken[name] = f"The format package {name} cannot be read: {error}."
    return usable, broken


def package_of_root(namespace: str | None, format_name: str, day: date) -> FormatPackage:
    """The package that lays out a message with that root: of several the one valid on `day`, else the latest.

    Where none has the root, the one valid on `day`, which says what it expects; FormatError.
    """
    having = [package for package in usable_packages()[0] if package.format_of_root(namespace, format_name) is not None]
    if not having:
        return package_valid_on(day)

    def rank(package: FormatPackage) -> tuple[bool, date, int]:
        data = package.data
        is_valid = data.valid_from <= day and (data.valid_to is None or day < data.valid_to)
        return is_valid, data.valid_from, data.version

    return max(having, key=rank)


def package_at(at: datetime) -> FormatPackage:
    """The package by which a message is written at that instant: a release begins at midnight in Prague."""
    return package_valid_on(day_at(at))


def day_at(at: datetime) -> date:
    """The calendar day of an instant in Prague, by which releases of the formats are valid."""
    return at.astimezone(PRAGUE).date()


def package_valid_on(day: date) -> FormatPackage:
    """The package whose validity contains `day`; of several the latest one of the highest version."""
    valid = [
        package
        for package in usable_packages()[0]
        if package.data.valid_from <= day and (package.data.valid_to is None or day < package.data.valid_to)
    ]
    if not valid:
        raise FormatError("no_package", f"No format package of market messages is valid on {day.isoformat()}.")
    return max(valid, key=lambda package: (package.data.valid_from, package.data.version))
