"""Which places outside the operator's settings trust: named hosts, and folders."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from central.platform.errors import BadInput

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Trust:
    """`hosts` as "host" (the scheme's own port) or "host:port"; `plain_http` admits http; folders with all below."""

    hosts: frozenset[str] = frozenset()
    plain_http: bool = False
    folders: tuple[Path, ...] = ()

    @classmethod
    def of(cls, hosts: Iterable[str], folders: Iterable[Path], *, plain_http: bool) -> "Trust":
        """From the settings; names of hosts without regard to case."""
        return cls(
            frozenset(host.strip().lower() for host in hosts), plain_http, tuple(each.resolve() for each in folders)
        )

    def require(self, address: str) -> None:
        """BadInput with a sentence for an address that is no address or is not trusted."""
        parts = split(address)
        if parts.scheme == "file":
            folder = folder_of(address)
            if not any(folder.is_relative_to(each) for each in self.folders):
                raise BadInput(
                    "untrusted_folder",
                    f"The folder {folder} is not trusted: add it to ROZVODNA_EXTERNAL_FOLDERS, or name another.",
                )
            return
        if parts.scheme != "https" and not (parts.scheme == "http" and self.plain_http):
            raise BadInput(
                "untrusted_scheme",
                f"The address {address!r} is not https://..., nor a folder file:///...; http only with "
                "ROZVODNA_EXTERNAL_HTTP=true.",
            )
        if parts.username is not None or parts.password is not None:
            raise BadInput("address_with_password", "The address has a user or a password in it; leave them out.")
        if place(parts) not in self.hosts:
            raise BadInput(
                "untrusted_host",
                f"The host {place(parts)} is not trusted: add it to ROZVODNA_EXTERNAL_HOSTS, or name another address.",
            )


def split(address: str) -> SplitResult:
    """The parts of an address; BadInput where it has no host (of a folder: no path), or cannot be read at all."""
    try:
        parts = urlsplit(address)
        whole = bool(parts.path.strip("/")) and not parts.netloc if parts.scheme == "file" else bool(parts.hostname)
        whole = (
            whole
            and parts.port != 0
            and address.isprintable()
            and " " not in address
            and "\0" not in unquote(parts.path)
        )
    except ValueError:
        whole = False
    if not whole:
        raise BadInput("address", f"{address!r} is not an address; https://host/path or file:///folder is expected.")
    return parts


def folder_of(address: str) -> Path:
    """The folder of a `file:` address, links and dots resolved."""
    return Path(unquote(split(address).path)).resolve()


def place(parts: SplitResult) -> str:
    """Host, with its port where that is not the scheme's own."""
    host = (parts.hostname or "").lower().rstrip(".")
    return host if parts.port in (None, PORTS.get(parts.scheme)) else f"{host}:{parts.port}"
