"""The API's process is killed (SIGKILL) while it issues 47 invoices: no holes, no halves, none doubled."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from central.platform.database import transaction
from central.settlement.runs import approve_run
from central.workflow.prepare import prepare
from tests.system.billing.site import CLERK, NOW, POINTS, RIGHTS, TOKEN, BilledSite, settle_march

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

from concurrent.futures import ThreadPoolExecutor

KILLS = 5
SEED = 20260401
PATIENCE_S = 60.0
NUMBERS = [f"{number:08d}" for number in range(1, POINTS + 1)]


@contextmanager
def api_process(site: BilledSite, port: int, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """`python -m central api` over the site's database, answering; ended when the block ends."""
    tokens = [{"token": TOKEN, "name": CLERK.name, "rights": sorted(RIGHTS)}]
    environment = {
        **os.environ,
        "ROZVODNA_DATABASE_URL": site.url,
        "ROZVODNA_TOKENS": json.dumps(tokens),
        "ROZVODNA_HOME": str(folder),
    }
    command = [sys.executable, "-m", "central", "api", "--port", str(port)]
    with (folder / "api.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=PATIENCE_S) as client:
            wait_until(lambda: answers(client), "the API to answer")
            yield process, client
    finally:
        process.kill()
        process.wait()


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/v1/health").status_code == 200
    except httpx.TransportError:
        return False


def wait_until(holds: object, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S} s for {what}"
        time.sleep(0.01)


def is_issuing(site: BilledSite) -> bool:
    """Whether somebody has written heads, lines and open items and is making the files, still uncommitted."""
    return bool(
        site.one(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state LIKE 'idle in transaction%' AND query LIKE 'INSERT INTO receivable %'"
        )
    )


def counts(site: BilledSite) -> dict[str, int]:
    tables = ("invoice", "invoice_line", "invoice_file", "invoice_series")
    found = {table: int(site.one(f"SELECT count(*) FROM {table}")) for table in tables}
    found["invoiced"] = site.one("SELECT count(*) FROM billing_basis WHERE state = 'invoiced'")
    found["acts"] = site.one("SELECT count(*) FROM audit WHERE act = 'invoice.issue'")
    return found


def test_a_killed_issuer_leaves_nothing_behind(site: BilledSite, tmp_path: Path, free_port: int) -> None:
    draw = random.Random(SEED)
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
        run = settle_march(connection, site.clock).id
        bases = approve_run(connection, run, CLERK, NOW)
    nothing = dict.fromkeys(counts(site), 0)
    with ThreadPoolExecutor(max_workers=1) as pool:
        for _ in range(KILLS):
            with api_process(site, free_port, tmp_path) as (process, client):
                order: Future[httpx.Response] = pool.submit(client.post, "/v1/invoices", json={"run": run})
                wait_until(lambda: is_issuing(site), "the issuing to begin")
                time.sleep(draw.uniform(0.0, 0.8))
                process.send_signal(signal.SIGKILL)
                with pytest.raises(httpx.TransportError):
                    order.result(PATIENCE_S)
            # the database learns of the death from the closed connection, and rolls back
            wait_until(lambda: not is_issuing(site), "the rollback")
            assert counts(site) == nothing
    with api_process(site, free_port, tmp_path) as (_, client):
        answer = client.post("/v1/invoices", json={"run": run})
        assert answer.status_code == 201, answer.text
        assert [number[2:] for number in answer.json()["invoices"]] == NUMBERS
        assert client.post("/v1/invoices", json={"run": run}).json()["code"] == "nothing_to_invoice"
    whole = counts(site)
    assert (whole["invoice"], whole["invoice_file"]) == (POINTS, 2 * POINTS)
    assert (whole["invoiced"], whole["acts"]) == (bases, 1)
    assert site.one("SELECT count(*) FROM invoice_line WHERE NOT information") == bases
    assert site.one("SELECT last FROM invoice_series") == POINTS
