"""Writes the schemas of files that others read or write: `make schemas`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from central.tariffs.schema import PACKAGE_SCHEMA, package_schema
from edge.config.schema import pushed_schema
from shared.schemas import EDGE_CONFIG


def texts() -> Mapping[Path, str]:
    """Each schema as it stands in its file: of a configuration that is pushed, and of a legislative package."""
    return {EDGE_CONFIG: _text(pushed_schema()), PACKAGE_SCHEMA: _text(package_schema())}


def _text(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    for path, text in texts().items():
        path.write_text(text, encoding="utf-8")
        print(path)
