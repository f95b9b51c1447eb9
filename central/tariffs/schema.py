"""The JSON Schema of a package file, made from its structures."""

from pathlib import Path
from typing import Any, Final

import msgspec

from central.tariffs.model import PackageFile

PACKAGE_SCHEMA: Final = Path(__file__).with_name("package.schema.json")


def package_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a package file; references, numbers and overlaps are checked beyond it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Legislative package",
        **msgspec.json.schema(PackageFile),
    }
