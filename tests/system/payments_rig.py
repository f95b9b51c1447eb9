"""A database with an operator, customers and contract accounts, open items, and statements made to order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text
from starlette.testclient import TestClient

from central.api.app import create_app
from central.invoicing.account import iban_of
from central.invoicing.payments.receivables import NewReceivable, open_receivables
from central.platform.clock import get_clock
from central.platform.database import transaction
from central.platform.settings import Settings
from shared.testing import ManualClock

NOW = datetime(2026, 3, 20, 9, 0, tzinfo=UTC)
TOKEN = "token-of-the-cashier-01"
OWN = iban_of("19-123457/0800")
CUSTOMER_ACCOUNT = iban_of("2000145399/0800")


@dataclass
class Desk:
    """The API as the cashier sees it, and the database behind it."""

    client: TestClient
    engine: Engine
    clock: ManualClock
    parties: dict[str, int]
    accounts: dict[str, int]

    def get(self, path: str, **parameters: Any) -> Any:
        answer = self.client.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self.client.post(path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def send(self, content: bytes, status: int = 201, name: str = "statement") -> Any:
        answer = self.client.post("/v1/bank-statements", content=content, params={"name": name})
        assert answer.status_code == status, answer.text
        return answer.json()

    def sql(self, statement: str, **values: Any) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(text(statement), values).scalar()

    def do(self, statement: str, **values: Any) -> None:
        with transaction(self.engine) as connection:
            connection.execute(text(statement), values)

    def open(
        self,
        payer: str,
        amount: str,
        symbol: str,
        due: date = date(2026, 3, 15),
        *,
        kind: str = "invoice",
        account: str | None = None,
        advance: int | None = None,
        currency: str = "CZK",
    ) -> int:
        with transaction(self.engine) as connection:
            new = NewReceivable(
                kind=kind,
                number=symbol,
                seller=self.parties["LDS"],
                payer=self.parties[payer],
                account=None if account is None else self.accounts[account],
                variable_symbol=symbol,
                issued_on=date(2026, 3, 1),
                due=due,
                amount=Decimal(amount),
                advance=advance,
                currency=currency,
            )
            return open_receivables(connection, [new])[0]

    def rest(self, receivable: int) -> str:
        return str(self.get(f"/v1/receivables/{receivable}")["rest"])

    def require_balance(self) -> None:
        """What is counted on both sides is the sum of the allocations that hold."""
        wrong = self.sql("""
            SELECT count(*) FROM (
                SELECT p.allocated - coalesce(sum(a.amount) FILTER (WHERE a.released_at IS NULL), 0) AS d
                  FROM payment p LEFT JOIN allocation a ON a.payment = p.id GROUP BY p.id
                UNION ALL
                SELECT r.allocated - coalesce(sum(a.amount) FILTER (WHERE a.released_at IS NULL), 0)
                  FROM receivable r LEFT JOIN allocation a ON r.id IN (a.receivable, a.credit) GROUP BY r.id
                UNION ALL
                SELECT p.amount - sum(c.amount) FROM payment p JOIN payment c ON c.parent = p.id GROUP BY p.id) s
             WHERE d <> 0""")
        assert wrong == 0


@contextmanager
def open_desk(database_url: str, monkeypatch: pytest.MonkeyPatch, home: Any) -> Iterator[Desk]:
    tokens = [{"token": TOKEN, "name": "Jana", "rights": ["read", "pay"]}]
    monkeypatch.setenv("ROZVODNA_TOKENS", json.dumps(tokens))
    monkeypatch.setenv("ROZVODNA_DATABASE_URL", database_url)
    monkeypatch.setenv("ROZVODNA_HOME", str(home))
    app = create_app(Settings())
    clock = ManualClock(NOW)
    app.dependency_overrides[get_clock] = lambda: clock
    engine = app.state.engine
    with transaction(engine) as connection:
        seed(connection)
        parties = {row.code: row.id for row in connection.execute(text("SELECT code, id FROM party"))}
        accounts = {row.number: row.id for row in connection.execute(text("SELECT number, id FROM contract_account"))}
    with TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield Desk(client, engine, clock, parties, accounts)
    engine.dispose()


def seed(connection: Any) -> None:
    connection.execute(
        text("""
            INSERT INTO party (code, name, street, city, postal_code, roles, iban, ico, dic)
            VALUES ('LDS', 'Areál Energie, s.r.o.', 'Tovární 1', 'Brno', '602 00', '{operator}', :own, '12345679',
                    'CZ12345679'),
                   ('NOVAK', 'Jan Novák', 'Dlouhá 2', 'Brno', '602 00', '{customer}', NULL, NULL, NULL),
                   ('DVORAK', 'Eva Dvořáková', 'Krátká 3', 'Brno', '602 00', '{customer}', NULL, NULL, NULL),
                   ('SPRAVCE', 'Správa domů, a.s.', 'Rohová 4', 'Brno', '602 00', '{customer}', NULL, NULL, NULL)
        """),
        {"own": OWN},
    )
    connection.execute(
        text("""
            INSERT INTO contract_account (number, party, name, valid)
            SELECT n.number, p.id, p.name, '[2025-01-01,)'
              FROM (VALUES ('7001', 'NOVAK'), ('7002', 'DVORAK'), ('7003', 'NOVAK')) n (number, code)
              JOIN party p ON p.code = n.code
        """)
    )


@dataclass(frozen=True)
class Line:
    """A movement to be written into a statement."""

    amount: str
    symbol: str = ""
    counter: str = "2000145399/0800"
    name: str = "JAN NOVÁK"
    reference: str = ""
    day: date = date(2026, 3, 16)
    currency: str = "0203"
    code: str | None = None


def abo(lines: Sequence[Line], *, number: int = 1, old: str = "1000.00", new: str | None = None, own: str = "19-123457",
        encoding: str = "cp1250") -> bytes:  # fmt: skip
    """A statement in the form ABO by the columns that banks publish."""
    amounts = [Decimal(line.amount) for line in lines]
    closing = Decimal(new) if new is not None else Decimal(old) + sum(amounts)
    prefix, _, account = own.rpartition("-")
    head = (
        f"074{int(prefix or 0):06d}{int(account):010d}{'AREAL ENERGIE':<20}150326{_cents(Decimal(old))}"
        f"{_cents(closing)}{_cents(-sum(a for a in amounts if a < 0), zero='0')}"
        f"{_cents(sum(a for a in amounts if a > 0), zero='0')}{number:03d}160326{'':14}"
    )
    records = [head]
    for line in lines:
        counter, _, bank = line.counter.partition("/")
        before, _, rest = counter.rpartition("-")
        code = line.code or ("2" if Decimal(line.amount) > 0 else "1")
        records.append(
            f"075{int(prefix or 0):06d}{int(account):010d}{int(before or 0):06d}{int(rest or 0):010d}"
            f"{line.reference:0>13}{abs(int(Decimal(line.amount) * 100)):012d}{code}{line.symbol:0>10}"
            f"00{bank or '0000'}0308{0:010d}{line.day:%d%m%y}{line.name:<20.20}0{line.currency}{line.day:%d%m%y}"
        )
    assert all(len(record) == 128 for record in records)
    return "\r\n".join([*records, ""]).encode(encoding)


def _cents(amount: Decimal, zero: str = "+") -> str:
    return f"{abs(int(amount * 100)):014d}{'-' if amount < 0 else zero}"


def camt(lines: Sequence[Line], *, version: str = "02", old: str = "1000.00", new: str | None = None,
         iban: str = OWN, number: int = 1) -> bytes:  # fmt: skip
    """A statement in the form CAMT.053, of version 02 or 08."""
    amounts = [Decimal(line.amount) for line in lines]
    closing = Decimal(new) if new is not None else Decimal(old) + sum(amounts)

    def sided(amount: Decimal) -> str:
        return f'<Amt Ccy="CZK">{abs(amount)}</Amt><CdtDbtInd>{"DBIT" if amount < 0 else "CRDT"}</CdtDbtInd>'

    def balance(kind: str, amount: Decimal, day: str) -> str:
        return f"<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp>{sided(amount)}<Dt><Dt>{day}</Dt></Dt></Bal>"

    entries = []
    for line in lines:
        side = "Dbtr" if Decimal(line.amount) > 0 else "Cdtr"
        who = f"<Nm>{line.name}</Nm>" if version == "02" else f"<Pty><Nm>{line.name}</Nm></Pty>"
        status = "BOOK" if version == "02" else "<Cd>BOOK</Cd>"
        reference = f"<AcctSvcrRef>{line.reference}</AcctSvcrRef>" if line.reference else ""
        entries.append(
            f"<Ntry>{sided(Decimal(line.amount))}<Sts>{status}</Sts><BookgDt><Dt>{line.day}</Dt></BookgDt>"
            f"<ValDt><Dt>{line.day}</Dt></ValDt>{reference}<NtryDtls><TxDtls><Refs><EndToEndId>/VS{line.symbol}/SS/KS0308"
            f"</EndToEndId></Refs><RltdPties><{side}>{who}</{side}><{side}Acct><Id><IBAN>{iban_of(line.counter)}</IBAN>"
            f"</Id></{side}Acct></RltdPties></TxDtls></NtryDtls></Ntry>"
        )
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}">'
        f"<BkToCstmrStmt><GrpHdr><MsgId>M</MsgId></GrpHdr><Stmt><Id>S{number}</Id><LglSeqNb>{number}</LglSeqNb>"
        f"<Acct><Id><IBAN>{iban}</IBAN></Id><Ccy>CZK</Ccy></Acct>"
        f"{balance('OPBD', Decimal(old), '2026-03-15')}{balance('CLBD', closing, '2026-03-16')}"
        f"{''.join(entries)}</Stmt></BkToCstmrStmt></Document>"
    ).encode()
