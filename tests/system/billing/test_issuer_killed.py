"""The API's process is killed (SIGKILL) while it issues 1,000 invoices: no holes, no halves, none doubled."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import text

from central.platform.database import transaction
from central.workflow.load_site import load_site
from central.workflow.prepare import prepare
from deploy.sites.generate import generate
from tests.bench.parts.approved_bases import LINES, put_approved
from tests.system.billing.site import CLERK, NOW, RIGHTS, TOKEN, BilledSite, billed_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from deploy.stack.local import LocalStack

from concurrent.futures import ThreadPoolExecutor

DOCUMENTS = 1_000
KILLS = 2
SEED = 20260401
PATIENCE_S = 60.0
ISSUE_S = 400.0
"""Issuing them takes about 15 s; on a busy machine much more."""
ADVANCES = """
    -- every fourth contract has paid something in advance
    INSERT INTO advance (number, contract, seller, payer, period, due, amount, vat_percent, currency, state, issued_on,
                         made_at, made_by)
    SELECT '265' || lpad(billed.contract::text, 7, '0'), billed.contract, billed.seller, billed.payer,
           '[2026-03-01,2026-04-01)', '2026-03-15', 100, 21, 'CZK', 'paid', '2026-03-01', :at, 'test'
      FROM (SELECT DISTINCT contract, seller, payer FROM billing_basis WHERE run = :run) billed
     WHERE billed.contract % 4 = 0
"""
DEPOSITS = """
    INSERT INTO advance_deposit (advance, allocation, received_on, amount, vat_percent, vat)
    SELECT id, id, '2026-03-15', amount, 21, 0 FROM advance
"""
NUMBERS = [f"{number:08d}" for number in range(1, DOCUMENTS + 1)]


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
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=ISSUE_S) as client:
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
    """Whether somebody has written heads, lines and open items and is making or storing the files."""
    return bool(
        site.one(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend' AND state <> 'idle' AND query ~ 'INTO receivable |invoice_file'"
        )
    )


def counts(site: BilledSite) -> dict[str, int]:
    tables = ("invoice", "invoice_line", "invoice_file", "invoice_series", "receivable", "advance_deduction")
    found = {table: int(site.one(f"SELECT count(*) FROM {table}")) for table in tables}
    found["invoiced"] = site.one("SELECT count(*) FROM billing_basis WHERE state = 'invoiced'")
    found["deducted"] = int(site.one("SELECT sum(deducted) FROM advance_deposit"))
    found["acts"] = site.one("SELECT count(*) FROM audit WHERE act = 'invoice.issue'")
    return found


def children(process: subprocess.Popen[bytes]) -> list[int]:
    """The processes that a process has begun."""
    told = [path.read_text() for path in Path(f"/proc/{process.pid}/task").glob("*/children")]
    return [int(number) for line in told for number in line.split()]


@pytest.fixture
def thousand(stack: LocalStack, migrated_template: str) -> Iterator[tuple[BilledSite, int]]:
    """A made-up site with 1,000 contracts whose bases of a month are approved, and the run."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    url = stack.create_database(name, template=migrated_template)
    with billed_site(url) as built:
        with transaction(built.engine) as connection:
            load_site(connection, generate(2 * DOCUMENTS), CLERK, NOW)
            prepare(connection, CLERK, NOW)
            run = put_approved(connection, DOCUMENTS)
            connection.execute(text(ADVANCES), {"run": run, "at": NOW})
            connection.execute(text(DEPOSITS))
        yield built, run
    stack.drop_database(name)


def test_a_killed_issuer_leaves_nothing_behind(
    thousand: tuple[BilledSite, int], tmp_path: Path, free_port: int
) -> None:
    site, run = thousand
    draw = random.Random(SEED)
    nothing = dict.fromkeys(counts(site), 0)
    with ThreadPoolExecutor(max_workers=1) as pool:
        for _ in range(KILLS):
            with api_process(site, free_port, tmp_path) as (process, client):
                order: Future[httpx.Response] = pool.submit(client.post, "/v1/invoices", json={"run": run})
                wait_until(lambda: is_issuing(site), "the issuing to begin")
                time.sleep(draw.uniform(0.0, 2.0))
                workers = children(process)
                process.send_signal(signal.SIGKILL)
                with pytest.raises(httpx.TransportError):
                    order.result(PATIENCE_S)
            # the database learns of the death from the closed connection, and rolls back; the workers end as well
            wait_until(lambda: not is_issuing(site), "the rollback")
            wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), "the workers' end")  # noqa: B023 - waited for in the same round
            assert counts(site) == nothing
    with api_process(site, free_port, tmp_path) as (_, client):
        answer = client.post("/v1/invoices", json={"run": run})
        assert answer.status_code == 201, answer.text
        assert [number[2:] for number in answer.json()["invoices"]] == NUMBERS
        assert client.post("/v1/invoices", json={"run": run}).json()["code"] == "nothing_to_invoice"
    whole = counts(site)
    assert (whole["invoice"], whole["invoice_file"]) == (DOCUMENTS, 2 * DOCUMENTS)
    assert (whole["invoiced"], whole["acts"]) == (LINES * DOCUMENTS, 1)
    assert whole["receivable"] == DOCUMENTS
    # what was paid in advance is deducted once, whoever was killed meanwhile
    deposits = site.one("SELECT count(*) FROM advance_deposit")
    assert DOCUMENTS // 5 < deposits == whole["advance_deduction"]
    assert site.one("SELECT count(*) FROM invoice WHERE deducted = 100 AND payable = gross - 100") == deposits
    assert whole["deducted"] == 100 * deposits == site.one("SELECT sum(deducted) FROM invoice")
    assert site.one("SELECT count(*) FROM invoice_line WHERE NOT information") == LINES * DOCUMENTS
    assert site.one("SELECT last FROM invoice_series") == DOCUMENTS
    assert site.one("SELECT count(DISTINCT number) FROM invoice") == DOCUMENTS
