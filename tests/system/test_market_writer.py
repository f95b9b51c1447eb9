"""Messages of interval data checked by processes are those that this process checks, and are stored by their keys."""

import io
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import numpy as np
import psutil
import pytest
from sqlalchemy import text

from central.market import interval_writer
from central.market.cdsdata import FORMAT, Series, write_interval_data
from central.market.errors import OutboundError
from central.market.format_package import load_package
from central.market.interval_check import receive, send
from central.market.interval_checker import CheckerEndedError, checkers
from central.market.interval_writer import Sheet
from central.market.messages import Draft, Subject, create_all
from central.platform.database import make_engine, transaction
from tests.unit.central.market.examples import AT, OPERATOR, POINT, SENDER, envelope, message

PACKAGE = "sandbox-2026"


def sheets(count: int) -> list[Sheet]:
    days = date(2026, 3, 29), date(2026, 3, 30)
    values = [np.arange(92, dtype=np.int32) + place for place in range(count)]
    found = [
        Sheet(PACKAGE, envelope(f"121-{place}"), POINT, 1, [Series("A+", "Wh", 0, *days, each)])
        for place, each in enumerate(values)
    ]
    found[1] = Sheet(PACKAGE, envelope("121-1"), "859182400900000010", 1, found[1].series)
    # the schema wants a language of two letters
    found[2] = Sheet(PACKAGE, replace(envelope("121-2"), language="x"), POINT, 1, found[2].series)
    return found


def test_processes_find_the_same_in_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    given = sheets(2 * interval_writer.AHEAD)
    monkeypatch.setattr(interval_writer, "POOL_FROM", len(given) + 1)
    with interval_writer.interval_writer(len(given)) as writer:
        alone = list(writer.write(given))
    monkeypatch.setattr(interval_writer, "POOL_FROM", 1)
    taken: list[Sheet] = []

    def counted() -> Iterator[Sheet]:
        for each in given:
            taken.append(each)
            yield each

    with interval_writer.interval_writer(len(given)) as writer:
        coming = writer.write(counted())
        together = [next(coming)]
        assert len(taken) == interval_writer.AHEAD + 1
        together += coming
    assert [str(each) for each in together] == [str(each) for each in alone]
    refused = [each.code for each in together if isinstance(each, OutboundError)]
    assert refused == ["bad_ean", "schema"]
    assert len(taken) == len(given) == len(together)


def test_a_process_that_ends_fails_the_pass() -> None:
    content = write_interval_data(load_package(PACKAGE), message())
    before = set(psutil.Process().children())
    with checkers(1) as some:
        assert some.errors(PACKAGE, FORMAT, content).result() == []
        (process,) = set(psutil.Process().children()) - before
        process.kill()
        with pytest.raises(CheckerEndedError, match="ended with status -9 before it answered"):
            some.errors(PACKAGE, FORMAT, content).result()


def test_the_process_is_without_numpy_and_ends_with_its_input() -> None:
    program = "import sys, central.market.interval_check as check; check.main(); sys.exit('numpy' in sys.modules)"
    asked, answered = io.BytesIO(), b""
    send(asked, PACKAGE.encode(), FORMAT.encode(), write_interval_data(load_package(PACKAGE), message()))
    for left in (0, 1):
        question = asked.getvalue()[: len(asked.getvalue()) - left]
        done = subprocess.run([sys.executable, "-c", program], input=question, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b""), "it loads numpy, or leaves with an error"
        answered += done.stdout
    assert receive(io.BytesIO(answered)) == b"[]"
    assert len(answered) == 4 + len(b"[]")


def test_messages_that_are_added_do_not_read_those_that_are_there(database_url: str) -> None:
    subject = Subject("supply_point", POINT)
    month = date(2026, 3, 1), date(2026, 4, 1)
    drafts = [
        Draft(f"121-{place}", "121", PACKAGE, "", SENDER, OPERATOR, subject, *month, place, b"<CDSDATA/>", {})
        for place in range(1, 41)
    ]
    engine = make_engine(database_url)
    try:
        with engine.connect() as connection:
            # as after a night: it is known to be empty
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE market_message"))
        with transaction(engine) as connection:
            for first in range(0, len(drafts), 10):
                create_all(connection, drafts[first : first + 10], AT, "test")
            read = connection.execute(
                text("SELECT seq_tup_read, n_tup_ins FROM pg_stat_xact_user_tables WHERE relname = 'market_message'")
            ).one()
            assert tuple(read) == (0, len(drafts))
            assert connection.execute(text("SHOW enable_seqscan")).scalar_one() == "on"
    finally:
        engine.dispose()
