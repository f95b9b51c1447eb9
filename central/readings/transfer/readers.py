"""Which reader reads which format. A room above that knows a format brings its reader here (`register_reader`)."""

from collections.abc import Callable
from typing import Any

from central.platform.errors import BadInput
from central.readings.transfer.edc_reader import read_edc
from central.readings.transfer.mapping import AnyMapping, mapping_of
from central.readings.transfer.mscons_reader import read_mscons
from central.readings.transfer.series import Parsed
from central.readings.transfer.table_reader import read_table

Reader = Callable[[bytes, Any], Parsed]
"""Octets of a file and its mapping; BadInput where the file is none of the format, else faults by line."""

_READERS: dict[str, Reader] = {"csv": read_table, "xlsx": read_table, "edc": read_edc, "mscons": read_mscons}


def register_reader(name: str, reader: Reader) -> None:
    """Let files of a format be read; the same reader may come again."""
    known = _READERS.setdefault(name, reader)
    if known is not reader:
        raise ValueError(f"The format {name} has a reader already.")


def read_file(content: bytes, mapping: AnyMapping) -> Parsed:
    """The series of a file, read by its source's mapping."""
    reader = _READERS.get(mapping.format)
    if reader is None:
        raise BadInput("format", f"Files of the format {mapping.format!r} cannot be read by this process.")
    return reader(content, mapping)


def shipped_mappings() -> dict[str, AnyMapping]:
    """Mappings that need no thought: what we export ourselves, and formats with everything fixed."""
    return {name: mapping_of(body) for name, body in _SHIPPED.items()}


_OURS = {"format": "csv", "layout": "long", "key": ["point", "direction"], "value": "value", "quality": "quality"}
_QUALITIES = {
    "measured": "measured",
    "provisional": "provisional",
    "estimated": "substitute",
    "substitute": "substitute",
    "edited": "substitute",
    "missing": "missing",
}
_SHIPPED: dict[str, dict[str, Any]] = {
    "rozvodna-iso": {
        **_OURS,
        "delimiter": ",",
        "decimal_sign": ".",
        "time": {"columns": ["start"]},
        "qualities": _QUALITIES,
        "rules": [
            {"match": "*/R?", "unit": "varh"},
            {"match": "*/A?", "unit": "Wh"},
            {"match": "*/V", "unit": "m3", "step_s": 3600},
        ],
    },
    "rozvodna-cs": {
        "format": "csv",
        "layout": "long",
        "key": ["místo", "směr"],
        "value": "hodnota",
        "quality": "kvalita",
        "time": {"columns": ["začátek"], "format": "%d.%m.%Y %H:%M"},
        "qualities": {
            "měřená": "measured",
            "předběžná": "provisional",
            "odhadnutá": "substitute",
            "náhradní": "substitute",
            "upravená": "substitute",
            "chybí": "missing",
        },
        "rules": [
            {"match": "*/R?", "unit": "varh", "exponent": 3},
            {"match": "*/A?", "unit": "Wh", "exponent": 3},
            {"match": "*/V", "unit": "m3", "step_s": 3600},
        ],
    },
    "rozvodna-states-iso": {
        "format": "csv",
        "layout": "long",
        "delimiter": ",",
        "decimal_sign": ".",
        "key": ["point", "direction"],
        "value": "value",
        "time": {"columns": ["at"]},
        "kind": "state",
    },
    "rozvodna-states-cs": {
        "format": "csv",
        "layout": "long",
        "key": ["místo", "směr"],
        "value": "stav",
        "time": {"columns": ["okamžik"], "format": "%d.%m.%Y %H:%M"},
        "kind": "state",
        "exponent": 3,
    },
    "edc": {"format": "edc"},
    "cdsdata": {"format": "cdsdata"},
    "mscons": {"format": "mscons"},
}
