"""gurux-dlms and dlms-cosem as clients read our simulated meters, and get what these have measured."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.peers.dlms_site import DAY, NOON, PASSWORD, DlmsSite
from tests.peers.dlms_task import CLIENTS, PeerError, run_client

WH, CAPTURED = 30, [
    [8, "0.0.1.0.0.255", 2],
    [1, "0.0.96.10.1.255", 2],
    [3, "1.0.1.29.0.255", 2],
    [3, "1.0.3.29.0.255", 2],
]  # fmt: skip
ORIGIN = datetime.fromisoformat("2026-03-01T00:00:00+01:00")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DlmsSite]:
    site = DlmsSite(tmp_path_factory.mktemp("site"))
    yield site
    site.close()


def rows_of(site: DlmsSite, meter: str, begin: datetime, end: datetime) -> list[list[Any]]:
    """End of the interval, status, values."""
    columns = [site.truth.interval_values(meter, register, begin, end) for register in ("1-0:1.29.0", "1-0:3.29.0")]
    ends = [begin + (n + 1) * DAY.step for n in range(len(columns[0]))]
    return [[end, 0, *values] for end, *values in zip(ends, *columns, strict=True)]


def told(rows: list[list[Any]]) -> list[list[Any]]:
    return [[datetime.fromisoformat(row[0]), *row[1:]] for row in rows]


@pytest.mark.parametrize("authentication", ["none", "low"])
@pytest.mark.parametrize("way", ["wrapper", "server", "serial"])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_foreign_client_reads_what_the_meter_measured(
    site: DlmsSite, dlms_python: Path, client: str, way: str, authentication: str
) -> None:
    access = {"client": 1, "authentication": "low", "password": PASSWORD} if authentication == "low" else {}
    found = run_client(dlms_python, client, site.task(way, **access))
    value, factor, unit = found["register"]
    # gurux multiplies by the scaler itself, dlms-cosem leaves that to its caller: it is 10^0 here.
    assert (value, factor, unit) == (site.truth.state_at(way, "1-0:1.8.0", NOON), 1, WH)
    assert datetime.fromisoformat(found["clock"]) == NOON
    assert found["captured"] == CAPTURED
    assert found["period_s"] == DAY.step.total_seconds()
    assert told(found["rows"]) == rows_of(site, way, DAY.start, DAY.end)
    if found["entries"] is not None:
        assert told(found["entries"]) == rows_of(site, way, ORIGIN, NOON)[4:14]
    assert (found["entries"] is None) == (client == "dlms_cosem"), "which has no access by entry"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_wrong_password_is_refused(site: DlmsSite, dlms_python: Path, client: str) -> None:
    with pytest.raises(PeerError, match=r"(?i)reject|authentication"):
        run_client(dlms_python, client, site.task("wrapper", client=1, authentication="low", password="wrong"))


@pytest.mark.parametrize("information", [128, 512])
def test_gurux_negotiates_the_frame_size(site: DlmsSite, dlms_python: Path, information: int) -> None:
    found = run_client(dlms_python, "gurux", site.task("server", information=information))
    assert told(found["rows"]) == rows_of(site, "server", DAY.start, DAY.end)
