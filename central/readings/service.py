"""The consolidation service: new batches, days that came due, days to validate, virtual meters; then it sleeps."""

import signal
import threading

import psycopg
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from central.platform.clock import get_clock
from central.platform.database import make_engine
from central.platform.settings import Settings
from central.readings.completeness_counts import NEWS_AT_ONCE, fold_counts
from central.readings.consolidate import consolidate_once
from central.readings.formulas.work import Computed, compute_once
from central.readings.silence import SilentDays
from central.readings.vee.stage import Validated, validate_once
from shared.clock import Clock

RETRY_S = 2.0
VALIDATE_EVERY = 10
"""Passes of consolidation after which a pass of validation comes in between: a month that arrives in pieces is
validated whole, and no stream of batches keeps the validation waiting for ever."""
_log = structlog.get_logger(__name__)


def main(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; a database that is away is waited for."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    engine = make_engine(settings.database_url, name="rozvodna-consolidate", pool_size=1)
    _log.info("consolidation started")
    run(engine, get_clock(), settings, stop)
    engine.dispose()
    _log.info("consolidation stopped")


def run(engine: Engine, clock: Clock, settings: Settings, stop: threading.Event) -> None:
    """Pass after pass until `stop`; between passes without work, `consolidate_poll_s` of wall time."""
    silent = SilentDays(engine, settings.day_deadline)
    mappings_changed = False
    waited = 0
    passes = 0
    while not stop.is_set():
        try:
            expected = silent.look(clock.now(), mappings_changed)
            report = consolidate_once(
                engine, clock, batches=settings.consolidate_batches, deadline=settings.day_deadline
            )
            waited = waited + 1 if report.worked else VALIDATE_EVERY
            validated, computed = Validated(), Computed()
            if waited >= VALIDATE_EVERY:
                validated, waited = validate_once(engine, clock, deadline=settings.day_deadline), 0
                computed = compute_once(engine, clock, deadline=settings.day_deadline)
            passes = passes + 1 if report.worked else 0
            if passes % NEWS_AT_ONCE == 0:
                fold_counts(engine)
        except (DBAPIError, psycopg.Error) as error:  # COPY goes past SQLAlchemy and raises the driver's own
            _log.warning("the database is away or refused", error=str(getattr(error, "orig", error)))
            stop.wait(RETRY_S)
            continue
        mappings_changed = report.mappings > 0
        if expected:
            _log.warning("days of which nothing came", days=expected)
        if report.worked:
            _log.info("consolidated", batches=report.batches, versions=report.versions, open=report.open)
        if validated.worked:
            _log.info("validated", work=validated.work, days=validated.days, findings=validated.findings)
        if computed.versions:
            _log.info("computed virtual meters", days=computed.days, versions=computed.versions)
        if not report.worked and not validated.worked and not computed.work:
            stop.wait(settings.consolidate_poll_s)
