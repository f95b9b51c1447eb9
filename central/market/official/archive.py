"""The XSD files of a zip archive from outside: bounded, flat in their folders, free of document type declarations."""

import io
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import Final

from central.market.errors import FormatError

MOST_MEMBERS: Final = 2_000
MOST_OCTETS: Final = 50_000_000
"""What the schemas may unpack to together; the operator's whole documentation has a tenth of it."""
_PIECE: Final = 1 << 16


def read_archive(content: bytes) -> dict[PurePosixPath, bytes]:
    """The schemas by their path in the archive; other files are passed over. FormatError for a bad one."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, ValueError) as error:
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
        if path.is_absolute() or ".." in path.parts or ":" in member.filename:
            raise FormatError("bad_archive", f"The archive's member {member.filename!r} would lie outside its folder.")
        found[path] = _unpacked(archive, member, left)
        left -= len(found[path])
        if b"<!DOCTYPE" in found[path] or b"<!ENTITY" in found[path]:
            raise FormatError("bad_archive", f"The schema {path} has a document type declaration; it is not read.")
    if not found:
        raise FormatError(
            "bad_archive", "The archive has no .xsd file in it: take the operator's archive of XSD templates."
        )
    return found


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
