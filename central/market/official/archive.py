"""The XSD files of a zip archive from outside: bounded, each once, free of document type declarations."""

import io
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Final

from central.market.errors import FormatError, InboundError
from central.market.xml import XmlLimits, parse_untrusted

LARGEST_ARCHIVE: Final = 100_000_000
MOST_MEMBERS: Final = 2_000
MOST_SCHEMAS: Final = 500
MOST_PARTS: Final = 20
"""Folders that a schema may lie in, one within the other."""
LARGEST_MAPPING: Final = 1_000_000
MOST_OCTETS: Final = 50_000_000
"""What the schemas may unpack to together; the operator's whole documentation has a tenth of it."""
_PIECE: Final = 1 << 16
_LIMITS: Final = XmlLimits(size_bytes=MOST_OCTETS, depth=60, tags=1_000_000)
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""The others (bzip2, LZMA) ask for as much memory as their own header says."""


def read_bounded(path: Path, at_most: int) -> bytes:
    """The octets of a file, no more than `at_most`; FormatError for a larger one, OSError where it cannot be read."""
    with path.open("rb") as file:
        content = file.read(at_most + 1)
    if len(content) > at_most:
        raise FormatError("too_large", f"The file {path.name} has more than {at_most} octets; that many are read.")
    return content


def read_archive(content: bytes) -> dict[PurePosixPath, bytes]:
    """The schemas by their path in the archive; other files are passed over. FormatError for a bad one."""
    if len(content) > LARGEST_ARCHIVE:
        raise FormatError("bad_archive", f"The archive has {len(content)} octets; at most {LARGEST_ARCHIVE} are read.")
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, struct.error) as error:
        raise FormatError("bad_archive", f"The archive is no zip file that can be read: {error}.") from None
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise FormatError("bad_archive", f"The archive has {len(members)} members; at most {MOST_MEMBERS} are read.")
    found: dict[PurePosixPath, bytes] = {}
    left = MOST_OCTETS
    for member in members:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if member.is_dir() or path.suffix.lower() != ".xsd":
            continue
        if len(found) == MOST_SCHEMAS:
            raise FormatError("bad_archive", f"The archive has more than {MOST_SCHEMAS} schemas; that many are read.")
        if len(path.parts) > MOST_PARTS:
            raise FormatError("bad_archive", f"The archive's member {member.filename[:200]!r} lies too deep.")
        if member.compress_type not in _METHODS:
            raise FormatError(
                "bad_archive",
                f"The archive's member {member.filename[:200]!r} is packed by the method {member.compress_type}; "
                "expected stored or deflated.",
            )
        if path.is_absolute() or ".." in path.parts or ":" in member.filename:
            raise FormatError("bad_archive", f"The archive's member {member.filename!r} would lie outside its folder.")
        if path in found or any(parent in found for parent in path.parents):
            raise FormatError("bad_archive", f"The archive has the schema {path} twice, or a schema as a folder.")
        found[path] = _unpacked(archive, member, left)
        left -= len(found[path])
        _require_plain(path, found[path])
    if not found:
        raise FormatError(
            "bad_archive", "The archive has no .xsd file in it: take the operator's archive of XSD templates."
        )
    return found


def _require_plain(path: PurePosixPath, content: bytes) -> None:
    """The octets are XML in an encoding that contains ASCII, without entities: no later reader finds anything else."""
    try:
        parse_untrusted(content, _LIMITS)
    except InboundError as error:
        sentence = error.message.replace("The message", "It")
        raise FormatError("bad_archive", f"The schema {path} cannot be read. {sentence}") from None


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, left: int) -> bytes:
    """At most `left` octets: what the directory says of the size is not believed."""
    content = bytearray()
    try:
        with archive.open(member) as file:
            while piece := file.read(_PIECE):
                content += piece
                if len(content) > left:
                    raise FormatError("bad_archive", f"The archive's schemas unpack to more than {MOST_OCTETS} octets.")
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise FormatError(
            "bad_archive", f"The archive's member {member.filename!r} cannot be unpacked: {error}."
        ) from None
    return bytes(content)
