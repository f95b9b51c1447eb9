from collections.abc import Mapping
from datetime import date
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import Connection

from central.platform.errors import Refused
from central.platform.hooks import Change, Hooks, Touched

CONNECTION = Mock(spec=Connection)
CHANGE = Change("supply_point", 1, "8591", "close", date(2026, 3, 1))


def test_rooms_say_what_a_change_touches_and_why_it_must_not_be() -> None:
    hooks = Hooks()
    touched = Touched("settlement", "billing_basis", 3, date(2026, 3, 1), date(2026, 4, 1), ("R-1",))
    none = Touched("settlement", "run", 0, None, None)
    hooks.register("settlement", affected_by=lambda _, change: [touched, none], refuses=lambda _, change: None)
    hooks.register("invoicing", refuses=lambda _, change: f"Invoice 1 bills {change.name}.")
    assert hooks.affected_by(CONNECTION, CHANGE) == [touched]
    with pytest.raises(Refused, match=r"Invoice 1 bills 8591\."):
        hooks.require_allowed(CONNECTION, CHANGE)
    hooks.register("invoicing", refuses=lambda _, change: None)
    assert hooks.refuses(CONNECTION, CHANGE) == []


def test_listeners_of_a_topic_take_its_events() -> None:
    hooks, taken = Hooks(), []

    def listen(_: Connection, event: Mapping[str, Any]) -> None:
        taken.append(event["ean"])

    hooks.subscribe("supply_point.revised", "network", listen)
    hooks.subscribe("supply_point.revised", "network", listen)
    hooks.publish(CONNECTION, "supply_point.revised", {"ean": "8591"})
    hooks.publish(CONNECTION, "supply_point.closed", {"ean": "8592"})
    assert taken == ["8591"]
