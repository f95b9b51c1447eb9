"""Reads a configuration and refuses it whole where anything is wrong: file, place, value, expectation."""

import re
from pathlib import Path
from typing import Any

import msgspec

from edge.config.check import problems
from edge.config.model import EdgeConfig
from edge.errors import ConfigError


def load_config(path: Path | str) -> EdgeConfig:
    """The configuration in file `path`; raises `ConfigError`."""
    try:
        octets = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"The configuration {path} cannot be read: {error.strerror}.") from None
    return parse_config(octets, str(path))


def parse_config(octets: bytes, source: str) -> EdgeConfig:
    """The configuration in `octets`, which came from `source` (named in errors); raises `ConfigError`."""
    try:
        config = msgspec.json.decode(octets, type=EdgeConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(_shape_sentence(octets, source, str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The configuration {source} is not JSON: {error}.") from None
    found = list(problems(config))
    if found:
        raise ConfigError("\n".join(f"The configuration {source}, {problem}" for problem in found))
    return config


def _shape_sentence(octets: bytes, source: str, message: str) -> str:
    expectation, _, place = message.partition(" - at `$")
    place = place.rstrip("`")
    value: Any = msgspec.json.decode(octets)
    for name, index in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", place):
        try:
            value = value[int(index)] if index else value[name]
        except (KeyError, IndexError, TypeError):
            break
    shown = msgspec.json.encode(value).decode()
    if len(shown) > 120:
        shown = shown[:117] + "..."
    where = place.lstrip(".") or "the top level"
    return f"The configuration {source}, at {where}: {expectation}; found {shown}."
