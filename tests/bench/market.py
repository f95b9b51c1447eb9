"""What the market costs: a month of interval data for 10,000 points as messages, and 100,000 answers to messages.

`make bench ONLY=market`; for developing `python tests/bench/market.py --points 500 --answers 5000`, which writes no
result file. Method: README.md.
"""

import argparse
import os
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from sqlalchemy import Connection, text

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # where `tests` lies, when this file itself is run

from central.market.answers import Brought, take_answers
from central.market.channels import smime
from central.market.channels.allowed import Environment
from central.market.channels.keys import OwnKey
from central.market.channels.port import Outgoing
from central.market.envelope import Envelope, Participant
from central.market.format_package import load_package
from central.market.response import Reason, Response, write_response
from central.platform.database import make_engine, transaction
from central.platform.identity import SYSTEM
from central.platform.migrations import upgrade
from central.platform.workers import keep_freed_memory, worker_pool
from central.workflow.telling.tell import tell
from deploy.stack import process
from deploy.stack.local import LocalStack, home_folder
from shared.identifiers import make_ean18
from shared.testing import ManualClock
from tests.bench import harness
from tests.bench.harness import Figure
from tests.bench.parts.month_of_points import FIRST, NOW, store_points

POINTS: Final = 10_000
ANSWERS: Final = 100_000
SIGNED_AT_ONCE: Final = 50
"""Messages that a worker takes from the outbox together."""
ANSWERS_AT_ONCE: Final = 1_000
SENDER: Final = "8591824900017"
OPERATOR: Final = "8591824000007"
PACKAGE: Final = "sandbox-2026"
AT: Final = datetime(2026, 2, 3, 7, tzinfo=UTC)


def measure_data(stack: LocalStack, points: int) -> dict[str, Figure]:
    """cdsdata_10k_s: from profiles in the database to signed messages; one a point, of four profiles."""
    name = "bench_market_data"
    stack.drop_database(name)
    url = stack.create_database(name)
    upgrade(url)
    _store(url, points)
    engine = make_engine(url, name="bench", pool_size=1)
    begun = time.perf_counter()
    with transaction(engine) as connection:
        told = tell(connection, FIRST, ManualClock(NOW), SYSTEM, sender=SENDER)
    written = time.perf_counter()
    with transaction(engine) as connection:
        numbers = connection.execute(text("SELECT id FROM market_message ORDER BY id")).scalars().all()
    signed = 0
    with worker_pool(harness.cores(), _prepare, (url,)) as pool:
        parts = [numbers[low : low + SIGNED_AT_ONCE] for low in range(0, len(numbers), SIGNED_AT_ONCE)]
        signed = sum(pool.map(_sign, parts))
    done = time.perf_counter()
    with engine.connect() as connection:
        size = connection.execute(text("SELECT sum(octet_length(xml)) FROM market_message")).scalar_one()
    engine.dispose()
    stack.drop_database(name)
    if (told.made, signed, told.problems) != (points, points, {}):
        raise RuntimeError(f"{told.made} messages were made, {signed} signed of {points}: {told.problems}")
    print(
        f"{points} points, {size / 1e6:.0f} MB: written in {written - begun:.1f} s, signed in {done - written:.1f} s",
        flush=True,
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cdsdata_10k_s": Figure(round(done - begun, 1), "s"), "cdsdata_rss_mb": Figure(round(peak), "MB")}


def _store(url: str, points: int) -> None:
    """So many points of type B (every other one that the site makes) with codes that are right."""
    store_points(url, 2 * points)
    with psycopg.connect(url, autocommit=True) as connection:
        # nothing is to be told of the others
        connection.execute("DELETE FROM channel_mapping WHERE channel IN (SELECT id FROM channel WHERE kind = 'state')")
        found = connection.execute("SELECT id FROM supply_point ORDER BY id").fetchall()
        eans = [make_ean18(f"85918249{number:09d}") for (number,) in found]
        connection.execute(
            "UPDATE supply_point SET ean = told.ean FROM unnest(%s::bigint[], %s::text[]) AS told (id, ean) "
            "WHERE supply_point.id = told.id",
            ([number for (number,) in found], eans),
        )
        connection.execute("VACUUM ANALYZE")


_WORKER: dict[str, Any] = {}


def _prepare(url: str) -> None:
    keep_freed_memory()
    _WORKER["connection"] = psycopg.connect(url, autocommit=True)
    _WORKER["key"] = _key()


def _sign(numbers: list[int]) -> int:
    rows = _WORKER["connection"].execute(
        "SELECT message_id, message_code, format_package, xml FROM market_message WHERE id = ANY (%s)",
        (numbers,),
        binary=True,
    )
    return sum(len(smime.sign(Outgoing(*row), _WORKER["key"])) > len(row[3]) for row in rows.fetchall())


@cache
def _key() -> OwnKey:
    private = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(AT - timedelta(days=1))
        .not_valid_after(AT + timedelta(days=1))
        .sign(private, hashes.SHA256())
    )
    return OwnKey("bench", ("sign", "decrypt"), certificate, (), private)


