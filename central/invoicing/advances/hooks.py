"""What advances hear of payments: money that came for them is taxed, money taken back is credited."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from central.invoicing.advances.deposits import Allocated, release_deposits, take_deposits
from central.platform.hooks import Hooks

RELEASED = "Přiřazení platby k záloze bylo zrušeno."
"""The reason on the credit note, where the act gives none."""


def on_allocated(connection: Connection, event: Mapping[str, Any]) -> None:
    """Money was allocated: the event's `allocations` that stand for advances are deposits with tax documents."""
    taken = [
        Allocated(each["allocation"], each["advance"], each["payment"], each["received_on"], each["amount"])
        for each in event["allocations"]
        if each["advance"] is not None
    ]
    take_deposits(connection, taken, event["person"], event["at"])


def on_released(connection: Connection, event: Mapping[str, Any]) -> None:
    """Money was taken back; refused where a statement has deducted it."""
    allocations = [each["allocation"] for each in event["allocations"] if each["advance"] is not None]
    release_deposits(connection, allocations, event.get("why") or RELEASED, event["person"], event["at"])


def listen(hooks: Hooks) -> None:
    """Hear of payments."""
    hooks.subscribe("payment.allocated", "advances", on_allocated)
    hooks.subscribe("payment.released", "advances", on_released)
