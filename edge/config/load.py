"""Reads a configuration and refuses it whole where anything is wrong: file, place, value, expectation."""

import re
from pathlib import Path
from typing import Any, Final

import msgspec

from edge.config.check import problems
from edge.config.model import DeviceConfig, EdgeConfig
from edge.config.templates import Expanded, expand
from edge.errors import ConfigError
from shared.device_templates import shipped_templates

DEVICE_FIELDS: Final = frozenset(DeviceConfig.__struct_fields__)


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
    expanded = expand(data, shipped_templates(), DEVICE_FIELDS)
    if expanded.problems:
        raise ConfigError("\n".join(f"The configuration {source}, {problem}" for problem in expanded.problems))
    try:
        config = msgspec.convert(expanded.data, EdgeConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(_shape_sentence(expanded, source, str(error))) from None
    found = list(problems(config))
    if found:
        raise ConfigError("\n".join(f"The configuration {source}, {_with_origin(each, expanded)}" for each in found))
    return config


def _with_origin(problem: str, expanded: Expanded) -> str:
    place, colon, sentence = problem.removeprefix("at ").partition(":")
    return f"at {place}{expanded.origin(place)}{colon}{sentence}"


def _shape_sentence(expanded: Expanded, source: str, message: str) -> str:
    expectation, _, place = message.partition(" - at `$")
    place = place.rstrip("`")
    value: Any = expanded.data
    for name, index in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", place):
        try:
            value = value[int(index)] if index else value[name]
        except (KeyError, IndexError, TypeError):
            break
    # A key that stands where its source should is not repeated.
    secret = ".security." in place and "_key" in place
    shown = "something that is not repeated here" if secret else msgspec.json.encode(value).decode()
    if len(shown) > 120:
        shown = shown[:117] + "..."
    where = place.lstrip(".") or "the top level"
    return f"The configuration {source}, at {where}{expanded.origin(where)}: {expectation}; found {shown}."
