"""JSON Schema of a configuration as central pushes it, from the structures themselves: what the local file says may be
left out, and a device over a template may leave out what the template gives.
"""

from typing import Any, Final

import msgspec

from shared.edge_config.model import EdgeConfig

REQUIRED: Final = ["edge", "number", "buses"]
OVER: Final = "OverTemplate"
_REFS: Final = "#/$defs/"


def pushed_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12)."""
    (top,), defs = msgspec.json.schema_components([EdgeConfig], ref_template=_REFS + "{name}")
    defs = dict(defs)
    config = defs.pop("EdgeConfig")
    device = defs.pop("DeviceConfig")
    for name in _reached(device, defs):
        defs[name + OVER] = _partial(defs[name])
    defs["DeviceConfig"] = {
        "title": "DeviceConfig",
        "if": {"required": ["template"]},
        "then": {"$ref": _REFS + "Device" + OVER},
        "else": {"$ref": _REFS + "DeviceAlone"},
    }
    defs["DeviceAlone"] = device
    defs["Device" + OVER] = {**_partial(device), "required": ["id"]}
    assert top == {"$ref": _REFS + "EdgeConfig"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **config,
        "required": REQUIRED,
        "$defs": dict(sorted(defs.items())),
    }


def _partial(definition: dict[str, Any]) -> dict[str, Any]:
    """Nothing is required, and null takes away what the template gives."""
    result = {key: value for key, value in definition.items() if key != "required"}
    properties = definition.get("properties")
    if properties is not None:
        result["properties"] = {
            name: {"if": {"type": "null"}, "else": _redirected(value)} for name, value in properties.items()
        }
    return result


def _redirected(value: Any) -> Any:
    """References lead to the partial form; what stands in lists is whole."""
    if isinstance(value, dict):
        return {
            key: each + OVER if key == "$ref" else each if key == "items" else _redirected(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_redirected(each) for each in value]
    return value


def _reached(definition: Any, defs: dict[str, Any]) -> set[str]:
    """Definitions that `definition` refers to, directly or not, lists included: they are few and harmless."""
    found: set[str] = set()
    left = [definition]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            name = str(item.get("$ref", "")).removeprefix(_REFS)
            if name in defs and name not in found:
                found.add(name)
                left.append(defs[name])
            left += item.values()
        elif isinstance(item, list):
            left += item
    return found
