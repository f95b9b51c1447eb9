"""Makes a format package of the operator's schemas: what fits is official, what does not stays ours and says why.

A message becomes `official` only when its sample, written by our writer under the new package, satisfies the operator's
schema of its format and is read back. Everything else keeps the schema that it had, and with it the ban on production
addresses: also what an earlier archive made official, for an import replaces what was before as a whole. Archives that
hold together (electricity and gas) are taken in together. Each keeps its own folder, so that no schema takes in another
one's parts.
"""

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from central.market.cdsdata import INTERVAL_DATA, write_interval_data
from central.market.cdsdata_reader import read_interval_data
from central.market.errors import FormatError, InboundError, MarketError
from central.market.format_data import Format, MessageKind
from central.market.format_package import (
    FORMATS_FOLDER,
    FormatPackage,
    files_of_schema,
    find_packages,
    read_package,
)
from central.market.gas import edigas
from central.market.mapping.model import Mapping as ElementMapping
from central.market.mapping.transfer import transfer
from central.market.official.archive import LARGEST_MAPPING, read_archive, read_bounded
from central.market.official.compare import Difference, compare, root_names
from central.market.official.find import Found, find_schemas
from central.market.response import FORMATS as ANSWERS
from central.market.response import read_response, write_response

SCHEMAS: Final = "official"
"""Folder of the package with the archive's schemas."""
_MAKING: Final = ".making"


@dataclass(frozen=True, slots=True)
class Tried:
    """A message under the new package: whether it is official now, and why (not)."""

    code: str
    format: str
    is_official: bool
    why: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What an archive came to; `folder` is None for a trial that installed nothing."""

    name: str
    folder: Path | None
    schemas: dict[str, str]
    """Format -> the archive's schema of it."""
    differences: list[Difference]
    messages: list[Tried]


def import_schemas(
    base: FormatPackage,
    archives: Sequence[bytes],
    name: str,
    valid_from: date,
    folder: Path,
    mappings: Mapping[str, bytes] | None = None,
) -> Imported:
    """The package `name` in `folder`/`name`, made of `base`, the archives' schemas and, by format, other mappings.

    A package of that name must not be there yet. Raises FormatError; then nothing is left behind.
    """
    require_new(name)
    with making_folder(folder, name) as making:
        imported = make_package(base, archives, name, valid_from, making, mappings)
        return install(imported, making, folder)


def make_package(
    base: FormatPackage,
    archives: Sequence[bytes],
    name: str,
    valid_from: date,
    making: Path,
    mappings: Mapping[str, bytes] | None = None,
) -> Imported:
    """The package in the folder `making`, installed by nothing yet. Raises FormatError."""
    files = {f"{SCHEMAS}/{_digest(archive)[:12]}": read_archive(archive) for archive in archives}
    source = f"The market operator's archives {', '.join(map(_digest, archives))} on {base.name} {base.digest}."
    with _writing():
        return _make(base, files, name, valid_from, making, mappings or {}, source)


def install(imported: Imported, making: Path, folder: Path) -> Imported:
    """The package that lies in `making`, in its place: at once and whole, or not at all. FormatError where it is taken.

    Of several imports that make a package of the same name the first one that comes so far installs it.
    """
    target = folder / imported.name
    try:
        making.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise _taken(imported.name) from None
        raise _unwritable(error) from None
    return Imported(imported.name, target, imported.schemas, imported.differences, imported.messages)


def require_new(name: str) -> None:
    """FormatError for a package's name that could be no folder's, or is taken."""
    require_name(name)
    if name in find_packages():
        raise _taken(name)


def _taken(name: str) -> FormatError:
    return FormatError("package_exists", f"There is a format package {name} already: choose another name.")


def _unwritable(error: OSError) -> FormatError:
    return FormatError("bad_archive", f"The package cannot be written: {error.strerror} ({error.filename}).")


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unwritable(error) from None


