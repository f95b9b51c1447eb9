"""The service's loop: an outage is waited for whichever library reports it; anything else ends the process."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from central.platform.settings import Settings
from central.readings import service
from central.readings.consolidate import Report
from central.readings.vee.stage import Validated
from shared.testing import ManualClock

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Run the loop over passes that end as told; gives what happened."""

    def run(*endings: Report | Exception) -> list[str]:
        stop, seen, left = threading.Event(), list[str](), list(endings)

        class Silent:
            def __init__(self, *_: object) -> None:
                pass

            def look(self, _: datetime, mappings_changed: bool) -> int:
                seen.append(f"look {mappings_changed}")
                return 0

        def consolidate_once(*_: object, **__: object) -> Report:
            ending = left.pop(0)
            if not left:
                stop.set()
            seen.append(type(ending).__name__)
            if isinstance(ending, Exception):
                raise ending
            return ending

        monkeypatch.setattr(service, "SilentDays", Silent)
        monkeypatch.setattr(service, "consolidate_once", consolidate_once)
        monkeypatch.setattr(service, "validate_once", lambda *_, **__: Validated())
        monkeypatch.setattr(service, "fold_counts", lambda _: 0)
        monkeypatch.setattr(service, "RETRY_S", 0.0)
        engine = create_engine("postgresql+psycopg://nobody@127.0.0.1:9/none")  # never connected to
        service.run(engine, ManualClock(NOON), Settings(), stop)
        return seen

    return run


def test_a_connection_that_ends_in_the_middle_of_a_copy_is_an_outage_too(passes: Callable[..., list[str]]) -> None:
    """COPY is the driver's own: its errors do not come wrapped."""
    wrapped = OperationalError("", {}, psycopg.OperationalError("gone"))
    seen = passes(psycopg.OperationalError("server closed the connection"), wrapped, Report())
    assert [each for each in seen if not each.startswith("look")] == ["OperationalError", "OperationalError", "Report"]


def test_silent_days_are_looked_for_again_after_a_change_of_mappings(passes: Callable[..., list[str]]) -> None:
    assert passes(Report(mappings=2), psycopg.OperationalError("gone"), Report()) == [
        "look False",
        "Report",
        "look True",
        "OperationalError",
        "look True",
        "Report",
    ]


def test_a_fault_of_ours_is_not_swallowed(passes: Callable[..., list[str]]) -> None:
    with pytest.raises(ZeroDivisionError):
        passes(ZeroDivisionError("a bug"), Report())
