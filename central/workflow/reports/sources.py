"""The functions that find a report's values, by the name under which a definition asks for them."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Connection

from central.workflow.reports import continuity_facts, energy_facts, tariff_facts
from central.workflow.reports.cells import Found, Key
from central.workflow.reports.scope import Scope

Source = Callable[[Connection, Scope, Mapping[str, Any]], dict[Key, Found]]
SOURCES: Final[Mapping[str, Source]] = {
    "network_energy": energy_facts.find,
    "continuity": continuity_facts.find,
    "tariff_statistics": tariff_facts.find,
}
