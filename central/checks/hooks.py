"""What the checks hear from lower rooms: bases that do not hold any more, and periods set active for checks."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from central.checks import shown
from central.platform.hooks import Hooks
from central.registry.calendar import ACTIVE_FOR_CHECKS
from central.settlement.cancelling import BASES_CANCELLED


def register(hooks: Hooks) -> None:
    """Recompute what rows and objects show when a basis goes, and what objects show when a period is set active."""
    hooks.subscribe(BASES_CANCELLED, "checks", _gone)
    hooks.subscribe(ACTIVE_FOR_CHECKS, "checks", _activated)


def _gone(connection: Connection, event: Mapping[str, Any]) -> None:
    shown.refresh(connection, event["bases"])


def _activated(connection: Connection, event: Mapping[str, Any]) -> None:
    shown.refresh_objects(connection, None)
