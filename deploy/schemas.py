"""Writes the schemas that central shares with the concentrators: `make schemas`."""

import json

from edge.config.schema import pushed_schema
from shared.schemas import EDGE_CONFIG


def text() -> str:
    """The schema of a pushed configuration as it stands in the file."""
    return json.dumps(pushed_schema(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    EDGE_CONFIG.write_text(text(), encoding="utf-8")
    print(EDGE_CONFIG)
