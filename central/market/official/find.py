"""Which schema of the operator's archives describes which format of ours: one each, or it is told which compete."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import xmlschema

from central.market.errors import FormatError
from central.market.format_package import FormatPackage, files_of_schema
from central.market.official.compare import load_schema, root_names


@dataclass(frozen=True, slots=True)
class Found:
    """A format's schema: its path in the archive, its file in the package, all files that it is made of."""

    path: PurePosixPath
    file: str
    parts: frozenset[Path]
    schema: xmlschema.XMLSchema10


def find_schemas(
    base: FormatPackage,
    folder: Path,
    archives: Mapping[str, Mapping[PurePosixPath, bytes]],
    roots: Mapping[str, str] | None = None,
) -> dict[str, Found]:
    """By format of `base`: the schema that has its document element; the archives lie unpacked in `folder`.

    The document element has the format's name, or the one of `roots`, by format.

    FormatError where none has any, or where two schemas describe one format in different words: two releases.
    """
    known = {(roots or {}).get(entry.name, base.root(entry.name)): entry.name for entry in base.data.formats}
    candidates: dict[str, list[Found]] = {}
    for place, files in archives.items():
        for path in sorted(files):
            file = folder / place / path
            parts = frozenset(each.resolve() for each in files_of_schema(file))
            schema = load_schema(file)
            for name in known.keys() & set(root_names(schema)):
                candidates.setdefault(known[name], []).append(Found(path, f"{place}/{path}", parts, schema))
    if not candidates:
        count = sum(map(len, archives.values()))
        raise FormatError(
            "no_known_format",
            f"None of the archive's {count} schemas describes a format that {base.name} has "
            f"({', '.join(sorted(known))}).",
        )
    return {name: _the_one(name, found) for name, found in sorted(candidates.items())}


def _the_one(name: str, found: list[Found]) -> Found:
    """Of a schema and those that take it in, the schema itself; of copies, the first."""
    innermost = [each for each in found if not any(other.parts < each.parts for other in found)]
    contents = {frozenset((part.name, part.read_bytes()) for part in each.parts) for each in innermost}
    if len(contents) > 1:
        paths = ", ".join(str(each.path) for each in innermost)
        raise FormatError(
            "two_schemas",
            f"Several schemas describe {name}: {paths}. Take in the archives of one release; they replace what was "
            f"before as a whole.",
        )
    return innermost[0]
