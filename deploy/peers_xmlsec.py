"""xmlsec1, another implementation of XML signatures, from Debian without root: what our envelopes are tried against."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from deploy.peers import PeerProgram
from deploy.stack.packages import Bundle
from deploy.stack.private_tree import require_tree

__all__ = ["XMLSEC", "require_xmlsec"]

_NAMES = """
xmlsec1 libxmlsec1t64 libxmlsec1t64-openssl libxml2 libxslt1.1 libgcrypt20 libgpg-error0 liblzma5 libssl3t64 libzstd1
zlib1g libc6 libgcc-s1
"""
XMLSEC: Final = Bundle(
    "xmlsec1",
    tuple(_NAMES.split()),
    ("usr/bin/xmlsec1",),
    11,
    "Install xmlsec1 yourself, or let the tests of foreign peers be left out.",
)


def require_xmlsec(home: Path, say: Callable[[str], None]) -> PeerProgram:
    """xmlsec1 of the machine, or fetched below `home`/peers/xmlsec. Raises StackError."""
    if found := shutil.which("xmlsec1"):
        return PeerProgram(Path(found), {})
    folder = home / "peers/xmlsec"
    folder.mkdir(parents=True, exist_ok=True)
    # Two test sessions at once: the second waits for the first.
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root = require_tree(XMLSEC, folder, say)
    return PeerProgram(root / "usr/bin/xmlsec1", {})