def require_name(name: str) -> None:
    """FormatError for a package's name that could be anything but the name of a folder."""
    if not name.replace("-", "").isalnum() or not name.isascii():
        raise FormatError("bad_name", f"The package's name {name[:80]!r} must be letters, digits and '-'.")


@contextmanager
def making_folder(folder: Path, name: str) -> Iterator[Path]:
    """A folder of this import alone, in which its package is made; gone afterwards, unless it was moved to its place.

    It is locked while it is used: one that nobody has locked is what an import left that was killed, and goes, too.
    """
    with _writing():
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f".*{_MAKING}"):
            _drop_left(left)
        making, lock = _make_folder(folder, name)
    try:
        yield making
    finally:
        shutil.rmtree(making, ignore_errors=True)
        os.close(lock)


def _make_folder(folder: Path, name: str) -> tuple[Path, int]:
    """A new folder, and the file descriptor that locks it."""
    while True:
        making = folder / f".{name}.{secrets.token_hex(8)}{_MAKING}"
        making.mkdir()
        try:
            lock = os.open(making, os.O_RDONLY)
        except FileNotFoundError:
            continue  # another import took it for one that was left, before it was locked
        fcntl.flock(lock, fcntl.LOCK_EX)
        if making.is_dir():
            return making, lock
        os.close(lock)


def _drop_left(left: Path) -> None:
    try:
        lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(left, ignore_errors=True)
    except BlockingIOError:
        return
    finally:
        os.close(lock)


def _digest(archive: bytes) -> str:
    return hashlib.sha256(archive).hexdigest()


def _make(
    base: FormatPackage,
    archives: Mapping[str, Mapping[PurePosixPath, bytes]],
    name: str,
    valid_from: date,
    folder: Path,
    mappings: Mapping[str, bytes],
    source: str,
) -> Imported:
    for place, files in archives.items():
        for path, content in files.items():
            file = folder / place / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    given = {name: _mapping(name, content) for name, content in mappings.items()}
    roots = {name: mapping.root for name, mapping in given.items() if mapping.root is not None}
    official = find_schemas(base, folder, archives, roots)
    formats = [_format(base, entry, official, folder, mappings, roots) for entry in base.data.formats]
    messages = [msgspec.structs.replace(entry, status="sandbox") for entry in base.data.messages]
    for message in messages:
        if message.sample is not None:
            _copy(base.folder, folder, message.sample)
    data = msgspec.structs.replace(
        base.data,
        name=name,
        version=base.data.version + 1,
        valid_from=valid_from,
        source=source,
        formats=formats,
        messages=messages,
        code_lists=base.data.code_lists | {k: v for mapping in given.values() for k, v in mapping.code_lists.items()},
    )
    _write(folder, name, data)
    trial = read_package(folder / f"{name}.json")
    differences = [
        difference
        for format_name, found in official.items()
        for difference in compare(_with_namespace_of(base, trial), format_name, found.schema)
    ]
    tried = [_try(base, trial, message, official) for message in messages]
    passed = {result.code for result in tried if result.is_official}
    decided = [
        msgspec.structs.replace(entry, status="official") if entry.code in passed else entry for entry in messages
    ]
    _write(folder, name, msgspec.structs.replace(data, messages=decided))
    read_package(folder / f"{name}.json")
    schemas = {format_name: str(found.path) for format_name, found in official.items()}
    return Imported(name, None, schemas, differences, tried)


def _with_namespace_of(base: FormatPackage, trial: FormatPackage) -> FormatPackage:
    """The new package with the namespaces that we wrote until now, so that a difference of them is told."""
    namespaces = {entry.name: entry.namespace for entry in base.data.formats}
    formats = [msgspec.structs.replace(entry, namespace=namespaces[entry.name]) for entry in trial.data.formats]
    return FormatPackage(msgspec.structs.replace(trial.data, formats=formats), trial.folder, "")


