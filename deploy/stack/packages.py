"""Debian packages without root: fetched and signature-checked by an apt with its own state, unpacked into one folder.

Nothing of the machine is changed. The mirror is the machine's own; so are its proxy and certificate settings. The suite
is always trixie, the first Debian with TimescaleDB; its programs run on older systems because they bring their own C
library.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from deploy.stack.errors import StackError

__all__ = ["STACK", "Bundle", "Source", "choose_sources", "download", "unpack"]

SUITE = "trixie"
RELEASE_NAMES = ("stable", "oldstable", "testing", "unstable", "sid")

# What postgres, its tools and mosquitto need, down to the C library. Static: a resolver would look at the machine.
_NAMES = """
postgresql-17 postgresql-client-17 postgresql-17-timescaledb libpq5 mosquitto mosquitto-clients libmosquitto1
libc6 libgcc-s1 libstdc++6 libicu76 libldap2 liblz4-1 libpam0g libselinux1 libssl3t64 libsystemd0 libuuid1 libxml2
libxslt1.1 libzstd1 zlib1g libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 libcap2
libaudit1 libcap-ng0 libpcre2-8-0 libsasl2-2 liblzma5 libgcrypt20 libgpg-error0 libreadline8t64 libtinfo6 libedit2
libbsd0 libmd0 libcjson1 libdlt2 libwebsockets19t64 libwrap0 libev4t64 libuv1t64 libnsl2 libtirpc3t64
"""

KEYRINGS = ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp")

OWN_SERVERS = (
    "Start TimescaleDB (PostgreSQL 17) and an MQTT 5 broker yourself and name them: "
    "DATABASE_URL=postgresql://USER:PASSWORD@HOST:PORT/DATABASE MQTT_URL=mqtt://USER:PASSWORD@HOST:PORT"
)


@dataclass(frozen=True)
class Bundle:
    """Packages that are fetched and unpacked together, down to the C library."""

    what: str
    """The programs they are fetched for, in sentences."""
    packages: tuple[str, ...]
    started: tuple[str, ...]
    """Patterns of the programs that are started, relative to the tree."""
    megabytes: int
    way_out: str
    """What somebody without Debian's mirrors can do instead."""


STACK = Bundle(
    "TimescaleDB and mosquitto",
    tuple(_NAMES.split()),
    ("usr/lib/postgresql/*/bin/*", "usr/sbin/mosquitto", "usr/bin/mosquitto_*"),
    40,
    OWN_SERVERS,
)


@dataclass(frozen=True)
class Source:
    """One line of a sources.list: the address as apt names it, and the suite."""

    site: str
    suite: str


def choose_sources(targets: list[tuple[str, str, str]], codename: str) -> list[Source]:
    """The mirror of the main archive and, where the machine knows one, that of the security archive.

    `targets` are (site, release, component) as apt lists them; `codename` is this machine's release. Third-party
    archives are left out: they have other components or releases of their own. Empty if no Debian mirror is among them.
    """
    releases = (codename, *RELEASE_NAMES)
    main = [site for site, release, component in targets if component == "main" and release in releases]
    security = [site for site, release, component in targets if component == "main" and release.endswith("-security")]
    if not main:
        return []
    # A foreign archive may use Debian's release names; Debian's own path ends in "debian".
    main.sort(key=lambda site: not urlsplit(site).path.rstrip("/").endswith("debian"))
    return [Source(main[0], SUITE), *(Source(site, f"{SUITE}-security") for site in security[:1])]


class _AptError(StackError):
    """What failed; the way out is added by who knows the bundle."""


def download(bundle: Bundle, folder: Path) -> list[Path]:
    """Fetch the packages of `bundle` into `folder` (kept there as a cache); returns the files. Raises StackError."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise StackError(f"There is no apt here to fetch {bundle.what} with. {bundle.way_out}")
    sources = choose_sources(_machine_targets(), _codename())
    if not sources:
        raise StackError(f"apt knows no Debian mirror here to fetch {bundle.what} from. {bundle.way_out}")
    try:
        return _fetch(bundle, folder, sources)
    except _AptError as error:
        raise StackError(f"{error}\n{bundle.way_out}") from None


def _fetch(bundle: Bundle, folder: Path, sources: list[Source]) -> list[Path]:
    environment = _private_apt(folder, sources)
    _run(["apt-get", "-q", "update"], environment, folder)
    files = folder / "files"
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir()
    _run(["apt-get", "-q", "download", *bundle.packages], environment, files)
    found = sorted(files.glob("*.deb"))
    if len(found) != len(bundle.packages):
        raise StackError(
            f"apt fetched {len(found)} of {len(bundle.packages)} packages into {files}; remove that folder, try again."
        )
    return found


def unpack(files: list[Path], root: Path) -> None:
    """Unpack the packages into one tree below `root`; no script of theirs is run."""
    root.mkdir(parents=True, exist_ok=True)
    for file in files:
        _run(["dpkg", "-x", str(file), str(root)], dict(os.environ), root)


def _machine_targets() -> list[tuple[str, str, str]]:
    fields = "$(SITE)|$(RELEASE)|$(COMPONENT)"
    # Without release info apt also lists what it has not downloaded yet: images come with empty lists.
    command = ["apt-get", "indextargets", "--no-release-info", "--format", fields, "Created-By: Packages"]
    rows = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    return [(site, release, component) for site, release, component in (row.split("|", 2) for row in rows)]


def _codename() -> str:
    path = Path("/etc/os-release")
    lines = path.read_text().splitlines() if path.exists() else []
    facts = dict(line.split("=", 1) for line in lines if "=" in line)
    return facts.get("VERSION_CODENAME", "").strip('"')


def _private_apt(folder: Path, sources: list[Source]) -> dict[str, str]:
    """An apt whose state, cache and sources lie in `folder`; returns the environment to call it with."""
    keyring = next((p for name in KEYRINGS if (p := Path("/usr/share/keyrings") / name).exists()), None)
    if keyring is None:
        raise _AptError("Debian's archive keys are missing; install the package debian-archive-keyring. Or:")
    for part in ("state/lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "state/status").touch()
    lines = [f"deb [signed-by={keyring}] {source.site} {source.suite} main" for source in sources]
    (folder / "sources.list").write_text("\n".join(lines) + "\n")
    # The machine's own files are not read (they may hold hooks that delete archives); how it reaches the network is.
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False).stdout
    network = [line for line in dump.splitlines() if line.startswith("Acquire::")]
    own = [
        f'Dir::State "{folder}/state";',
        f'Dir::State::status "{folder}/state/status";',
        f'Dir::Cache "{folder}/cache";',
        f'Dir::Etc::SourceList "{folder}/sources.list";',
        'Dir::Etc::SourceParts "/dev/null";',
        'Dir::Etc::Preferences "/dev/null";',
        'Dir::Etc::PreferencesParts "/dev/null";',
        'Dir::Etc::Main "/dev/null";',
        'Dir::Etc::Parts "/dev/null";',
        # As root apt would hand downloads to an account that may not reach this folder.
        'APT::Sandbox::User "root";',
        'Acquire::Retries "3";',
    ]
    (folder / "apt.conf").write_text("\n".join([*network, *own]) + "\n")
    return {**os.environ, "APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}


def _run(command: list[str], environment: dict[str, str], folder: Path) -> None:
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-1500:]
        raise _AptError(f"`{' '.join(command[:3])} ...` failed with status {done.returncode}:\n{said}")
