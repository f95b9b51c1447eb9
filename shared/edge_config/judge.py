"""A configuration in decoded JSON, judged whole: templates, shape, rules."""

import re
from typing import Any, Final

import msgspec

from shared.device_templates import shipped_templates
from shared.edge_config.check import problems
from shared.edge_config.model import DeviceConfig, EdgeConfig
from shared.edge_config.templates import Expanded, expand

DEVICE_FIELDS: Final = frozenset(DeviceConfig.__struct_fields__)


class ConfigFault(ValueError):  # noqa: N818 - named as the field says it
    """A configuration that is refused whole; `problems` are sentences that begin with their place (`at buses[0]: `)."""

    def __init__(self, found: list[str]) -> None:
        super().__init__("\n".join(found))
        self.problems = found


def judge(data: Any) -> EdgeConfig:
    """The configuration, templates expanded; raises `ConfigFault` with all that is wrong. No key is repeated."""
    expanded = expand(data, shipped_templates(), DEVICE_FIELDS)
    if expanded.problems:
        raise ConfigFault(expanded.problems)
    try:
        config = msgspec.convert(expanded.data, EdgeConfig)
    except msgspec.ValidationError as error:
        raise ConfigFault([_shape_sentence(expanded, str(error))]) from None
    found = [_with_origin(each, expanded) for each in problems(config)]
    if found:
        raise ConfigFault(found)
    return config


def _with_origin(problem: str, expanded: Expanded) -> str:
    place, colon, sentence = problem.removeprefix("at ").partition(":")
    return f"at {place}{expanded.origin(place)}{colon}{sentence}"


def _shape_sentence(expanded: Expanded, message: str) -> str:
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
    return f"at {where}{expanded.origin(where)}: {expectation}; found {shown}."
