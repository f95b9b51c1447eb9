"""Reads a configuration and refuses it whole where anything is wrong: file, place, value, expectation."""

from pathlib import Path
from typing import Any

import msgspec

from edge.errors import ConfigError
from shared.edge_config import ConfigFault, judge
from shared.edge_config.model import EdgeConfig


def load_config(path: Path | str) -> EdgeConfig:
    """The configuration in file `path`; raises `ConfigError`."""
    try:
        octets = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"The configuration {path} cannot be read: {error.strerror}.") from None
    return parse_config(octets, str(path))


def parse_config(octets: bytes, source: str) -> EdgeConfig:
    """The configuration in `octets`, which came from `source` (named in errors); raises `ConfigError`."""
    return check_config(decode_json(octets, source), source)


def decode_json(octets: bytes, source: str) -> Any:
    """Whatever JSON `octets` hold; raises `ConfigError`."""
    try:
        return msgspec.json.decode(octets)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"The configuration {source} is not JSON: {error}.") from None


def check_config(data: Any, source: str) -> EdgeConfig:
    """The configuration in decoded JSON, templates expanded; raises `ConfigError`."""
    try:
        return judge(data)
    except ConfigFault as fault:
        raise ConfigError("\n".join(f"The configuration {source}, {each}" for each in fault.problems)) from None
