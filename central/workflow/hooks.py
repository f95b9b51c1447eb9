"""What the workflow does when a room below it says that something happened."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from central.network.changed import CHANNELS_CHANGED
from central.network.topology_api import OUTAGE_CHANGED
from central.platform.hooks import Hooks
from central.readings.vee.work import enqueue
from central.workflow.received import register_all


def register(hooks: Hooks) -> None:
    """An outage gives zeros a reason, or takes it; a node's balance or a register's face changes: their days are
    validated anew. Messages received from the market have the effects that are known here."""
    register_all()
    hooks.subscribe(OUTAGE_CHANGED, "workflow", _validate_anew)
    hooks.subscribe(CHANNELS_CHANGED, "workflow", _validate_anew)


def _validate_anew(connection: Connection, event: Mapping[str, Any]) -> None:
    enqueue(connection, event["channels"], event["first"], event["last"], event.get("reason", "outage"))
