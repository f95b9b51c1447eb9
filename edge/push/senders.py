"""Who may push: found by system title (ciphered messages) or source address; and what protection is due."""

from dataclasses import dataclass

from edge.config import DeviceConfig, EdgeConfig, PushSource
from edge.drivers.keyring import PROTECTIONS, KeyReader
from shared.dlms.ciphering import CipheredApdu, Keys, decode_ciphered, unprotect
from shared.dlms.errors import DecodeError


class UnknownSenderError(Exception):
    """Nobody in the configuration sends so."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A device that pushes. `keys` only where its messages are ciphered; then plain ones are not taken."""

    device: DeviceConfig
    push: PushSource
    title: bytes | None = None
    keys: Keys | None = None
    suite: int = 0
    protection: int = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """A message out of its protection; `counter` is the sender's invocation counter, None of plain messages."""

    sender: Sender
    plain: bytes
    counter: int | None = None


class Senders:
    """All devices of a configuration that push."""

    def __init__(self, senders: list[Sender]) -> None:
        self._by_title = {each.title: each for each in senders if each.title is not None and each.keys is not None}
        self._by_address = {each.push.source: each for each in senders if each.push.source is not None}

    def open(self, apdu: bytes, address: str) -> Opened:
        """Who sent `apdu` from the IP address, and what it says. Raises `UnknownSenderError`, DecodeError."""
        ciphered = decode_ciphered(apdu)
        if ciphered is None:
            sender = self._by_address.get(address)
            if sender is None or sender.keys is not None:
                raise UnknownSenderError(f"No device of the configuration sends plain messages from {address}.")
            return Opened(sender, apdu)
        return self._unprotected(ciphered, address)

    def _unprotected(self, apdu: CipheredApdu, address: str) -> Opened:
        if apdu.dedicated:
            raise DecodeError("A pushed message cannot be ciphered with a dedicated key: it belongs to no association.")
        sender = self._by_address.get(address) if apdu.title is None else self._by_title.get(apdu.title)
        if sender is None or sender.keys is None or sender.title is None:
            title = "no title" if apdu.title is None else f"title {apdu.title.hex()}"
            raise UnknownSenderError(f"No device of the configuration sends ciphered messages with {title}.")
        found = unprotect(apdu.body, sender.title, sender.keys, suite=sender.suite, demanded=sender.protection)
        return Opened(sender, found.plain, found.counter)


def senders_of(config: EdgeConfig, read_key: KeyReader) -> Senders:
    """The devices that push. Raises `ConfigError` where a key cannot be read."""
    senders: list[Sender] = []
    for _, device in config.devices():
        push, security = device.push, device.security
        if push is None:
            continue
        if security is None:
            senders.append(Sender(device, push))
            continue
        if security.meter_title is None:
            continue  # shared.edge_config.check refuses it
        place = f"{device.id}.security"
        keys = Keys(
            read_key(security.encryption_key, f"{place}.encryption_key"),
            read_key(security.authentication_key, f"{place}.authentication_key"),
        )
        title = bytes.fromhex(security.meter_title)
        senders.append(Sender(device, push, title, keys, security.suite, PROTECTIONS[security.protection]))
    return Senders(senders)
