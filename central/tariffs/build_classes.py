"""Which load-profile class (třída TDD) each low-voltage rate belongs to; part of the electricity packages.

Source: annex of decree 541/2005 Sb. Rates that were not readable in the copy stand where their neighbours do.
"""

from collections.abc import Container
from typing import Any

SOURCES: dict[str, dict[str, str]] = {
    "decree-541-2005": {
        "title": "Vyhláška č. 541/2005 Sb., příloha (třídy typových diagramů dodávky)",
        "note": "zařazení sazeb do tříd; písmena sazeb byla v opisu místy nečitelná",
    },
}

_DOCUMENTED = {
    "1": ("C01d", "C02d", "C03d"),
    "2": ("C25d", "C26d", "C35d"),
    "3": ("C45d", "C55d", "C56d"),
    "4": ("D01d", "D02d", "D61d"),
    "5": ("D25d", "D26d"),
    "6": ("D35d",),
    "7": ("D45d", "D55d", "D56d"),
    "8": ("C62d",),
}
_INFERRED = {"2": ("C27d",), "3": ("C46d",), "5": ("D27d",), "7": ("D57d",)}


def tables(rates: Container[str]) -> list[dict[str, Any]]:
    """Tables of the class of each of these rates: as documented, and as inferred."""
    return [
        {
            "component": "load_profile_class",
            "unit": "class",
            "keys": ["rate"],
            "source": "decree-541-2005",
            "mark": mark,
            "note": note,
            "rows": [[rate, name] for name, of_class in classes.items() for rate in of_class if rate in rates],
        }
        for mark, note, classes in (
            ("documented", "", _DOCUMENTED),
            ("inferred", "Rates that came after the decree, by the purpose in their names.", _INFERRED),
        )
    ]
