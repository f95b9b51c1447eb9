"""The service of the channels: what it stumbles over does not end it."""

import pytest
from sqlalchemy import create_engine

from central.market.channels import service
from shared.testing import ManualClock
from tests.unit.central.market.examples import AT


def test_conversations_that_stumble_do_not_end_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its other threads would go on without it, on channels that are closed."""
    calls = []

    def stumble(*_: object) -> None:
        calls.append(1)
        raise ValueError("odd")

    monkeypatch.setattr(service, "lapse_silent", stumble)
    service._lapse(create_engine("sqlite://"), ManualClock(AT))
    assert calls == [1]
