"""Where the broker is."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from central.platform.errors import BadInput


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is and how to log in."""

    host: str
    port: int
    username: str | None
    password: str | None


def parse_mqtt_url(url: str) -> BrokerAddress:
    """`mqtt://user:password@host:port`; raises BadInput."""
    parts = urlsplit(url)
    if parts.scheme != "mqtt" or not parts.hostname:
        # The address may hold a password: the sentence names only its scheme.
        raise BadInput(
            "mqtt_url",
            f"The broker's address must look like mqtt://USER:PASSWORD@HOST:PORT; its scheme is {parts.scheme!r}. "
            "Correct ROZVODNA_MQTT_URL.",
        )
    return BrokerAddress(
        parts.hostname,
        parts.port or 1883,
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
    )
