"""Keys and signed messages, as the tests of control share them."""

import copy
import json
from typing import Any

from edge.config import EdgeConfig
from shared.control.keys import key_text, signing_public
from shared.control.messages import Act, Command, Configuration, sign_command, sign_configuration
from tests.unit.edge.examples import MARCH, config_data, edge_config

CENTRAL = bytes(range(100, 132))
PUBLIC = signing_public(CENTRAL)
FORGER = bytes(range(32))
MARCH_MS = int(MARCH.timestamp() * 1000)


def local_data() -> dict[str, Any]:
    """The example with central's key, as the local file."""
    return config_data() | {"control": {"central_key": key_text(PUBLIC)}}


def local_config() -> EdgeConfig:
    return edge_config(local_data())


def pushed(number: int, private: bytes = CENTRAL, edge: str = "CONC-1", **changes: Any) -> bytes:
    """A signed configuration: buses of the example, what the local file keeps left out."""
    body = {"number": number, "buses": copy.deepcopy(config_data()["buses"]), **changes}
    return sign_configuration(Configuration(edge=edge, number=number, body=json.dumps(body).encode()), private)


def command(
    work: Act,
    identifier: str = "c-1",
    private: bytes = CENTRAL,
    edge: str = "CONC-1",
    issued: int = MARCH_MS,
    lives_s: int = 300,
) -> bytes:
    """A signed command."""
    return sign_command(
        Command(id=identifier, edge=edge, issued=issued, expires=issued + lives_s * 1000, work=work), private
    )
