"""Shapes that both sides know, made from the structures of the side that owns them (`make schemas`)."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

EDGE_CONFIG: Final = Path(__file__).with_name("edge-config.json")


@lru_cache
def edge_config_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a configuration as central pushes it."""
    found: dict[str, Any] = json.loads(EDGE_CONFIG.read_text(encoding="utf-8"))
    return found
