"""The body of a configuration before it is accepted: pure. Secrets are sealed, shape is checked against the schema that
the concentrator's own structures gave (shared/schemas/edge-config.json), then its rules (shared/edge_config).
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from central.platform.errors import BadInput
from shared.edge_config import ConfigFault, judge
from shared.schemas import edge_config_schema

LARGEST: Final = 1_000_000
"""Octets of a body; the broker takes 2 MiB."""
DEEPEST: Final = 40
_LOCAL: Final = {"mqtt": {"host": "localhost"}, "outbox": {"path": "outbox"}}


def complete(body: Mapping[str, Any], concentrator: str, number: int, seal: Callable[[bytes, str], bytes]) -> str:
    """The JSON that is sent: with edge id and number, secrets sealed by `seal(secret, field)`. Raises BadInput."""
    for name, value in (("edge", concentrator), ("number", number)):
        if name in body and body[name] != value:
            raise BadInput(name, f"The configuration says {name} {body[name]!r}; it is {value!r}, or leave it out.")
    whole = {**body, "edge": concentrator, "number": number}
    if depth(whole) > DEEPEST:
        raise BadInput("configuration", f"The configuration is nested deeper than {DEEPEST} levels.")
    sealed = _with_sealed(whole, seal)
    errors = sorted(problems(sealed)) or list(rules_broken(sealed))
    if errors:
        raise BadInput("configuration", "\n".join(f"The configuration of {concentrator}, {each}" for each in errors))
    text = msgspec.json.encode(sealed).decode()
    if len(text) > LARGEST:
        raise BadInput("configuration", f"The configuration has {len(text)} octets; at most {LARGEST} can be sent.")
    return text


def problems(body: Any) -> Iterator[str]:
    """What the schema refuses: place, what is wrong."""
    for error in _validator().iter_errors(body):
        yield from _sentences(error)


def rules_broken(body: Mapping[str, Any]) -> Iterator[str]:
    """What the concentrator would refuse of a body that has the schema's shape: place, what is wrong.

    What the local file says stands in for by what any file might say.
    """
    try:
        judge({**_LOCAL, **body})
    except ConfigFault as fault:
        yield from fault.problems


def problems_of(part: Any, shape: str) -> Iterator[str]:
    """What is wrong with a part of a configuration, by the name of its shape in the schema (`BusConfig`, `Address`)."""
    for error in _validator_of(shape).iter_errors(part):
        yield from _sentences(error)


def _sentences(error: ValidationError) -> Iterator[str]:
    meant = _meant(error)
    if meant:
        for each in meant:
            yield from _sentences(each)
        return
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path).lstrip(".")
    yield f"at {place or 'the top level'}: {_message(error)}."


def _meant(error: ValidationError) -> list[ValidationError]:
    """Of a choice of forms, what is wrong with the one that was meant; nothing where that is not clear."""
    forms: dict[Any, list[ValidationError]] = {}
    for each in error.context or ():
        forms.setdefault(each.relative_schema_path[0], []).append(each)
    fitting = [form for form in forms.values() if not any(map(_is_of_another_form, form))]
    return fitting[0] if len(fitting) == 1 else []


def _is_of_another_form(error: ValidationError) -> bool:
    place = list(error.relative_path)
    return (error.validator == "type" and not place) or (error.validator in ("const", "enum") and place == ["kind"])


def _message(error: ValidationError) -> str:
    """What jsonschema says, without repeating what may hold a key: objects, lists, values below `security`."""
    whole = isinstance(error.instance, dict | list)
    hidden = whole or "security" in error.absolute_path
    shown = "an object" if isinstance(error.instance, dict) else "a list" if whole else "what is not repeated here"
    message = error.message.replace(repr(error.instance), shown) if hidden else error.message
    return message if len(message) <= 300 else message[:297] + "..."


@lru_cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(edge_config_schema())


@lru_cache
def _validator_of(shape: str) -> Draft202012Validator:
    whole = edge_config_schema()
    return Draft202012Validator({"$ref": f"#/$defs/{shape}", "$defs": whole["$defs"]})


def depth(data: Any) -> int:
    """Levels of nesting; a value alone has one."""
    deepest, left = 0, [(data, 1)]
    while left:
        item, depth = left.pop()
        deepest = max(deepest, depth)
        children = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        left += [(child, depth + 1) for child in children]
    return deepest


def _with_sealed(whole: Mapping[str, Any], seal: Callable[[bytes, str], bytes]) -> Any:
    buses = []
    for bus in _list(whole.get("buses")):
        if isinstance(bus, dict) and isinstance(bus.get("devices"), list):
            devices = [_device(device, seal) for device in bus["devices"]]
            bus = {**bus, "devices": devices}
        buses.append(bus)
    result = {**whole, "buses": buses} if isinstance(whole.get("buses"), list) else dict(whole)
    place = _secret_in(result)
    if place:
        raise BadInput("secret", f"There is a secret at {place}; secrets stand in devices only.")
    return result


def _device(device: Any, seal: Callable[[bytes, str], bytes]) -> Any:
    if not isinstance(device, dict) or not isinstance(device.get("id"), str):
        return device
    return _sealed(device, seal, device["id"], "")


def _sealed(data: Any, seal: Callable[[bytes, str], bytes], device: str, place: str) -> Any:
    if isinstance(data, dict):
        if set(data) == {"secret"}:
            field = f"{device}.{place}"
            return {"sealed": base64.b64encode(seal(_secret(data["secret"], field), field)).decode()}
        return {key: _sealed(value, seal, device, f"{place}.{key}" if place else key) for key, value in data.items()}
    if isinstance(data, list):
        return [_sealed(each, seal, device, f"{place}[{n}]") for n, each in enumerate(data)]
    return data


def _secret(value: Any, field: str) -> bytes:
    # What was given is a secret: no sentence repeats it.
    if isinstance(value, str) and value.startswith("hex:"):
        try:
            return binascii.unhexlify(value[4:])
        except (binascii.Error, ValueError):
            raise BadInput("secret", f"The secret of {field} begins with hex: and is no hexadecimal text.") from None
    if isinstance(value, str) and value.startswith("text:"):
        return value[5:].encode()
    raise BadInput("secret", f"The secret of {field} must be text that begins with hex: or text:.")


def _secret_in(data: Any, place: str = "") -> str:
    if isinstance(data, dict):
        if "secret" in data:
            return f"{place or 'the top level'}"
        found = [_secret_in(value, f"{place}.{key}".lstrip(".")) for key, value in data.items()]
    elif isinstance(data, list):
        found = [_secret_in(value, f"{place}[{n}]") for n, value in enumerate(data)]
    else:
        return ""
    return next((each for each in found if each), "")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
