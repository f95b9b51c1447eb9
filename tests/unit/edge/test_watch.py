"""Events are the differences of two looks."""

from dataclasses import replace

import pytest

from edge.watch import SILENT_AFTER, Snapshot, changes, snapshot
from tests.unit.edge.page.status_example import status

WELL = Snapshot(1000, {"rtu-1": (False, "")}, {"EA-1": (0, "")})


def kinds(before: Snapshot, after: Snapshot) -> list[tuple[str, str]]:
    return [(record.kind, record.device) for record in changes(before, after)]


@pytest.mark.parametrize(
    ("changed", "there", "back"),
    [
        ({"buses": {"rtu-1": (True, "gone")}}, [("line-down", "")], [("line-up", "")]),
        ({"meters": {"EA-1": (SILENT_AFTER, "no")}}, [("meter-fails", "EA-1")], [("meter-answers", "EA-1")]),
        ({"meters": {"EA-1": (SILENT_AFTER - 1, "no")}}, [], []),
        ({"mismatches": {"EA-1": "other"}}, [("meter-mismatch", "EA-1")], [("meter-recognised", "EA-1")]),
        ({"has_room": False}, [("outbox-full", "")], [("outbox-has-room", "")]),
        ({"publish_refused": 2}, [("broker-refuses", "")], []),
        ({"blocks_refused": 2}, [("central-refused", "")], []),
        ({"buses": {}, "meters": {}}, [], []),
    ],
)
def test_there_and_back(changed: dict[str, object], there: list[tuple[str, str]], back: list[tuple[str, str]]) -> None:
    after = replace(WELL, at=2000, **changed)
    assert kinds(WELL, after) == there
    assert kinds(after, replace(WELL, at=3000)) == back
    assert kinds(after, replace(after, at=3000)) == []


def test_an_event_says_when_and_why() -> None:
    after = replace(WELL, at=2000, buses={"rtu-1": (True, "The port is gone." + "x" * 1000)})
    (record,) = changes(WELL, after)
    assert record.at == 2000
    assert record.data["bus"] == "rtu-1"
    reason = record.data["reason"]
    assert isinstance(reason, str)
    assert reason.startswith("The port is gone.")
    assert len(reason) <= 300


def test_a_snapshot_of_a_status() -> None:
    taken = snapshot(5, status())
    assert taken.buses['hdlc "A"'] == (True, "The serial port hdlc cannot be opened.")
    assert taken.meters["LU-1"] == (4, "The meter did not answer.")
    assert taken.mismatches == {}
    assert (taken.publish_refused, taken.blocks_refused, taken.has_room) == (1, 1, True)
