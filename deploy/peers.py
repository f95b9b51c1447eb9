"""Foreign programs that our own are checked against (`make peers`): mbpoll and tshark, from Debian without root."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.stack.packages import Bundle
from deploy.stack.private_tree import require_tree

__all__ = ["PEERS", "PeerProgram", "peers_required", "require_mbpoll", "require_tshark"]

_NAMES = """
mbpoll libmodbus5 tshark wireshark-common libwireshark-data libwireshark18 libwiretap15 libwsutil16
libc6 libgcc-s1 libstdc++6 libatomic1 libbcg729-0 libblkid1 libbrotli1 libcap2 libcares2 libcom-err2 libdbus-1-3
libdeflate0 libffi8 libgcrypt20 libglib2.0-0t64 libgmp10 libgnutls30t64 libgpg-error0 libgssapi-krb5-2 libhogweed6t64
libidn2-0 libjbig0 libjpeg62-turbo libk5crypto3 libkeyutils1 libkrb5-3 libkrb5support0 liblerc4 liblua5.4-0 liblz4-1
liblzma5 libmaxminddb0 libmount1 libnettle8t64 libnghttp2-14 libnghttp3-9 libnl-3-200 libnl-genl-3-200
libnl-route-3-200 libopencore-amrnb0 libopus0 libp11-kit0 libpcap0.8t64 libpcre2-8-0 libsbc1 libselinux1 libsharpyuv0
libsmi2t64 libsnappy1v5 libspandsp2t64 libspeexdsp1 libssh-4 libssl3t64 libsystemd0 libtasn1-6 libtiff6 libunistring5
libwebp7 libxml2 libxxhash0 libzstd1 zlib1g
"""

PEERS = Bundle(
    "mbpoll and tshark",
    tuple(_NAMES.split()),
    ("usr/bin/mbpoll", "usr/bin/tshark"),
    45,
    "Install mbpoll and tshark yourself, or let the tests of foreign peers be left out.",
)


@dataclass(frozen=True)
class PeerProgram:
    """A program and what it needs in its environment beside ours."""

    path: Path
    variables: Mapping[str, str]

    def environment(self) -> dict[str, str]:
        """For `subprocess.run`."""
        return {**os.environ, **self.variables}


def peers_required(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a foreign peer that cannot be installed is a failure: CI=1, or ROZVODNA_PEERS=required."""
    return environment.get("ROZVODNA_PEERS") == "required" or environment.get("CI", "").lower() in ("1", "true", "yes")


def require_mbpoll(home: Path, say: Callable[[str], None]) -> PeerProgram:
    """mbpoll of the machine, or fetched below `home`/peers. Raises StackError."""
    if found := shutil.which("mbpoll"):
        return PeerProgram(Path(found), {})
    return PeerProgram(_tree(home, say) / "usr/bin/mbpoll", {})


def require_tshark(home: Path, say: Callable[[str], None]) -> PeerProgram:
    """tshark of the machine, or fetched below `home`/peers. Raises StackError."""
    if found := shutil.which("tshark"):
        return PeerProgram(Path(found), {})
    root = _tree(home, say)
    return PeerProgram(root / "usr/bin/tshark", {"WIRESHARK_DATA_DIR": str(root / "usr/share/wireshark")})


def _tree(home: Path, say: Callable[[str], None]) -> Path:
    folder = home / "peers"
    folder.mkdir(parents=True, exist_ok=True)
    # Two test sessions at once: the second waits for the first.
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return require_tree(PEERS, folder, say)
