"""Reads scenario files: unknown fields are refused, every error names file, place, value and what was expected."""

import re
from pathlib import Path
from typing import Any, Final, get_args

import msgspec

from firmware_sims.data_faults import DataFaults, PowerCut, Rows
from firmware_sims.faults import LineFaults, Outage, Restart
from firmware_sims.loads.model import Load
from firmware_sims.scenario_check import find_fault
from firmware_sims.scenario_model import Address, Channel, Line, MBusMeter, Meter, Push, Scenario, Tariff

_PLACE: Final = re.compile(r"^(?P<problem>.*?)(?: - at `\$(?P<place>.*)`)?$", re.DOTALL)
_STEP: Final = re.compile(r"\.(\w+)|\[(\d+|\.\.\.)\]")
_UNKNOWN: Final = "Object contains unknown field "
_TAGGED: Final = {"lines": Line, "meters": Meter, "load": Load}
_PLAIN: Final[dict[str, type]] = {
    "": Scenario, "channels": Channel, "address": Address, "tariff": Tariff, "mbus": MBusMeter, "pushes": Push,
    "faults": LineFaults, "dead": Outage, "restarts": Restart, "data_faults": DataFaults, "power_cuts": PowerCut,
    "lost": Rows, "invalid": Rows, "repeated": Rows, "late": Rows,
}  # fmt: skip
_LONGEST_VALUE: Final = 80


class ScenarioError(ValueError):
    """A scenario that cannot be played."""


def parse_scenario(content: bytes, source: str = "scenario") -> Scenario:
    """The scenario in `content` (JSON); `source` names it in errors. Raises `ScenarioError`."""
    try:
        scenario = msgspec.json.decode(content, type=Scenario)
    except msgspec.DecodeError as error:
        raise ScenarioError(_explain(source, content, error)) from None
    if fault := find_fault(scenario):
        raise ScenarioError(f"The scenario {source}, at {fault.place}: {fault.sentence}")
    return scenario


def load_scenario(path: Path | str) -> Scenario:
    """The scenario in the file `path`. Raises `ScenarioError`."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ScenarioError(f"The scenario {path} cannot be read ({error.strerror}); name an existing file.") from None
    return parse_scenario(content, str(path))


def _explain(source: str, content: bytes, error: msgspec.DecodeError) -> str:
    """A sentence for an error of the decoder."""
    match = _PLACE.match(str(error))
    assert match is not None
    problem, place = match["problem"], match["place"] or ""
    if not isinstance(error, msgspec.ValidationError):
        return f"The scenario {source} is not JSON: {problem}. Expected one JSON object."
    value: Any = msgspec.json.decode(content)
    name = ""
    for field, number in _STEP.findall(place):
        if number == "...":
            # msgspec does not say which key of a mapping it was.
            break
        value = value[field] if field else value[int(number)]
        name = field or name
    at = f"The scenario {source}, at {place.lstrip('.') or 'its top'}:"
    if problem.startswith(_UNKNOWN):
        unknown = problem.removeprefix(_UNKNOWN).strip("`")
        return (
            f'{at} there is no field "{unknown}" (given as {_shown(value[unknown])});'
            f" expected one of {', '.join(_fields(name, value))}."
        )
    return f"{at} {problem} (the value is {_shown(value)}); correct it there."


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "..."


def _fields(name: str, value: dict[str, Any]) -> list[str]:
    """Fields that an object may have at a place of that name."""
    if name in _PLAIN:
        return [field.encode_name for field in msgspec.structs.fields(_PLAIN[name])]
    for struct in get_args(_TAGGED[name]):
        config = struct.__struct_config__
        if value.get(config.tag_field) == config.tag:
            return [config.tag_field, *(field.encode_name for field in msgspec.structs.fields(struct))]
    return []
