"""Rules of a DLMS meter's security: each problem is a sentence that begins with its place."""

import re
from collections.abc import Iterator
from typing import Final

from shared.edge_config.model import DeviceConfig, KeySource, SecurityConfig
from shared.identifiers import Obis

_TITLE: Final = re.compile(r"[0-9A-Fa-f]{16}")


def security_problems(device: DeviceConfig, security: SecurityConfig, place: str) -> Iterator[str]:
    if device.model != "dlms":
        yield f"at {place}: a {device.model} knows no DLMS security; remove it."
    for name, title in (("client_title", security.client_title), ("meter_title", security.meter_title)):
        if title is not None and not _TITLE.fullmatch(title):
            yield f"at {place}.{name}: {title!r} must be 8 octets in 16 hexadecimal digits, such as 525A560000000001."
    for name, source in (
        ("encryption_key", security.encryption_key),
        ("authentication_key", security.authentication_key),
    ):
        yield from _source_problems(source, f"{place}.{name}")
    if security.dedicated and "encrypted" not in security.protection:
        yield (
            f"at {place}.dedicated: a dedicated key is sent to the meter encrypted, but protection is "
            f"{security.protection}; set it to authenticated-encrypted."
        )
    if security.protection == "none" and security.mechanism != "gmac":
        yield f"at {place}.protection: none without the mechanism gmac secures nothing; remove security, or set one."
    if (device.password_file is not None) != (security.mechanism == "low"):
        has = "a password_file" if device.password_file is not None else "no password_file"
        yield f"at {place}.mechanism: {security.mechanism} and {has} do not go together; low needs one, others none."
    for name, obis in (("association", security.association), ("counter", security.counter)):
        if obis is not None:
            try:
                Obis.parse(obis)
            except ValueError as error:
                yield f"at {place}.{name}: {error}"
    if security.counter is not None and not _reads_openly(security.counter_client, device.address.client):
        yield (
            f"at {place}.counter_client: {security.counter_client} must be a client from 1 to 127 that reads without "
            f"security, so not {device.address.client} itself."
        )


def _reads_openly(client: int, own: int) -> bool:
    return 1 <= client <= 127 and client != own


def _source_problems(source: KeySource, place: str) -> Iterator[str]:
    if (source.file is None) == (source.sealed is None):
        yield f'at {place}: a key comes from one place, {{"file": path}} or {{"sealed": base64}}.'