_SENT: Final = """
INSERT INTO market_duty (message_code, subject_kind, subject, period, month, why, cause, state, arose_at, deadline)
SELECT '121', 'supply_point', lpad(n::text, 18, '0'), '[2026-01-01,2026-02-01)', '2026-01-01', 'month', '{}', 'told',
       :at, :at FROM generate_series(1, :count) n;
INSERT INTO market_message (message_id, message_code, format_package, format_digest, sender, receiver, subject_kind,
       subject, period, version, state, xml, basis, made_at, made_by, sent_at, receipt, attempts, due_at, duty,
       environment)
SELECT '121-' || d.id, '121', :package, '', :sender, :receiver, 'supply_point', d.subject, d.period, 1, 'sent', '',
       '{}', :at, 'bench', :at, 'R' || d.id, 1, 'infinity', d.id, 'sandbox' FROM market_duty d ORDER BY d.id;
"""


def measure_answers(stack: LocalStack, count: int) -> dict[str, Figure]:
    """responses_100k_s: from octets to messages that are answered, duties that are done, and everything kept."""
    name = "bench_market_answers"
    stack.drop_database(name)
    url = stack.create_database(name)
    upgrade(url)
    engine = make_engine(url, name="bench", pool_size=1)
    values = {"at": NOW, "count": count, "package": PACKAGE, "sender": SENDER, "receiver": OPERATOR}
    with transaction(engine) as connection:
        for statement in _SENT.split(";\n"):
            if statement.strip():
                connection.execute(
                    text(statement), {key: value for key, value in values.items() if f":{key}" in statement}
                )
        ids = connection.execute(text("SELECT message_id FROM market_message ORDER BY md5(message_id)")).scalars().all()
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))
    answers = [_answer(message_id, place) for place, message_id in enumerate(ids)]
    begun = time.perf_counter()
    for low in range(0, count, ANSWERS_AT_ONCE):
        with transaction(engine) as connection:
            brought = [Brought(each, OPERATOR, Environment.SANDBOX) for each in answers[low : low + ANSWERS_AT_ONCE]]
            taken = take_answers(connection, brought, AT, "bench")
            if {each.outcome for each in taken} != {"applied"}:
                raise RuntimeError(str(taken[:3]))
    seconds = time.perf_counter() - begun
    print(f"{count} answers of {len(answers[0])} octets in {seconds:.1f} s", flush=True)
    with engine.connect() as connection:
        _require_truth(connection, count)
    engine.dispose()
    stack.drop_database(name)
    return {"responses_100k_s": Figure(round(seconds, 1), "s")}


@cache
def _reasons() -> tuple[tuple[Reason, ...], ...]:
    return (
        (Reason("A01", "0200", "Přijato"),),
        (Reason("A03", "S100", "Přijato s výhradou"),),
        (Reason("A02", "S900", "Místo není registrováno"),),
    )


def _answer(message_id: str, place: int) -> bytes:
    """Every tenth with a reservation, every tenth a rejection."""
    package = load_package(PACKAGE)
    envelope = Envelope(
        f"X21-{place}", "X21", AT, Participant(OPERATOR), Participant(SENDER), (message_id,), None, "CS"
    )
    return write_response(package, Response(envelope, _reasons()[{0: 1, 5: 2}.get(place % 10, 0)]))


def _require_truth(connection: Connection, count: int) -> None:
    states = _counted(connection, "SELECT state, count(*) FROM market_message GROUP BY state")
    if states != {"accepted": count * 8 // 10, "accepted_with_reservation": count // 10, "rejected": count // 10}:
        raise RuntimeError(f"The messages are {states}.")
    duties = _counted(connection, "SELECT state, count(*) FROM market_duty GROUP BY state")
    if duties != {"done": count * 9 // 10, "open": count // 10}:
        raise RuntimeError(f"The duties are {duties}.")
    kept = connection.execute(text("SELECT count(*) FROM market_inbox WHERE outcome = 'applied'")).scalar_one()
    if kept != count:
        raise RuntimeError(f"{kept} answers were kept.")


def _counted(connection: Connection, query: str) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(text(query))}


def main() -> int:
    """Measure and write the result; with a size only measure that one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, help="of so many points; writes nothing")
    parser.add_argument("--answers", type=int, help="of so many answers; writes nothing")
    options = parser.parse_args()
    stack = LocalStack(home_folder(), instance=f"bench-{os.getpid()}", owner=process.this_process())
    figures: dict[str, Figure] = {}
    is_whole = not (options.points or options.answers)
    try:
        stack.up()
        if options.points or is_whole:
            figures |= measure_data(stack, options.points or POINTS)
        if options.answers or is_whole:
            figures |= measure_answers(stack, options.answers or ANSWERS)
        if is_whole:
            print(harness.write("market", figures).read_text())
        else:
            print({name: (figure.value, figure.unit) for name, figure in figures.items()})
    finally:
        stack.destroy()
    return 0


if __name__ == "__main__":
    sys.exit(main())
