"""Payments that nothing shakes: a killed booking, any sequence of acts, and the journal that is handed over once."""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from lxml import etree
from sqlalchemy import text

from central.platform.database import transaction
from tests.system.payments_rig import NOW, Desk, Line, abo, camt, open_desk

BOOKER = """
import sys
from datetime import datetime
from pathlib import Path
from central.invoicing.payments.booking import book_statements
from central.platform.database import make_engine, transaction
from central.platform.identity import SYSTEM
with transaction(make_engine(sys.argv[1])) as connection:
    content = Path(sys.argv[2]).read_bytes()
    print("begun", flush=True)
    book_statements(connection, "big", content, SYSTEM, datetime.fromisoformat(sys.argv[3]))
"""


@pytest.fixture
def desk(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Desk]:
    with open_desk(database_url, monkeypatch, tmp_path) as opened:
        yield opened


def test_a_killed_booking_leaves_nothing_and_the_next_one_books_all(
    desk: Desk, database_url: str, tmp_path: Path
) -> None:
    for number in range(20):
        desk.open("NOVAK", "10.00", str(1000 + number))
    lines = [Line("10.00", str(1000 + number % 20), reference=str(number)) for number in range(4_000)]
    file = tmp_path / "big.gpc"
    file.write_bytes(abo(lines))
    for delay in (0.0, 0.3):
        process = subprocess.Popen(
            [sys.executable, "-c", BOOKER, database_url, str(file), NOW.isoformat()],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        # All or nothing: the database ends the dead one's transaction as soon as it sees it gone.
        assert desk.sql("SELECT count(*) FROM payment") in (0, len(lines))
    assert desk.send(file.read_bytes())["result"] in ("booked", "known")
    assert desk.sql("SELECT count(*) FROM payment") == len(lines)
    assert desk.sql("SELECT sum(amount) FROM allocation") == Decimal("200.00")
    desk.require_balance()


@pytest.mark.parametrize("seed", [20260320, 7])
def test_payments_and_items_balance_after_any_sequence_of_acts(desk: Desk, seed: int) -> None:
    dice = random.Random(seed)
    payers = {"NOVAK": "7001", "DVORAK": "7002"}
    refused = 0
    for turn in range(100):
        payer = dice.choice(sorted(payers))
        symbol = str(dice.randrange(50, 53) + 10 * (payer == "NOVAK"))
        match dice.randrange(15):
            case 0:
                amount = f"{dice.randrange(1, 400)}.{dice.randrange(100):02d}"
                due, currency = date(2026, 3, dice.randrange(1, 30)), dice.choice(("CZK", "CZK", "EUR"))
                desk.open(payer, amount, symbol, due, account=payers[payer], currency=currency)
                _document(desk, payer, amount, currency, turn)
            case 1:
                amount = f"-{dice.randrange(1, 99)}.00"
                desk.open(payer, amount, symbol, kind="credit")
                _document(desk, payer, amount, "CZK", turn)
            case 2 | 3:
                lines = [
                    Line(f"{dice.randrange(-50, 500)}.07", dice.choice((symbol, symbol, "99")))
                    for _ in range(dice.randrange(1, 4))
                ]
                desk.send(camt(lines, number=turn))
            case act:
                refused += _act(desk, dice, act, payer) >= 400
        desk.require_balance()
    assert desk.sql("SELECT count(*) FROM allocation") > 10
    assert refused < 90
    # What came is on items, given back, free, split or parked; nothing is lost.
    assert desk.sql("""
        SELECT (SELECT sum(amount) FROM payment WHERE parent IS NULL AND amount > 0)
             - (SELECT coalesce(sum(amount), 0) FROM allocation WHERE payment IS NOT NULL AND released_at IS NULL)
             - (SELECT coalesce(sum(rest), 0) FROM payment WHERE amount > 0)
             - (SELECT coalesce(sum(amount), 0) FROM payment WHERE state IN ('outside', 'returned') AND amount > 0)
    """) == Decimal("0.00")
    _require_journal(desk)


def _document(desk: Desk, payer: str, amount: str, currency: str, turn: int) -> None:
    """The document of an open item, as the journal takes it."""
    desk.do(
        """
        INSERT INTO invoice (number, kind, document_type, state, supplier, payer, issue_date, tax_date, due_date,
            variable_symbol, currency, net, vat, gross, deducted, payable, vat_rows, language, issued_at, issued_by)
        VALUES (:number, 'regular', 1, 'issued', :seller, :payer, '2026-03-05', '2026-02-28', '2026-03-19', '1',
            :currency, :amount, 0, :amount, 0, :amount, '[]', 'cs', now(), 'x')
        """,
        number=f"26{turn:08d}",
        seller=desk.parties["LDS"],
        payer=desk.parties[payer],
        currency=currency,
        amount=amount,
    )


def _require_journal(desk: Desk) -> None:
    """Handed over, the account of the customers holds what is open, and each currency balances by itself."""
    march = {"seller": "LDS", "since": "2026-03-01", "until": "2026-04-01"}
    made = desk.post("/v1/journal-exports", march, 201)
    content = desk.client.get(f"/v1/journal-exports/{made['id']}/csv").content.decode("utf-8-sig")
    balances: dict[tuple[str, str], Decimal] = {}
    kinds = set()
    for line in csv.DictReader(content.splitlines(), delimiter=";"):
        kinds.add(line["druh"])
        amount = Decimal(line["částka"].replace(",", "."))
        for side, sign in (("MD", 1), ("D", -1)):
            key = line["měna"], line[side]
            balances[key] = balances.get(key, Decimal(0)) + sign * amount
    assert {"regular", "bank", "allocation", "closing"} <= kinds
    for currency in ("CZK", "EUR"):
        owed = desk.sql("SELECT coalesce(sum(rest), 0) FROM receivable WHERE currency = :currency", currency=currency)
        assert balances.get((currency, "311000"), Decimal(0)) == owed
        assert sum(amount for (unit, _), amount in balances.items() if unit == currency) == 0
    assert set(made["sums"]) == {currency for currency, _ in balances}


def _act(desk: Desk, dice: random.Random, act: int, payer: str) -> int:
    """One act of a person on something random; its status."""
    some = "SELECT id FROM {} ORDER BY md5(id::text || :dice) LIMIT 1"
    named = {
        thing: desk.sql(some.format(thing), dice=str(dice.random())) or 1
        for thing in ("payment", "receivable", "allocation", "refund")
    }
    why: dict[str, object] = {"reason": "zkouška"}
    paths: dict[int, tuple[str, dict[str, object]]] = {
        4: (f"payments/{named['payment']}/allocate", {"items": [{"receivable": named["receivable"]}]}),
        5: (f"allocations/{named['allocation']}/release", why),
        6: (f"payments/{named['payment']}/assign", {"payer": payer, **why}),
        7: ("refunds", {"sources": [{"kind": "payment", "id": named["payment"]}], **why}),
        8: ("set-offs", {"seller": "LDS", "payer": payer, **why})
        if dice.random() < 0.5
        else (f"refunds/{named['refund']}/cancel", why),
        9: (f"receivables/{named['receivable']}/close", why),
        10: (f"payments/{named['payment']}/split", {"parts": _halves(desk, named["payment"]), **why}),
        11: (f"payments/{named['payment']}/{dice.choice(('outside', 'back'))}", why),
        12: ("payments/settle", {"payer": payer, "seller": "LDS", "until": "2026-04-30"})
        if dice.random() < 0.7
        else ("payments/match", {}),
        13: ("payment-orders", {"seller": "LDS", "form": "pain001", "due": "2026-03-25"}),
        14: (
            f"refunds/{named['refund']}/{dice.choice(('execute', 'return'))}",
            {"payment": _movement_of(desk, named["refund"]) or named["payment"], **why},
        ),
    }
    path, body = paths[act]
    answer = desk.client.post(f"/v1/{path}", json=body)
    status: int = answer.status_code
    assert status in (200, 201, 404, 409), answer.text
    return status


def _halves(desk: Desk, payment: int) -> list[dict[str, str]]:
    """A payment split among both payers."""
    amount = abs(desk.sql("SELECT amount FROM payment WHERE id = :id", id=payment) or Decimal(2))
    half = (amount / 2).quantize(Decimal("0.01"))
    parts = [{"payer": "NOVAK", "amount": str(half)}, {"payer": "DVORAK", "amount": str(amount - half)}]
    return [part for part in parts if part["amount"] != "0.00"]


def _movement_of(desk: Desk, refund: int) -> int | None:
    """The bank's movement of a refund, out or back, made up for it."""
    row = desk.get("/v1/refunds", limit=100)
    found = next((each for each in row if each["id"] == refund and each["currency"] == "CZK"), None)
    if found is None or found["state"] not in ("ordered", "sent", "executed"):
        return None
    sign = "" if found["state"] == "executed" else "-"
    line = Line(f"{sign}{found['amount']}", "0", day=date(2026, 3, 25))
    count = desk.sql("SELECT count(*) FROM bank_file")
    desk.send(camt([line], number=1000 + count, old=f"{50_000 + count}.00"))
    found_id: int | None = desk.sql("SELECT max(id) FROM payment WHERE state = 'parked'")
    return found_id


def test_a_period_is_handed_over_once_and_its_files_stay(desk: Desk) -> None:
    with transaction(desk.engine) as connection:
        connection.execute(
            text("""
                INSERT INTO invoice (number, kind, document_type, state, supplier, payer, issue_date, tax_date,
                    due_date, variable_symbol, currency, net, vat, gross, deducted, payable, vat_rows, language,
                    issued_at, issued_by)
                SELECT '2600000001', 'regular', 1, 'issued', s.id, p.id, '2026-03-05', '2026-02-28', '2026-03-19',
                       '2600000001', 'CZK', 1000, 210, 1210, 0, 1210,
                       '[{"percent": "21", "base": "1000.00", "vat": "210.00"}]', 'cs', now(), 'x'
                  FROM party s, party p WHERE s.code = 'LDS' AND p.code = 'NOVAK'
            """)
        )
    desk.open("NOVAK", "1210.00", "2600000001")
    desk.send(abo([Line("1300.00", "2600000001"), Line("-15.00")]))
    march = {"seller": "LDS", "since": "2026-03-01", "until": "2026-04-01"}
    made = desk.post("/v1/journal-exports", march, 201)
    assert (made["entries"], made["sums"]) == (5, {"CZK": "3735.00"})
    assert desk.post("/v1/journal-exports", march, 409)["code"] == "exported"
    csv = desk.client.get(f"/v1/journal-exports/{made['id']}/csv").content
    lines = csv.decode("utf-8-sig").split("\r\n")
    assert lines[1:3] == [
        "2026-02-28;2600000001;regular;Základ;311000;602000;1000,00;CZK;NOVAK;2600000001",
        "2026-02-28;2600000001;regular;DPH;311000;343000;210,00;CZK;NOVAK;2600000001",
    ]
    assert [line.split(";")[4:7] for line in lines[3:6]] == [
        ["221000", "261000", "1300,00"],
        ["261000", "221000", "15,00"],
        ["261000", "311000", "1210,00"],
    ]
    pohoda = desk.client.get(f"/v1/journal-exports/{made['id']}/pohoda").content
    root = etree.fromstring(pohoda)
    assert root.xpath("string(//*[local-name()='numberRequested'])") == "2600000001"
    assert root.xpath("string(//*[local-name()='priceHighVAT'])") == "210.00"
    # What is undone in April goes with April, and March stays as it is.
    allocation = desk.get("/v1/payments", variable_symbol="2600000001")[0]["id"]
    desk.clock.advance(timedelta(days=20))
    held = desk.get(f"/v1/payments/{allocation}")["allocations"][0]["id"]
    desk.post(f"/v1/allocations/{held}/release", {"reason": "spor"})
    april = desk.post("/v1/journal-exports", {**march, "since": "2026-04-01", "until": "2026-05-01"}, 201)
    assert (april["entries"], april["sums"]) == (1, {"CZK": "-1210.00"})
    assert desk.client.get(f"/v1/journal-exports/{made['id']}/csv").content == csv
    assert [row["id"] for row in desk.get("/v1/journal-exports")] == [april["id"], made["id"]]