def _format(
    base: FormatPackage,
    entry: Format,
    official: Mapping[str, Found],
    folder: Path,
    mappings: Mapping[str, bytes],
    roots: Mapping[str, str],
) -> Format:
    if entry.name in mappings:
        mapping = f"{entry.name.lower()}.json"
        (folder / mapping).write_bytes(mappings[entry.name])
        entry = msgspec.structs.replace(entry, mapping=mapping)
    elif entry.mapping is not None:
        _copy(base.folder, folder, entry.mapping)
    if entry.name in official:
        found = official[entry.name]
        return msgspec.structs.replace(
            entry,
            schema=found.file,
            namespace=_namespace(found, roots.get(entry.name, base.root(entry.name))),
            mark="documented",
        )
    if entry.schema is not None:
        for file in files_of_schema(base.folder / entry.schema):
            _copy(base.folder, folder, str(file.relative_to(base.folder)))
    return entry


def _mapping(name: str, content: bytes) -> ElementMapping:
    try:
        return msgspec.json.decode(content, type=ElementMapping)
    except msgspec.DecodeError as error:
        raise FormatError("bad_mapping", f"The element mapping of {name} cannot be read: {error}.") from None


def _namespace(found: Found, root: str) -> str:
    """The namespace of the document element; "" where it has none."""
    told = root_names(found.schema)[root]
    return "" if told == "None" else told


def _copy(source: Path, target: Path, name: str) -> None:
    (target / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source / name, target / name)


def _write(folder: Path, name: str, data: msgspec.Struct) -> None:
    (folder / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(data), indent=2) + b"\n")


def _try(base: FormatPackage, trial: FormatPackage, message: MessageKind, official: Mapping[str, Found]) -> Tried:
    if message.format not in official:
        return Tried(message.code, message.format, False, f"the archive has no schema of {message.format}")
    if trial.is_bare(message.format):
        try:
            edigas.try_samples(trial, message.format)
        except MarketError as error:
            return Tried(message.code, message.format, False, error.message)
        return Tried(message.code, message.format, True, "our samples satisfy the operator's schema")
    if message.sample is None:
        return Tried(message.code, message.format, False, "there is no sample of it")
    content = (base.folder / message.sample).read_bytes()
    try:
        written = _rewrite([base, *_shipped()], trial, message, content)
        _rewrite([trial], trial, message, written)
    except MarketError as error:
        return Tried(message.code, message.format, False, error.message)
    # the next import reads it by this package
    (trial.folder / message.sample).write_bytes(written)
    return Tried(message.code, message.format, True, "its sample satisfies the operator's schema")


def _shipped() -> Iterator[FormatPackage]:
    return (read_package(path) for path in sorted(FORMATS_FOLDER.glob("*.json")))


def _rewrite(readers: Iterable[FormatPackage], trial: FormatPackage, message: MessageKind, content: bytes) -> bytes:
    """The sample as our writer makes it under the new package, checked with its schema.

    It is read by the first of `readers` that can: one that never satisfied a schema is as our own package has it.
    """
    failure: InboundError | None = None
    for reader in readers:
        try:
            return _rewritten(reader, trial, message, content)
        except InboundError as error:
            failure = failure or error
    assert failure is not None, "there is always a reader"
    raise failure


def _rewritten(reader: FormatPackage, trial: FormatPackage, message: MessageKind, content: bytes) -> bytes:
    if message.code == INTERVAL_DATA:
        return write_interval_data(trial, read_interval_data(reader, content))
    if message.format in ANSWERS:
        return write_response(trial, read_response(reader, content))
    return transfer(content, reader, trial)


def parse_mappings(arguments: list[str]) -> Iterator[tuple[str, bytes]]:
    """`FORMAT=FILE` of the command line; FormatError."""
    for argument in arguments:
        name, _, path = argument.partition("=")
        if not name or not path:
            raise FormatError("bad_mapping", f"The mapping {argument!r} must be written FORMAT=FILE.")
        try:
            yield name, read_bounded(Path(path), LARGEST_MAPPING)
        except OSError as error:
            raise FormatError("bad_mapping", f"The mapping file {path} cannot be read: {error.strerror}.") from None
