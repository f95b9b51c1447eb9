"""Device templates that ship with the program: how a concentrator reads meters of one kind. Both sides know them."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec

SHIPPED: Final = Path(__file__).parent


@lru_cache
def shipped_templates() -> Mapping[str, Mapping[str, Any]]:
    """The templates by name: fields of a device without id and address."""
    return {path.stem: msgspec.json.decode(path.read_bytes()) for path in sorted(SHIPPED.glob("*.json"))}


def merged(below: Any, above: Any) -> Any:
    """`above` laid over `below` (RFC 7396)."""
    if not isinstance(above, dict):
        return above
    result = dict(below) if isinstance(below, dict) else {}
    for key, value in above.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result
